# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a guest to the place that a command is to look at."""

from typing import TYPE_CHECKING, Final

from emu.cli import guest_run
from emu.cli.errors import Exit, UsageError
from emu.cli.output import note

if TYPE_CHECKING:
    from emu.events import Event
    from emu.lesson.boot import Booted
    from emu.view.inspector import Process

_USER_END: Final = 1 << 47


def run_to_place(booted: "Booted", at: str | None, instructions: int) -> Exit:
    """Run to `at`; without it, to the last instruction of PROGRAM's process. Exit.FINE if the guest got there.

    What kept it from there has been said on stderr, unless it is a UsageError.
    """
    return _run_to(booted, at, instructions) if at else _run_to_last(booted, instructions)


def process_named(booted: "Booted", name: str | None) -> "Process | None":
    """The process of that name or number; None if none is asked for. UsageError names those that live."""
    if name is None:
        return None
    found = booted.inspector.process_named(name)
    if found is None:
        known = ", ".join(map(str, booted.inspector.processes())) or "none"
        raise UsageError(f"--process {name}: no such process lives then; there are: {known}")
    return found


class _Last:
    """Follows who runs; remembers the last event of PROGRAM's process in ring 3; wants its teardown."""

    def __init__(self) -> None:
        self.insn: int | None = None
        self.exited = False
        self._running: int | str = 1

    def __call__(self, event: "Event") -> bool:
        from emu.events import Marked

        if event.cpl == 3 and self._running == guest_run.PROGRAM_PID:
            self.insn = event.insn
        if not isinstance(event, Marked):
            return False
        if event.name == "switch":
            self._running = event.arguments.get("next_pid", 0)
        self.exited = event.name == "process_exit" and event.arguments.get("pid") == guest_run.PROGRAM_PID
        return self.exited


def _run_to_last(booted: "Booted", instructions: int) -> Exit:
    """To the last instruction of PROGRAM's process: it is next. A guest that ends before is looked at as it ended."""
    last, machine = _Last(), booted.machine
    machine.run_until(instructions, wants=last)
    if last.insn is not None and (last.exited or machine.ended is not None):
        machine.seek(last.insn - 1)
        return Exit.FINE
    if machine.ended is None:
        return _not_reached(booted, "its program's end", instructions)
    return Exit.FINE


def _run_to(booted: "Booted", place: str, instructions: int) -> Exit:
    """To `place`; if it is an address of the program, then in the program's process."""
    from emu.bits import parse_number
    from emu.machine import Stop

    machine, inspector = booted.machine, booted.inspector
    name = booted.program.name if booted.program else None
    number = parse_number(place)
    addresses = {number} if number is not None else _addresses(booted, place)
    while True:
        left = instructions - machine.journal.insn
        if left <= 0 or machine.run_until(left, addresses=addresses) is not Stop.BREAK:
            return _not_reached(booted, place, instructions)
        process = inspector.process()
        if inspector.rip() >= _USER_END or process is None or process.name == name:
            return Exit.FINE
        machine.step()


def _addresses(booted: "Booted", place: str) -> set[int]:
    symbols = booted.inspector.symbols
    name = booted.program.name if booted.program else None
    file, colon, line = place.rpartition(":")
    if not (colon and line.isdigit()):
        return {symbols.address_of(place, name)}
    from emu.guest.symbols import SymbolError

    refusals: list[SymbolError] = []
    for table in symbols.scope(name):
        try:
            return {table.addresses_of(file, int(line))[0]}
        except SymbolError as error:
            refusals.append(error)
    raise (
        refusals[0]
        if refusals
        else UsageError(f"--at {place}: this kernel has no debug information; give a number")
    )


def _not_reached(booted: "Booted", place: str, instructions: int) -> Exit:
    ended = booted.machine.ended
    if ended is None:
        spent = f"the budget of {instructions:,} instructions ran out"
        note(f"{place} was not reached: {spent}; give more with --instructions")
        return Exit.BUDGET
    code = guest_run.exit_of(booted)
    if code is Exit.FINE:
        raise UsageError(f"{place} was not reached: {ended.text}; name a place that the program reaches")
    note(f"{place} was not reached: {ended.text}")
    return code
