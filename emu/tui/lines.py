# SPDX-License-Identifier: GPL-2.0-or-later
"""Source lines: where the run comes to another line than the one before, in the same ring and the same process.

What is near is seen by its fetches, one by one. What is far, because one line loops long or the kernel is at work in
between, is met by watching the addresses of other lines only, so that the rest runs at full speed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from emu.events import Accessed, Event, Faulted, Interrupted
from emu.guest.symbols import SourceLine
from emu.machine import Stop as MachineStop
from emu.tui.past import Past, Stop

NEAR: Final = (256, 2_048)
"""Instructions that are looked at one by one; if there is no other line among them, so many."""
_LONGEST: Final = 16_000
"""Instructions between two looks at whether somebody wants to stop."""

Watch = Callable[[int], None]
"""Called with the instruction at which a search is; may raise Stopped."""


class _At(NamedTuple):
    """The line of the instruction that is next at `stop`."""

    stop: Stop
    line: SourceLine


class _Trail:
    """One ring of one process (in ring 0, of all of them), and the lines that its code comes from."""

    def __init__(self, past: Past) -> None:
        machine, inspector = past.machine, past.booted.inspector
        self._past = past
        self._mmu = machine.mmu
        self.ring = machine.cpu.ring()
        self._root = self._loaded_root()
        process = inspector.process()
        self._program = process.name if process is not None else None
        self._symbols = inspector.symbols
        self._table = self._symbols.table_at(inspector.rip(), self._program)
        self._known: dict[int, SourceLine | None] = {}

    def _loaded_root(self) -> int | None:
        controls = self._mmu.controls
        return controls.root if controls is not None and self.ring else None

    def line(self, rip: int) -> SourceLine | None:
        """The line of the code at `rip`."""
        if rip not in self._known:
            self._known[rip] = self._symbols.line_at(rip, self._program)  # pyright: ignore[reportArgumentType]
        return self._known[rip]

    def is_here(self) -> bool:
        """Whether the process that runs is this one."""
        return self._loaded_root() == self._root

    def addresses(self, but: SourceLine | None = None) -> set[int]:
        """The addresses of every line, or of every line but one."""
        code = self._table.code_by_line if self._table is not None else {}
        return {address for line, stretch in code.items() if line != but for address in stretch}

    def addresses_of(self, line: SourceLine) -> set[int]:
        """The addresses of one line."""
        return set(self._table.code_by_line.get(line, ())) if self._table is not None else set()

    def near(self, since: int, until: int) -> list[_At]:
        """The instructions begun from `since` to `until`, and the one that is next there, if they have a line.

        Of two that were next at one moment, since a fault or an interrupt came between, the first counts.
        """
        past = self._past
        first: dict[int, tuple[int, bool]] = {}

        def note(event: Event) -> bool:
            if (insn := _begun(event)) is not None:
                first.setdefault(insn, (event.rip, event.cpl == self.ring and self.is_here()))
            return False

        past.seek(since)
        past.watch(until - since, note)
        cpu, rip = past.machine.cpu, past.booted.inspector.rip()
        first.setdefault(until, (rip, cpu.ring() == self.ring and self.is_here()))
        found = ((insn, self.line(rip)) for insn, (rip, ours) in first.items() if ours)
        return [_At(Stop(insn, 0), line) for insn, line in found if line is not None]

    def met(self, since: int, until: int, addresses: set[int], *, once: bool = False) -> list[_At]:
        """Each time from `since` to `until`, or the first, that an instruction at one of `addresses` was next."""
        journal, found = self._past.machine.journal, list[_At]()

        def note(rip: int) -> bool:
            line = self.line(rip)
            if line is not None and self.is_here():
                found.append(_At(Stop(journal.insn - 1, journal.seq), line))
            return once and bool(found)

        self._past.seek(since)
        self._past.machine.run_until(until - since, addresses, accepts=note)
        return found


def _begun(event: Event) -> int | None:
    """How many instructions had been executed when the one at the event's RIP was next; None if it tells nothing."""
    match event:
        case Accessed(type="fetch") | Faulted():
            return event.insn - 1
        case Interrupted():
            return event.insn
        case _:
            return None


def _last_start(lines: Sequence[_At]) -> Stop | None:
    """Where the line of the last one began; None if that was before the first, of which nobody knows."""
    found = [now.stop for before, now in pairwise(lines) if now.line != before.line]
    return found[-1] if found else None


def _stretches_back(until: int) -> Iterator[tuple[int, int]]:
    """Stretches [since, until) from `until` back to reset."""
    while until > 0:
        since = max(0, until - _LONGEST)
        yield since, until
        until = since


def next_line(past: Past, watch: Watch) -> Stop | None:
    """When the next line of this ring and process begins; None if not before now."""
    trail, here, machine = _Trail(past), past.insn, past.machine
    line = trail.line(past.booted.inspector.rip())
    for length in NEAR:
        for at in trail.near(here, min(here + length, past.head.insn)):
            if at.stop.insn > here and at.line != line:
                return at.stop
    others = trail.addresses(but=line)
    while machine.journal.insn < past.head.insn and machine.ended is None:
        watch(machine.journal.insn)
        count = min(_LONGEST, past.head.insn - machine.journal.insn)
        if machine.run_until(count, others, accepts=lambda _: trail.is_here()) is MachineStop.BREAK:
            return past.at
    return None


def previous_line(past: Past, watch: Watch) -> Stop | None:
    """When the line that ran last had begun; None if none of this ring and process has run."""
    trail, here = _Trail(past), past.insn
    ran: list[_At] = []
    for length in NEAR:
        ran = [at for at in trail.near(max(0, here - length), here) if at.stop.insn < here]
        if (start := _last_start(ran)) is not None:
            return start
    for begin, end in _stretches_back(here - NEAR[-1]):
        watch(begin)
        ran = _ran_before(trail, begin, end, ran)
        if (start := _last_start(ran)) is not None:
            return start
    return ran[0].stop if ran else None


def _ran_before(trail: _Trail, begin: int, end: int, ran: list[_At]) -> list[_At]:
    """What was met from `begin` to `end`, and `ran` behind it, which is of one line: of that line only its first."""
    if not ran:
        return trail.met(begin, end, trail.addresses())
    line = ran[-1].line
    others = trail.met(begin, end, trail.addresses(but=line))
    if not others:
        return trail.met(begin, end, trail.addresses_of(line), once=True) or ran[:1]
    return [others[-1], *trail.met(others[-1].stop.insn, end, trail.addresses_of(line), once=True), ran[0]]
