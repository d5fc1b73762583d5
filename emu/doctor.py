# SPDX-License-Identifier: GPL-2.0-or-later
"""What this machine has of what Pagewalk uses: each finding in words, with the mend where something is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LEAST_COLUMNS = 80
LEAST_LINES = 24


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `good` is None for what is missing and not needed to learn."""

    name: str
    good: bool | None
    text: str


def examine() -> list[Finding]:
    """Look at everything. Nothing is written, and nothing is asked from other hosts."""
    looks: tuple[tuple[str, Callable[[], Finding]], ...] = (
        ("engine", _engine),
        ("guest image", _guest),
        ("lessons", _lessons),
        ("screen", _screen),
        ("terminal", _terminal),
        ("ziglang", _ziglang),
        ("QEMU", _qemu),
        ("folders", _folders),
    )
    return [_look(name, look) for name, look in looks]


def _look(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:
        return Finding(name, False, " ".join(str(error).split()) or type(error).__name__)


def _engine() -> Finding:
    from emu.cpu.engine_state import verify

    verify()
    return Finding("engine", True, f"unicorn {version('unicorn')}: its layout is as expected")


def _guest() -> Finding:
    from emu.lesson.boot import bundled_kernel, bundled_programs

    programs = [program.data for program in bundled_programs().programs.values()]
    return Finding(
        "guest image", True, f"{len(programs)} programs, kernel sha256 {bundled_kernel().sha256[:16]}..."
    )


def _lessons() -> Finding:
    from emu.lesson.model import course

    found = course()
    if not found:
        return Finding("lessons", False, "none; install pagewalk again")
    return Finding("lessons", True, f"{len(found)}: {', '.join(lesson.id for lesson in found)}")


def _screen() -> Finding:
    try:
        return Finding("screen", True, f"textual {version('textual')}")
    except PackageNotFoundError:
        return Finding("screen", False, "textual is missing; install pagewalk again")


def _terminal() -> Finding:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Finding("terminal", None, "none attached: lessons print as text with --plain")
    columns, lines = shutil.get_terminal_size()
    colours = "24-bit colour" if os.environ.get("COLORTERM") in ("truecolor", "24bit") else "few colours"
    if os.environ.get("NO_COLOR"):
        colours = "no colour (NO_COLOR is set)"
    encoding = sys.stdout.encoding
    text = (
        f"{columns} columns, {lines} lines, {colours}, {encoding}, TERM {os.environ.get('TERM', 'not set')}"
    )
    if columns < LEAST_COLUMNS or lines < LEAST_LINES:
        return Finding("terminal", False, f"{text}; make it at least {LEAST_COLUMNS} by {LEAST_LINES}")
    return Finding("terminal", True, text)


def _ziglang() -> Finding:
    try:
        return Finding("ziglang", True, f"{version('ziglang')}: guest code can be compiled")
    except PackageNotFoundError:
        return Finding("ziglang", None, "not here; to compile guest code, pip install 'pagewalk[guest]'")


def _qemu() -> Finding:
    path = shutil.which("qemu-system-x86_64")
    if path is None:
        return Finding(
            "QEMU", None, "not here; only the tests that compare with it want it (qemu-system-x86)"
        )
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("QEMU", None, f"{path} does not run: {error}")
    return Finding("QEMU", True, said.stdout.partition("\n")[0])


def _folders() -> Finding:
    from platformdirs import user_cache_path, user_config_path, user_data_path

    from emu import resources

    own = {"data": user_data_path, "settings": user_config_path, "cache": user_cache_path}
    places = {what: find("pagewalk", appauthor=False) for what, find in own.items()}
    refused = [f"{what} {path}" for what, path in places.items() if not _writable(path)]
    if refused:
        return Finding("folders", False, f"cannot be written: {', '.join(refused)}; make them writable")
    listed = ", ".join(f"{what} {path}" for what, path in places.items())
    return Finding("folders", True, f"guest sources {resources.guest_sources()}, {listed}")


def _writable(path: Path) -> bool:
    """Whether `path` can be written, or made."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return os.access(path, os.W_OK)
