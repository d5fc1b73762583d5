# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share: options, markers, a guest that is compiled from the sources as they are."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from emu.guest.build import GuestBuildError, build_guest

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-pictures",
        action="store_true",
        help="write the pictures of the screen anew instead of comparing; then look at each that changed",
    )
    parser.addoption(
        "--update-consoles",
        action="store_true",
        help="write what the guest programs say anew instead of comparing; then read each text that changed",
    )


@pytest.fixture(autouse=True, scope="session")
def _nobody_s_progress() -> Iterator[None]:
    """No test reads or writes what Pagewalk remembers of whoever runs the tests; child processes inherit this."""
    with tempfile.TemporaryDirectory(prefix="pagewalk-tests-") as folder:
        before = os.environ.get("PAGEWALK_DATA")
        os.environ["PAGEWALK_DATA"] = folder
        yield
        os.environ.pop("PAGEWALK_DATA") if before is None else os.environ.update(PAGEWALK_DATA=before)


def guest_is_stale() -> bool:
    """Whether some source of the guest, or its recipe, is newer than its images."""
    image = ROOT / "guest" / "out" / "programs.cpio"
    sources = [ROOT / "emu" / "guest" / "build.py"]
    for room in ("common", "kernel", "user", "include"):
        sources += (ROOT / "guest" / room).rglob("*")
    return not image.is_file() or any(path.stat().st_mtime > image.stat().st_mtime for path in sources)


def pytest_configure(config: pytest.Config) -> None:
    """Compile the guest if need be: once, before any worker starts."""
    if hasattr(config, "workerinput") or not guest_is_stale():
        return
    try:
        build_guest(ROOT / "guest", ROOT / "guest" / "out")
    except GuestBuildError as error:
        raise pytest.UsageError(f"the guest does not compile: {error}") from error


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Under `-n`: see tests/helpers/workers.py."""
    from tests.helpers.workers import Together

    config.option.loadscopereorder = False
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the comparisons with QEMU where there is none."""
    if shutil.which("qemu-system-x86_64"):
        return
    for item in items:
        if item.get_closest_marker("qemu"):
            item.add_marker(pytest.mark.skip(reason="qemu-system-x86_64 is not installed"))
