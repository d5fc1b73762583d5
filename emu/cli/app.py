# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands by name, and the one place where a command's failure becomes a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from cyclopts import App, CycloptsError, Parameter

from emu.cli import interrupt, output
from emu.cli.errors import Exit, is_bad_input, one_line
from emu.cli.version import version_text


class Screen(Protocol):
    """The face with a screen, which the command line starts but never imports."""

    def run_lesson(self, lesson: Any, *, at: str | None, tlb: str | None, seed: int | None) -> int:
        """One lesson on screen; an exit code."""
        ...

    def svg_pictures(self, lesson: Any, folder: Path) -> list[Path]:
        """The lesson's screens as files in `folder`."""
        ...


def make_app() -> App:
    """Every command; what a command needs is imported when it is called."""
    app = App(
        "pagewalk",
        help="A full-system emulator of an x86 MMU and TLB to learn from. Example: pagewalk run overrun",
        version=version_text,
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        exit_on_error=False,
        print_error=False,
    )
    app.command("emu.cli.run:run", name="run")
    app.command("emu.cli.walk:walk", name="walk")
    app.command("emu.cli.trace:app", name="trace")
    app.command("emu.cli.bench:bench", name="bench")
    return app


def main(arguments: Sequence[str], screen: Screen) -> int:
    """Run one command and return its exit code. No exception leaves, and no traceback reaches the user."""
    interrupt.install()
    output.prepare()
    try:
        return _call(arguments)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except output.ClosedOutput:
        return Exit.FINE
    except Exception as error:
        return _explain(error)
    finally:
        output.close_quietly()


def _call(arguments: Sequence[str]) -> int:
    app = make_app()
    try:
        result: Any = app(list(arguments))
    except CycloptsError as error:
        output.note(f"pagewalk: {_usage(error)}")
        return Exit.USAGE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.FINE
    return result if isinstance(result, int) else Exit.FINE


def _usage(error: CycloptsError) -> str:
    command = " ".join(["pagewalk", *(error.command_chain or ())])
    return one_line(f"{error}; see `{command} --help`")


def _explain(error: Exception) -> int:
    if os.environ.get("PAGEWALK_DEBUG") == "1":
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if is_bad_input(error):
        output.note(f"pagewalk: {one_line(str(error))}")
        return Exit.USAGE
    kind = type(error).__name__
    output.note(
        f"pagewalk: internal error, {kind}: {one_line(str(error))[:300]}; please report it, with the output of the "
        "same command under PAGEWALK_DEBUG=1"
    )
    return Exit.INTERNAL
