# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit codes, and which exceptions are the user's to mend: those become one line."""

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """What the command ends with."""

    FINE = 0
    CHECK_FAILED = 1
    USAGE = 2
    GUEST_DIED = 3
    BUDGET = 4
    INTERNAL = 70
    INTERRUPTED = 130


class UsageError(Exception):
    """What was asked for cannot be done: one line with what, where, and the mend."""


BAD_INPUT: Final = frozenset(
    {
        "emu.cli.errors.UsageError",
        "emu.cpu.engine_state.EngineMismatch",
        "emu.cpu.model.CpuModelError",
        "emu.guest.build.GuestBuildError",
        "emu.guest.catalogue.UnknownProgramError",
        "emu.guest.elf.GuestImageError",
        "emu.guest.expression.ExpressionError",
        "emu.guest.switches.SwitchError",
        "emu.guest.symbols.SymbolError",
        "emu.lesson.boot.BootError",
        "emu.lesson.disk.DiskError",
        "emu.lesson.files.FileError",
        "emu.lesson.errors.LabError",
        "emu.lesson.lab_folder.LabFolderError",
        "emu.lesson.model.LessonError",
        "emu.net.errors.NetError",
        "emu.net.folder.FolderError",
        "emu.resources.ResourceMissing",
        "emu.tlb.geometry.GeometryError",
        "emu.trace.header.TraceError",
    }
)
"""By name, so that knowing them imports nothing. As text each is one line with what, where, and the mend."""


def is_bad_input(error: BaseException) -> bool:
    """Whether `error` says what the user can mend."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in BAD_INPUT for kind in type(error).__mro__)


def one_line(text: str) -> str:
    """`text` as one line without control characters."""
    return shown(" ".join(text.split()))


def shown(text: str) -> str:
    """`text` with every control character but newline and tab shown, not sent."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
