# SPDX-License-Identifier: GPL-2.0-or-later
"""The second machine: brought to any moment that the head has been at, and looked at there.

The head is never moved by the screen. This machine boots the same request, gets the same inputs, and replays.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from emu.events import Accessed, Event
from emu.lesson.boot import Booted, boot
from emu.tui.teacher import Head
from emu.view.snapshot import Moment, Snapshot, snapshot
from emu.view.timeline import is_landmark
from emu.view.walk import WalkView, walk_view

_FIRST_WINDOW = 64
_SEQ = attrgetter("seq")


@dataclass(frozen=True, slots=True)
class _Fetched:
    """The instruction that was next at `insn`."""

    insn: int
    rip: int
    ring: int


class Past:
    """One boot of the lesson, seen at a cursor between reset and the head."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._booted: Booted = boot(head.request)
        self._machine = self._booted.machine
        self.insn = 0
        self._step: list[Event] = []

    def follow(self, head: Head) -> bool:
        """The head has moved on: True if this past is still its past."""
        old = self.head
        known = (old.request, old.boot) == (head.request, head.boot) and head.insn >= old.insn
        if not known or head.inputs[: len(old.inputs)] != old.inputs:
            return False
        self.head = head
        self._machine.inputs[:] = head.inputs
        return True

    # -- where ----------------------------------------------------------------------------------------------------

    def go(self, insn: int) -> None:
        """Put the cursor after `insn` instructions, within what the head has done."""
        self.insn = max(0, min(insn, self.head.insn))
        self._machine.inputs[:] = self.head.inputs
        self._machine.seek(max(0, self.insn - 1))
        self._step = self._watch(self.insn) if self.insn else []

    def _watch(self, until: int) -> list[Event]:
        """Run on to `until`; every event of the way, plain level-1 hits included."""
        machine = self._machine
        events: list[Event] = []
        machine.mmu.report_all = True
        machine.mmu.tlb.slow_down()
        observe = events.append
        machine.journal.observers.append(observe)
        try:
            machine.run(until - machine.journal.insn)
        finally:
            machine.journal.observers.remove(observe)
            machine.mmu.report_all = False
            machine.mmu.tlb.slow_down()
        return events

    @property
    def rewound(self) -> bool:
        """Whether the cursor is behind the head."""
        return self.insn < self.head.insn

    # -- what is there --------------------------------------------------------------------------------------------

    def seen(self) -> Sequence[Event]:
        """The stored events before the cursor; what lies ahead stays hidden."""
        events = self.head.events
        return events[: bisect_left(events, self._machine.journal.seq, key=_SEQ)]

    def look(self, before: Snapshot | None) -> Snapshot:
        """The moment at the cursor; changes are marked against `before`."""
        return snapshot(self._booted.inspector, Moment(self._step, self.seen()), before)

    def walk(self, text: str) -> WalkView:
        """The walk of the address that `text` names, at the cursor. ExpressionError with the near names."""
        inspector = self._booted.inspector
        return walk_view(inspector, inspector.address(text))

    # -- moves: each gives the instruction to go to ---------------------------------------------------------------

    def next_event(self) -> int:
        """Where the next thing happened."""
        events = self.head.events
        for i in range(bisect_right(events, self.insn, key=_insn), len(events)):
            if is_landmark(events[i]):
                return events[i].insn
        return self.head.insn

    def previous_event(self) -> int:
        """Where the thing before happened."""
        events = self.head.events
        for i in range(bisect_left(events, self.insn, key=_insn) - 1, -1, -1):
            if is_landmark(events[i]):
                return events[i].insn
        return 0

    def next_line(self) -> int:
        """Where the next source line of the same ring begins."""
        span = _FIRST_WINDOW
        while True:
            until = min(self.insn + span, self.head.insn)
            starts = self._line_starts(self.insn, until)
            later = [insn for insn in starts if insn > self.insn]
            if later or until == self.head.insn:
                return later[0] if later else until
            span *= 4

    def previous_line(self) -> int:
        """Where the source line that runs began, or the one before."""
        span = _FIRST_WINDOW
        while True:
            since = max(0, self.insn - span)
            earlier = [insn for insn in self._line_starts(since, self.insn) if since < insn < self.insn]
            if earlier or since == 0:
                return earlier[-1] if earlier else 0
            span *= 4

    def _line_starts(self, since: int, until: int) -> list[int]:
        """The moments from `since` to `until` at which a line of the cursor's ring begins."""
        fetched = self._fetched(since, until)
        here = self._at_cursor(fetched)
        table = self._lines()
        starts: list[int] = []
        last: object = None
        for at in fetched:
            found = table(at.rip) if at.ring == here else None
            if found is None:
                continue
            if found != last:
                starts.append(at.insn)
            last = found
        return starts

    def _at_cursor(self, fetched: Sequence[_Fetched]) -> int:
        own = next((at for at in fetched if at.insn == self.insn), None)
        return own.ring if own is not None else self._machine.cpu.ring()

    def _fetched(self, since: int, until: int) -> list[_Fetched]:
        """The instructions executed from `since` to `until`, and the one that is next there."""
        machine = self._machine
        machine.seek(since)
        fetches = [e for e in self._watch(until) if isinstance(e, Accessed) and e.type == "fetch"]
        first: dict[int, _Fetched] = {}
        for e in fetches:
            first.setdefault(e.insn, _Fetched(e.insn - 1, e.rip, e.cpl))
        return [*first.values(), _Fetched(until, self._booted.inspector.rip(), machine.cpu.ring())]

    def _lines(self) -> Callable[[int], object]:
        process = self._booted.inspector.process()
        program = process.name if process else None
        symbols = self._booted.inspector.symbols
        known: dict[int, object] = {}

        def line(rip: int) -> object:
            if rip not in known:
                known[rip] = symbols.line_at(rip, program)  # pyright: ignore[reportArgumentType]
            return known[rip]

        return line


def _insn(event: Event) -> int:
    return event.insn
