# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk check`: run to a place, then check every page table and the TLB."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from emu.cli import guest_run
from emu.cli.errors import Exit
from emu.cli.output import json_out, out
from emu.cli.places import process_named, run_to_place

if TYPE_CHECKING:
    from emu.lesson.boot import Booted


def check(
    program: str | None = None,
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
    disk: str | None = None,
    json: bool = False,
    kernel: Path | None = None,
) -> int:
    """Run PROGRAM to a place, then check the page tables of every address space and what the TLBs hold.

    Without --at the place is the last instruction of PROGRAM's process, before it is torn down. The exit code is 1 if
    there is a finding that is an error.

    Example: pagewalk check overrun --set ukshm.map=kernel_range --at fill_window

    Args:
        program: A bundled program's name, or a path; may be left out with --kernel.
        at: Stop where this is next: a symbol, file:line, or a number.
        process: Check the address space of this process alone: its name or number.
        argument: What the program is given; may be given several times.
        tlb: A TLB geometry: a name or a TOML file.
        switch: SWITCH=VALUE, a switch of the guest kernel; may be given several times.
        memory: RAM in MiB.
        instructions: The budget: the run ends after so many.
        seed: Where everything random starts.
        disk: A disk image for the guest, read and never written; or blank:8M, an empty disk (K, M).
        json: Print one JSON object on stdout.
        kernel: A PVH kernel of your own instead of ours.
    """
    guest_run.check_instructions(instructions)
    booted = guest_run.boot_guest(
        program,
        argument,
        tlb=tlb,
        settings=switch,
        memory=memory,
        seed=seed,
        kernel=kernel,
        disk=disk,
        keep_history=True,
    )
    stopped = run_to_place(booted, at, instructions)
    return _show(booted, process, json) if stopped is Exit.FINE else stopped


def _show(booted: "Booted", process_name: str | None, json: bool) -> int:
    from emu.view.check import check_view

    inspector = booted.inspector
    view = check_view(inspector, process_named(booted, process_name))
    here, insn = inspector.name(inspector.rip()), booted.machine.journal.insn
    if json:
        program = booted.program.name if booted.program else None
        json_out({"program": program, "at": here, "instructions": insn, **view.as_json()})
    else:
        out(f"at {here}, after {insn:,} instructions, in {inspector.process() or 'no process'}")
        out(str(view))
    return Exit.CHECK_FAILED if view.errors else Exit.FINE
