# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk run`: boot the guest, run a program, say how it ended."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from emu.cli import guest_run, network
from emu.cli.errors import Exit, UsageError
from emu.cli.output import GuestText, json_out, note, out

if TYPE_CHECKING:
    from emu.lesson.boot import Booted
    from emu.trace.recorder import Recorder


def run(
    program: str | None = None,
    /,
    *argument: str,
    tlb: str = guest_run.GEOMETRY,
    cpu: str = guest_run.CPU,
    switch: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    memory: int = guest_run.MEMORY_MIB,
    instructions: int = guest_run.BUDGET,
    seed: int = 0,
    disk: str | None = None,
    net_in: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    net_out: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    net_pace: str = guest_run.NET_PACE,
    peer: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    file: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    trace: Path | None = None,
    kinds: str | None = None,
    status: bool = False,
    json: bool = False,
    kernel: Path | None = None,
) -> int:
    """Boot the guest kernel and run PROGRAM in it.

    The guest's console is printed on stdout, a summary on stderr. An argument that begins with a hyphen stands
    behind `--`.

    Example: pagewalk run overrun 16 --set ukshm.guard=off --trace overrun.jsonl

    Args:
        program: A bundled program's name, or a path: a static ELF64 for the guest, or a .c or .S file.
        argument: What the program is given.
        tlb: A TLB geometry: a name (see `pagewalk geometries`) or a TOML file.
        cpu: A CPU model: full, 486, pentium, pentium3, core2, nehalem, haswell, skylake, skylake-server or
            icelake-server; behind it +FEATURE, -FEATURE or phys-bits=N with commas: full,-smep,-la57.
        switch: SWITCH=VALUE, a switch of the guest kernel; may be given several times.
        memory: RAM in MiB.
        instructions: The budget: the run ends after so many.
        seed: Where everything random starts.
        disk: A disk image for the guest, read and never written; or blank:8M, an empty disk (K, M).
        net_in: [CARD=]FILE, a capture (pcap, pcapng) whose frames come in on the card, eth0 or eth1; one each.
        net_out: [CARD=]FILE, a pcap file to write what the card sends.
        net_pace: pcap, frames come in at their captures' times; or closed, one when the guest has nothing to do.
        peer: tftp=DIR, a server of the files in DIR at the far end of eth1.
        file: A file for the guest, under its base name; may be given several times.
        trace: Write the events to this file, from the first user instruction on.
        kinds: Which events the trace holds: kinds with commas between them, or all (plain hits too).
        status: End with the program's own status, 128 + vector if an exception killed it.
        json: Print one JSON object on stdout, with the console inside it.
        kernel: A PVH kernel of your own instead of ours; PROGRAM is then optional.
    """
    guest_run.check_instructions(instructions)
    if kinds is not None and trace is None:
        raise UsageError("--kinds chooses what a trace holds; give --trace FILE too")
    wanted = _kinds(kinds) if trace else None
    sources = network.input_captures(net_in)
    captures = network.outputs(net_out, [*sources, *file, kernel, disk, trace, program])
    booted = guest_run.boot_guest(
        program,
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
        cards=bool(captures),
    )
    outcome, text = guest_run.Outcome(), GuestText()
    journal = booted.machine.journal
    outcome.attend(journal)
    costs = network.packet_costs(booted)
    recorder = _recorder(booted, trace, wanted) if trace else None
    try:
        with network.captured(booted, captures) as written, recorder or nullcontext():
            if recorder is not None:
                journal.observers.append(recorder)

            def console(data: bytes) -> None:
                if not json:
                    out(text(data), end="")

            ended = guest_run.run_to_end(booted, instructions, console)
    except KeyboardInterrupt:
        note(f"interrupted after {journal.insn:,} instructions")
        raise
    if not json:
        out(text(b"", last=True), end="")
    else:
        json_out(_report(booted, ended, outcome) | ({"network": costs.report()} if costs else {}))
    _summary(booted, ended, outcome, instructions)
    if trace:
        note(f"trace: {trace}")
    network.summary(costs, written)
    return outcome.status if status and ended is Exit.FINE and outcome.status is not None else ended


def _kinds(text: str | None) -> Any:
    from emu.trace.recorder import ALL_KINDS, parse_kinds

    return (ALL_KINDS, False) if text is None else parse_kinds(text)


def _recorder(booted: "Booted", path: Path, wanted: Any) -> "Recorder":
    from emu.cli.version import versions
    from emu.trace.header import TraceHeader
    from emu.trace.recorder import Recorder

    kinds, plain_hits = wanted
    request = booted.request
    files = {"kernel": str(request.kernel)} if request.kernel else {}
    if request.disk is not None:
        files["disk"] = request.disk.name
    if request.network is not None:
        files |= dict(request.network.captures)
    files |= {f"file {file.name}": file.name for file in request.files}
    header = TraceHeader(
        image_sha256=booted.kernel.sha256,
        command_line=booted.command_line,
        geometry=booted.machine.geometry.name,
        cpu=request.cpu,
        seed=request.seed,
        versions=versions(),
        files=files,
    )
    booted.machine.mmu.report_all = plain_hits
    return Recorder(header, path, kinds=kinds, plain_hits=plain_hits)


def counters(booted: "Booted") -> dict[str, int]:
    """Every counter by its PMU name."""
    machine = booted.machine
    return machine.mmu.counters.report(machine.journal.insn, machine.geometry.cost)


def _report(booted: "Booted", ended: Exit, outcome: guest_run.Outcome) -> dict[str, Any]:
    return {
        "program": booted.program.name if booted.program else None,
        "exit": int(ended),
        "status": outcome.status,
        "console": booted.machine.console.decode("utf-8", "backslashreplace"),
        "geometry": booted.machine.geometry.name,
        "image_sha256": booted.kernel.sha256,
        "counters": counters(booted),
    }


def _summary(booted: "Booted", ended: Exit, outcome: guest_run.Outcome, instructions: int) -> None:
    note(guest_run.how_it_ended(booted, outcome, instructions))
    if ended is Exit.GUEST_DIED:
        note("the last events:")
        for line in guest_run.last_events(booted):
            note(f"  {line}")
    count = counters(booted)
    units = {"fetches": ("fetch", "ITLB"), "reads": ("read", "DTLB_LOAD"), "writes": ("write", "DTLB_STORE")}
    parts = (
        f"{count[f'accesses.{kind}']:,} {name} ({count[f'{unit}_MISSES.STLB_HIT']:,} hits in level 2, "
        f"{count[f'{unit}_MISSES.MISS_CAUSES_A_WALK']:,} walks)"
        for name, (kind, unit) in units.items()
    )
    note(f"{booted.machine.geometry.name}: {', '.join(parts)}")
    faults, invalidations, cycles = (count[name] for name in ("page_faults", "invalidations", "cycles.model"))
    note(f"page faults {faults:,}, invalidations {invalidations:,}, model cycles {cycles:,}")
