# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands by name, and the one place where a command's failure becomes a line and an exit code."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from emu.cli import interrupt, output
from emu.cli.bench import bench
from emu.cli.check import check
from emu.cli.doctor import doctor
from emu.cli.errors import Exit, is_bad_input, one_line
from emu.cli.geometries import geometries
from emu.cli.guest import app as guest
from emu.cli.lab import lab
from emu.cli.learn import learn
from emu.cli.lessons import draws, lessons
from emu.cli.run import run
from emu.cli.screen import Screen
from emu.cli.serve import serve
from emu.cli.trace import app as trace
from emu.cli.version import version_text
from emu.cli.walk import walk
from emu.guest.near import did_you_mean

_HELP: Final = """A full-system emulator of an x86 MMU and TLB to learn from.

Alone it opens the course. Examples: pagewalk learn walk; pagewalk run overrun; pagewalk walk overrun '*window'
"""


def make_app(screen: Screen | None = None) -> App:
    """Every command. What a command needs is imported when it is called, so that each starts quickly."""
    app = App(
        "pagewalk",
        help=_HELP,
        version=version_text,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=_default),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        exit_on_error=False,
        print_error=False,
    )
    app.default(partial(_open_course, screen))
    app.command(partial(learn, screen=screen), name="learn")
    for command in (lessons, lab, run, walk, check, geometries, bench, serve, doctor):
        app.command(command)
    app.command(trace)
    app.command(guest)
    return app


def _default(value: object) -> object:
    """What help says of a default: nothing where nothing is set."""
    return None if value in (None, False, ()) else value


def _open_course(screen: Screen | None) -> int:
    """Open the course on screen; without a terminal list its lessons."""
    if screen is None or not draws():
        return lessons()
    interrupt.uninstall()
    return screen.run_course()


def main(arguments: Sequence[str], screen: Screen | None = None) -> int:
    """Run one command and return its exit code. No exception leaves, and no traceback reaches the user."""
    interrupt.install()
    output.prepare()
    try:
        return _call(make_app(screen), arguments)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except output.ClosedOutput:
        return Exit.FINE
    except Exception as error:
        return _explain(error)
    finally:
        output.close_quietly()


def _call(app: App, arguments: Sequence[str]) -> int:
    try:
        result: Any = app(list(arguments))
    except CycloptsError as error:
        output.note(f"pagewalk: {_usage(app, error)}")
        return Exit.USAGE
    except SystemExit:  # rich's answer to a closed pipe, in the middle of a page of help
        return Exit.FINE
    return result if isinstance(result, int) else Exit.FINE


def _usage(app: App, error: CycloptsError) -> str:
    command = " ".join(["pagewalk", *(error.command_chain or ())])
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        token = error.unused_tokens[0]
        if error.command_chain:
            return one_line(f"{token!r} is one word too many; see `{command} --help`")
        commands = [name for name in app if not name.startswith("-")]
        return one_line(f"no command {token!r}: {did_you_mean(token, commands)}; see `{command} --help`")
    return one_line(f"{str(error).rstrip('.')}; see `{command} --help`")


def _explain(error: Exception) -> int:
    if os.environ.get("PAGEWALK_DEBUG") == "1":
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    if is_bad_input(error):
        output.note(f"pagewalk: {one_line(str(error))}")
        return Exit.USAGE
    output.note(
        f"pagewalk: internal error, {type(error).__name__}: {one_line(str(error))[:300]}; please report it, with "
        "what the same command prints under PAGEWALK_DEBUG=1"
    )
    return Exit.INTERNAL
