# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk walk`: run to a place, then walk one address level by level."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from emu.cli import guest_run
from emu.cli.errors import Exit, UsageError
from emu.cli.output import json_out, note, out

if TYPE_CHECKING:
    from emu.bits import LinearAddress
    from emu.events import Event
    from emu.lesson.boot import Booted
    from emu.view.inspector import Process

_USER_END = 1 << 47


def walk(
    program: str,
    address: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    at: str | None = None,
    process: str | None = None,
    argument: Annotated[tuple[str, ...], Parameter(name="--arg", negative=())] = (),
    tlb: str = guest_run.GEOMETRY,
    switch: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    memory: int = guest_run.MEMORY_MIB,
    instructions: int = guest_run.BUDGET,
    seed: int = 0,
    json: bool = False,
    kernel: Path | None = None,
) -> int:
    """Run PROGRAM to a place, then print the walk of ADDRESS and what each TLB holds for it.

    Without --at the place is the last instruction of PROGRAM's process, before it is torn down.

    Example: pagewalk walk overrun '*window' --at fill_window

    Args:
        program: A bundled program's name, or a path; may be left out with --kernel.
        address: A number, symbol[+n] (its address) or *expression (its value).
        at: Stop where this is next: a symbol, file:line, or a number.
        process: The process in whose address space the walk is done: its name or number.
        argument: What the program is given; may be given several times.
        tlb: A TLB geometry: a name or a TOML file.
        switch: SWITCH=VALUE, a switch of the guest kernel; may be given several times.
        memory: RAM in MiB.
        instructions: The budget: the run ends after so many.
        seed: Where everything random starts.
        json: Print one JSON object on stdout.
        kernel: A PVH kernel of your own instead of ours.
    """
    guest_run.check_instructions(instructions)
    if address is None and kernel is None:
        raise UsageError("no address given; name a number, symbol[+n] or '*expression' behind the program")
    name, wanted = (None, program) if address is None else (program, address)
    booted = guest_run.boot_guest(
        name,
        argument,
        tlb=tlb,
        settings=switch,
        memory=memory,
        seed=seed,
        kernel=kernel,
        keep_history=True,
    )
    stopped = _run_to(booted, at, instructions) if at else _run_to_last(booted, instructions)
    if stopped is not Exit.FINE:
        return stopped
    return _show(booted, wanted, process, json)


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


def _show(booted: "Booted", text: str, process_name: str | None, json: bool) -> int:
    from emu.view.walk import walk_view

    inspector = booted.inspector
    process = _process(booted, process_name)
    address = _address(booted, text, process)
    view = walk_view(inspector, address, process)
    rip = inspector.rip()
    here = process or inspector.process()
    if json:
        place = {
            "program": booted.program.name if booted.program else None,
            "process": str(here) if here else None,
            "at": inspector.name(rip),
            "rip": rip,
            "instructions": booted.machine.journal.insn,
        }
        json_out(
            {**place, **view.as_json(), "frame": view.frame, "accessed": view.accessed, "dirty": view.dirty}
        )
        return Exit.FINE
    out(
        f"at {inspector.name(rip)}, after {booted.machine.journal.insn:,} instructions, in {here or 'no process'}"
    )
    out(str(view))
    return Exit.FINE


def _address(booted: "Booted", text: str, process: "Process | None") -> "LinearAddress":
    from emu.guest.expression import ExpressionError

    try:
        return booted.inspector.address(text, process)
    except ExpressionError as error:
        raise UsageError(f"{error}; ADDRESS is a number, symbol[+n] or '*expression'") from None


def _process(booted: "Booted", name: str | None) -> "Process | None":
    if name is None:
        return None
    found = booted.inspector.process_named(name)
    if found is None:
        known = ", ".join(map(str, booted.inspector.processes())) or "none"
        raise UsageError(f"--process {name}: no such process lives then; there are: {known}")
    return found
