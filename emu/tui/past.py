# SPDX-License-Identifier: GPL-2.0-or-later
"""The second machine: brought to any moment that the head has been at, and looked at there.

The head is never moved by the screen. This machine boots the same request, gets the same inputs, and replays.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from emu.bits import LinearAddress
from emu.events import Event, Faulted, Interrupted, Marked, Returned
from emu.guest.switches import NUMBER, read_switches
from emu.lesson.boot import Booted, boot
from emu.lesson.parting import Fork
from emu.tui.teacher import Head
from emu.view.scene import Scene
from emu.view.snapshot import Moment, Snapshot, snapshot
from emu.view.timeline import is_landmark
from emu.view.walk import WalkView, walk_view

_SEQ = attrgetter("seq")
PAGE_CAME: Final = {"demand_zero", "file_page", "copy_on_write", "swap_in"}
"""Tracepoints of a fault that is how a page comes, and no mistake."""


class Stop(NamedTuple):
    """A place to stand: so many instructions executed, and `seq` the number of the next event.

    A fault is delivered before its instruction is done: one number of instructions, two stops.
    """

    insn: int
    seq: int


def _is_answered(fault: Faulted, event: Event) -> bool:
    """Whether the guest lets the instruction try again: a page has come, or it returns there with its rights mended."""
    if isinstance(event, Returned):
        return event.to_rip == fault.rip
    return isinstance(event, Marked) and event.name in PAGE_CAME


def _refusal(events: Sequence[Event]) -> Faulted | None:
    """The first fault that the guest did not answer before the next one, or before the end."""
    open_fault: Faulted | None = None
    for event in events:
        if isinstance(event, Faulted):
            if open_fault is not None:
                break
            open_fault = event
        elif open_fault is not None and _is_answered(open_fault, event):
            open_fault = None
    return open_fault


def story(head: Head, since: int) -> tuple[Stop, str]:
    """Where to stand after a lesson step that began before event `since`, and that place in words.

    Now, as a rule. But where the step has a fault that brought no page, at the first one; and not at the end of a
    guest that has ended, where nothing is left to see, but where a program did its last.
    """
    events = head.events[bisect_left(head.events, since, key=_SEQ) :]
    fault = _refusal(events)
    if fault is not None:
        return Stop(fault.insn - 1, fault.seq + 1), "at the fault"
    leaving = next((e.seq for e in events if isinstance(e, Marked) and e.name == "process_exit"), head.seq)
    program = (e for e in reversed(events) if e.cpl == 3 and e.seq < leaving and is_landmark(e))
    last = next(program, None) if head.ended else None
    if last is not None:
        return Stop(last.insn - 1, last.seq + 1), "where the program did its last"
    return Stop(head.insn, head.seq), ""


class Past:
    """One boot of the lesson, seen at a cursor between reset and the head."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.booted: Booted = boot(head.request)
        """The second machine, with its names."""
        self.machine = self.booted.machine
        self._step: list[Event] = []

    def follow(self, head: Head) -> bool:
        """The head has moved on: True if this past is still its past."""
        old = self.head
        known = (old.request, old.boot) == (head.request, head.boot) and head.insn >= old.insn
        if not known or head.inputs[: len(old.inputs)] != old.inputs:
            return False
        self.head = head
        self.machine.inputs[:] = head.inputs
        return True

    # -- where ----------------------------------------------------------------------------------------------------

    @property
    def insn(self) -> int:
        """Instructions executed at the cursor."""
        return self.at.insn

    @property
    def rewound(self) -> bool:
        """Whether the cursor is behind the head."""
        return self.at < self.end

    def go(self, insn: int, seq: int = 0) -> None:
        """Put the cursor at the first stop that is not before (`insn`, event `seq`), within what the head has done."""
        insn, seq = max((0, 0), min((insn, seq), self.end))
        self.seek(insn - 1)
        self._step = []
        while self.at < (insn, seq) and (events := self._one_step()):
            self._step = events

    def seek(self, insn: int) -> None:
        """Bring the machine, and not the cursor, to where `insn` instructions were executed; `go` must follow."""
        self.machine.inputs[:] = self.head.inputs
        self.machine.seek(max(0, insn))

    @property
    def at(self) -> Stop:
        """The stop at which the machine is."""
        journal = self.machine.journal
        return Stop(journal.insn, journal.seq)

    def _one_step(self) -> list[Event]:
        """One instruction, or the delivery of an exception or interrupt before it is done: a stop of its own.

        Not beyond the head, which may stand in the middle: a device has acted, its interrupt is not delivered yet.
        """
        last = self.head.seq - 1
        return self.watch(1, lambda event: isinstance(event, Faulted | Interrupted) or event.seq == last)

    def watch(self, count: int, wants: Callable[[Event], bool] | None = None) -> list[Event]:
        """Run on for `count` instructions; every event of the way, plain level-1 hits included."""
        machine = self.machine
        events: list[Event] = []
        observe = events.append
        machine.mmu.report_all = True
        machine.mmu.tlb.slow_down()
        machine.journal.observers.append(observe)
        try:
            machine.run_until(count, wants=wants)
        finally:
            machine.journal.observers.remove(observe)
            machine.mmu.report_all = False
            machine.mmu.tlb.slow_down()
        return events

    # -- what is there --------------------------------------------------------------------------------------------

    def seen(self) -> Sequence[Event]:
        """The stored events before the cursor; what lies ahead stays hidden."""
        events = self.head.events
        return events[: bisect_left(events, self.machine.journal.seq, key=_SEQ)]

    def look(self, before: Snapshot | None) -> Snapshot:
        """The moment at the cursor; changes are marked against `before`."""
        return snapshot(self.booted.inspector, Moment(self._step, self.seen()), before)

    def scene(self, event: Event | None = None) -> Scene:
        """What sentences draw on: around the last instruction, or around an earlier event."""
        name = self.booted.inspector.name
        if event is None:
            return Scene(name, self._step, self.machine.mmu, now=True)
        events = self.head.events
        first = bisect_left(events, event.insn, key=attrgetter("insn"))
        last = bisect_right(events, event.insn, key=attrgetter("insn"))
        return Scene(name, events[first:last], self.machine.mmu)

    def fork(self) -> Fork:
        """What it takes for another machine to be at the cursor."""
        here = self.at
        inputs = tuple(entry for entry in self.head.inputs if entry.insn <= here.insn)
        return Fork(self.head.request, inputs, here.insn, here.seq)

    def switch_values(self) -> list[str]:
        """SWITCH=VALUE for every switch of the kernel and every value it names."""
        if self.head.request.kernel is not None:
            return []
        known = read_switches(self.booted.kernel).switches.values()
        return [f"{switch.name}={value}" for switch in known for value in switch.values if value != NUMBER]

    def says(self, linear: int) -> str:
        """What memory says about a linear address at the cursor, in a few words."""
        return walk_view(self.booted.inspector, LinearAddress(linear)).result

    def walk(self, text: str) -> WalkView:
        """The walk of the address that `text` names, at the cursor. ExpressionError with the near names."""
        inspector = self.booted.inspector
        return walk_view(inspector, inspector.address(text))

    # -- moves ----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One stop forward."""
        self.go(self.at.insn, self.at.seq + 1)

    def step_back(self) -> None:
        """One stop back."""
        here = self.at
        self.seek(here.insn - 1)
        before = self.at
        while self.at < here:
            before = self.at
            if not self._one_step():
                break
        self.go(*before)

    @property
    def step_events(self) -> Sequence[Event]:
        """The events of the last instruction, plain level-1 hits included."""
        return self._step

    def ahead(self) -> Sequence[Event]:
        """The stored events from the cursor to the head."""
        events = self.head.events
        return events[bisect_left(events, self.machine.journal.seq, key=_SEQ) :]

    @property
    def before_step_seq(self) -> int:
        """The number of the last instruction's first event."""
        return self._step[0].seq if self._step else self.at.seq

    def before_step(self) -> Sequence[Event]:
        """The stored events before the last instruction."""
        events = self.head.events
        return events[: bisect_left(events, self.before_step_seq, key=_SEQ)]

    def event(self, seq: int) -> Event | None:
        """The stored event of that number."""
        events = self.head.events
        at = bisect_left(events, seq, key=_SEQ)
        return events[at] if at < len(events) and events[at].seq == seq else None

    def go_to(self, event: Event) -> None:
        """To where `event` has just happened."""
        self.go(event.insn - 1, event.seq + 1)

    def next_event(self, wants: Callable[[Event], bool] = is_landmark) -> bool:
        """To where the next thing that `wants` accepts has happened; to now, and False, if there is none."""
        found = next((event for event in self.ahead() if wants(event)), None)
        self.to_head() if found is None else self.go_to(found)
        return found is not None

    def previous_event(self, wants: Callable[[Event], bool] = is_landmark) -> bool:
        """To where the thing before has happened; to the beginning, and False, if there is none."""
        found = next((event for event in reversed(self.before_step()) if wants(event)), None)
        self.go(0) if found is None else self.go_to(found)
        return found is not None

    @property
    def end(self) -> Stop:
        """Now: where the head is."""
        return Stop(self.head.insn, self.head.seq)

    def to_head(self) -> None:
        """To now."""
        self.go(*self.end)
