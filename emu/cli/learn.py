# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk learn`: one lesson, on screen, as text, or as pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

from cyclopts import Parameter

from emu.cli import interrupt
from emu.cli.errors import Exit, UsageError, one_line
from emu.cli.lab import enter_was_pressed, lab_place
from emu.cli.lessons import draws, on_terminal
from emu.cli.output import SafeOutput, note, out
from emu.cli.screen import Screen

if TYPE_CHECKING:
    from emu.lesson.model import Lesson


def learn(
    lesson: str,
    /,
    *,
    at: str | None = None,
    tlb: str | None = None,
    cpu: str | None = None,
    seed: int | None = None,
    plain: bool = False,
    answers: bool = False,
    no_ask: bool = False,
    svg: Path | None = None,
    lab: Path | None = None,
    screen: Annotated[Screen | None, Parameter(parse=False)] = None,
) -> int:
    """Take a lesson: on screen, or with --plain as text.

    On a terminal --plain asks each question on a line of its own; without one, or with --no-ask, it prints through.

    Example: pagewalk learn overrun --plain

    Args:
        lesson: A lesson's name (see `pagewalk lessons`) or its folder.
        at: The step to begin with.
        tlb: A TLB geometry instead of the lesson's own: a name or a TOML file.
        cpu: A CPU model instead of the lesson's own: full, haswell, full,-smep (see `pagewalk run --help`).
        seed: Where everything random starts.
        plain: Print the whole lesson as text; exit 1 if one of its checks does not hold.
        answers: Print the right answers too.
        no_ask: Ask nothing.
        lab: Your folder for the lesson's lab (see `pagewalk lab --help`); without it ./LESSON, if that is one.
        svg: Write the lesson's screens as SVG files into this folder, one a step.
    """
    from emu.lesson.model import find_lesson

    found = find_lesson(lesson)
    if at is not None:
        found.section(at)
    _check(tlb, cpu, seed)
    folder = lab_place(found, lab)
    if svg is not None:
        return _pictures(found, svg, screen)
    if plain:
        return _plain(found, at, tlb, cpu, seed, answers, not no_ask, folder)
    if not draws():
        what = "a terminal that can draw, and TERM is dumb" if on_terminal() else "a terminal"
        raise UsageError(f"the lesson's screen needs {what}; give --plain for the lesson as text")
    if screen is None:
        raise UsageError("this build has no screen; give --plain for the lesson as text")
    interrupt.uninstall()
    return screen.run_lesson(found, at=at, tlb=tlb, seed=seed, cpu=cpu, lab=folder)


def _check(tlb: str | None, cpu: str | None, seed: int | None) -> None:
    from emu.cli.guest_run import MOST_SEED

    if tlb is not None:
        from emu.tlb.geometry_file import geometry

        geometry(tlb)
    if cpu is not None:
        from emu.cpu.model import parse

        parse(cpu)
    if seed is not None and not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed {seed}: give a number from 0 to {MOST_SEED}")


def _plain(
    lesson: "Lesson",
    at: str | None,
    tlb: str | None,
    cpu: str | None,
    seed: int | None,
    answers: bool,
    ask: bool,
    folder: Path,
) -> int:
    from emu.lesson.plain import print_lesson
    from emu.lesson.progress import ProgressStore
    from emu.lesson.record import Record

    asking = ask and on_terminal()
    record = Record(ProgressStore(), lesson) if asking else None
    passed = print_lesson(
        lesson,
        cast(TextIO, SafeOutput()),
        ask=asking,
        answers=answers,
        tlb=tlb,
        seed=seed or 0,
        at=at,
        cpu=cpu,
        record=record,
        folder=folder,
        over=enter_was_pressed if asking else None,
    )
    if record is not None and record.note:
        note(f"pagewalk: {one_line(record.note)}")
    return Exit.FINE if passed else Exit.CHECK_FAILED


def _pictures(lesson: "Lesson", folder: Path, screen: Screen | None) -> int:
    if screen is None:
        raise UsageError("this build has no screen to draw; install pagewalk again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--svg {folder}: {error.strerror}; give a folder you may write to") from None
    for path in screen.svg_pictures(lesson, folder):
        out(str(path))
    return Exit.FINE
