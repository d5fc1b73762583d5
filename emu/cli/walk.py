# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk walk`: run to a place, then walk one address level by level."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from emu.cli import guest_run
from emu.cli.errors import Exit, UsageError
from emu.cli.output import json_out, out
from emu.cli.places import process_named, run_to_place

if TYPE_CHECKING:
    from emu.bits import LinearAddress
    from emu.lesson.boot import Booted
    from emu.view.inspector import Process


def walk(
    program: str,
    address: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    at: str | None = None,
    process: str | None = None,
    argument: Annotated[tuple[str, ...], Parameter(name="--arg", negative=())] = (),
    tlb: str = guest_run.GEOMETRY,
    cpu: str = guest_run.CPU,
    switch: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    memory: int = guest_run.MEMORY_MIB,
    instructions: int = guest_run.BUDGET,
    seed: int = 0,
    disk: str | None = None,
    net_in: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    net_pace: str = guest_run.NET_PACE,
    peer: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    file: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    json: bool = False,
    kernel: Path | None = None,
) -> int:
    """Run PROGRAM to a place, then print the walk of ADDRESS and what each TLB holds for it.

    Without --at the place is the last instruction of PROGRAM's process, before it is torn down.

    Example: pagewalk walk overrun '*window' --at fill_window

    Args:
        program: A bundled program's name, or a path; with --kernel ADDRESS alone will do.
        address: A number, symbol[+n] (its address) or *expression (its value).
        at: Stop where this is next: a symbol, file:line, or a number.
        process: The process in whose address space the walk is done: its name or number.
        argument: What the program is given; may be given several times.
        tlb: A TLB geometry: a name or a TOML file.
        cpu: A CPU model: full, 486, pentium, pentium3, core2, nehalem, haswell, skylake, skylake-server or
            icelake-server; behind it +FEATURE, -FEATURE or phys-bits=N with commas: full,-smep,-la57.
        switch: SWITCH=VALUE, a switch of the guest kernel; may be given several times.
        memory: RAM in MiB.
        instructions: The budget: the run ends after so many.
        seed: Where everything random starts.
        disk: A disk image for the guest, read and never written; or blank:8M, an empty disk (K, M).
        net_in: [CARD=]FILE, a capture (pcap, pcapng) whose frames come in on the card, eth0 or eth1; one each.
        net_pace: pcap, frames come in at their captures' times; or closed, one when the guest has nothing to do.
        peer: tftp=DIR, a server of the files in DIR at the far end of eth1.
        file: A file for the guest, under its base name; may be given several times.
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
        cpu=cpu,
        settings=switch,
        memory=memory,
        seed=seed,
        kernel=kernel,
        disk=disk,
        net_in=net_in,
        net_pace=net_pace,
        peer=peer,
        files=file,
        keep_history=True,
    )
    stopped = run_to_place(booted, at, instructions)
    if stopped is not Exit.FINE:
        return stopped
    return _show(booted, wanted, process, json)


def _show(booted: "Booted", text: str, process_name: str | None, json: bool) -> int:
    from emu.view.walk import walk_view

    inspector = booted.inspector
    process = process_named(booted, process_name)
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
