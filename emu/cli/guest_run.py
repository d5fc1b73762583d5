# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest, from the words of the command line to its end: the boot, the run, how it ended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emu.cli.errors import Exit, UsageError

if TYPE_CHECKING:
    from emu.events import Event, Journal
    from emu.lesson.boot import Booted

BUDGET: Final = 100_000_000
MEMORY_MIB: Final = 32
GEOMETRY: Final = "haswell"
CPU: Final = "full"
NET_PACE: Final = "pcap"
PROGRAM_PID: Final = 2
"""init is 1 and starts the program first of all."""
LAST_EVENTS: Final = 12
_SLICE: Final = 50_000
MOST_SEED: Final = (1 << 64) - 1


def switches_from(settings: Sequence[str]) -> dict[str, str]:
    """`--set NAME=VALUE`, several times, as a table. UsageError for what has no `=`."""
    switches: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {setting!r}: no SWITCH=VALUE; write for example --set ukshm.guard=off")
        switches[name] = value
    return switches


def boot_guest(
    program: str | None,
    arguments: Sequence[str],
    *,
    tlb: str = GEOMETRY,
    cpu: str = CPU,
    settings: Sequence[str] = (),
    memory: int = MEMORY_MIB,
    seed: int = 0,
    kernel: Path | None = None,
    disk: str | None = None,
    net_in: Sequence[str] = (),
    net_pace: str = NET_PACE,
    peer: Sequence[str] = (),
    files: Sequence[str] = (),
    cards: bool = False,
    keep_history: bool = False,
) -> "Booted":
    """A machine at reset, from the options that `run` and `walk` share. Bad input raises what says so."""
    from emu.lesson.boot import boot, bundled_programs, request_of

    if program is None and kernel is None:
        raise UsageError(f"no program given; name one of {', '.join(bundled_programs().programs)}, or a path")
    check_seed(seed)
    request = request_of(
        program,
        arguments,
        tlb=tlb,
        cpu=cpu,
        switches=switches_from(settings),
        memory_mib=memory,
        seed=seed,
        kernel=kernel,
        disk=disk,
        net_in=net_in,
        net_pace=net_pace,
        peer=peer,
        files=files,
        cards=cards,
    )
    return boot(request, keep_history)


@dataclass
class Outcome:
    """What the events of a run say about its end. Listens to the tracepoints of the machine's journal."""

    status: int | None = None
    """What the program exited with; 128 + vector if an exception killed it; None while it lives."""
    vector: int | None = None

    def attend(self, journal: "Journal") -> None:
        """Listen to `journal`, and have it keep the last events."""
        from emu.events import Marked

        journal.listen(Marked, self)
        journal.keep_last(LAST_EVENTS)

    def __call__(self, event: "Event") -> None:
        """Take note of one tracepoint."""
        from emu.events import Marked

        assert isinstance(event, Marked)
        arguments = {name: value for name, value in event.arguments.items() if isinstance(value, int)}
        if event.name == "process_exit" and arguments.get("pid") == PROGRAM_PID:
            vector = arguments.get("vector", -1)
            self.vector = vector if vector >= 0 else None
            self.status = 128 + vector if vector >= 0 else arguments.get("status", 0) & 0xFF
        elif event.name == "program_exit" and self.status is None:
            self.status = arguments.get("status", 0) & 0xFF


def run_to_end(booted: "Booted", instructions: int, console: Callable[[bytes], None]) -> Exit:
    """Run until the guest ends or the budget is spent; hand over what it prints as it comes."""
    machine, printed = booted.machine, 0
    while machine.ended is None and machine.journal.insn < instructions:
        machine.run(min(_SLICE, instructions - machine.journal.insn))
        if len(machine.console) > printed:
            console(bytes(machine.console[printed:]))
            printed = len(machine.console)
    return exit_of(booted)


def exit_of(booted: "Booted") -> Exit:
    """The exit code that the machine's end, or its going on, stands for."""
    from emu.machine import Ending

    ended = booted.machine.ended
    if ended is None:
        return Exit.BUDGET
    return Exit.FINE if ended.ending is Ending.EXITED else Exit.GUEST_DIED


def check_instructions(instructions: int) -> None:
    """UsageError unless the budget is one."""
    if instructions < 1:
        raise UsageError(f"--instructions {instructions}: give a number from 1")


def check_seed(seed: int) -> None:
    """UsageError unless the generator takes it."""
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"--seed {seed}: give a number from 0 to {MOST_SEED}")


def how_it_ended(booted: "Booted", outcome: Outcome, instructions: int) -> str:
    """One sentence."""
    machine = booted.machine
    name = booted.program.name if booted.program else "the kernel"
    if machine.ended is None:
        return f"{name}: the budget of {instructions:,} instructions ran out; give more with --instructions"
    end = f"{machine.ended.text}, after {machine.journal.insn:,} instructions"
    if outcome.status is None:
        return f"{name}: {end}"
    how = f"killed by exception {outcome.vector}" if outcome.vector is not None else "exited"
    return f"{name}: {how}, status {outcome.status}; {end}"


def last_events(booted: "Booted") -> list[str]:
    """The last events as lines, addresses by name."""
    from emu.trace.show import format_event

    inspector = booted.inspector
    return [format_event(event, inspector.name) for event in booted.machine.journal.last_events()]
