# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps by source lines against a plain list of every instruction that was executed."""

from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from random import Random

import pytest

from emu.events import Accessed, Event, Faulted, Interrupted
from emu.guest.symbols import SourceLine
from emu.lesson.boot import boot, request_of
from emu.tui.lines import NEAR, next_line, previous_line
from emu.tui.past import Past, Stop
from emu.tui.teacher import Head

PLACES = 40
LOOP = ("strings", 14, 290_000)
"""A program, a line of it that a repeated string instruction spends thousands of iterations on, and how far to run."""


@dataclass(frozen=True)
class Executed:
    """One instruction that was executed, or was next when a fault or an interrupt came first; and its address space."""

    rip: int
    ring: int
    root: int


def past_of(program: str, limit: int) -> Past:
    """A program run to its end or for `limit` instructions, and a second machine at its beginning."""
    booted = boot(request_of(program))
    events: list[Event] = []
    booted.machine.journal.observers.append(events.append)
    booted.machine.run(limit)
    journal = booted.machine.journal
    return Past(Head(0, booted.request, (), journal.insn, journal.seq, True, events))


@cache
def executed(program: str, limit: int = 3_000_000) -> tuple[Past, list[Executed]]:
    """Every instruction of the run, in order."""
    past = past_of(program, limit)
    mmu = past.machine.mmu
    found: dict[int, Executed] = {}

    def note(event: Event) -> bool:
        root = mmu.controls.root if mmu.controls is not None else 0
        if isinstance(event, Interrupted):
            found.setdefault(event.insn, Executed(event.rip, event.cpl, root))
        elif isinstance(event, Faulted) or (isinstance(event, Accessed) and event.type == "fetch"):
            found.setdefault(event.insn - 1, Executed(event.rip, event.cpl, root))
        return False

    past.seek(0)
    past.watch(past.head.insn, note)
    assert list(found) == list(range(past.head.insn))
    return past, list(found.values())


class Plain:
    """What the keys promise, looked up in the list."""

    def __init__(self, past: Past, run: list[Executed]) -> None:
        self.run, self.here = run, past.insn
        inspector = past.booted.inspector
        process = inspector.process()
        self._name = process.name if process is not None else None
        self._symbols = inspector.symbols
        self.now = run[self.here]

    def line(self, at: int) -> SourceLine | None:
        """The line of instruction `at`, if it is of the same ring and process."""
        one = self.run[at]
        if one.ring != self.now.ring or (one.ring and one.root != self.now.root):
            return None
        return self._symbols.line_at(one.rip, self._name)  # pyright: ignore[reportArgumentType]

    def next(self) -> int | None:
        """The first instruction after here of another line."""
        line = self.line(self.here)
        lines = ((at, self.line(at)) for at in range(self.here + 1, len(self.run)))
        return next((at for at, other in lines if other not in (None, line)), None)

    def previous(self) -> int | None:
        """Where the line that ran last had begun."""
        start, line = None, None
        for at in range(self.here - 1, -1, -1):
            other = self.line(at)
            if other is None:
                continue
            if line is not None and other != line:
                return start
            start, line = at, other
        return start


def insn_of(stop: Stop | None) -> int | None:
    return stop.insn if stop is not None else None


def switches(run: list[Executed]) -> list[int]:
    """Where a program was left for another one, and where it came back: instructions of ring 3."""
    mine = [at for at, one in enumerate(run) if one.ring == 3]
    return [at for pair in pairwise(mine) if run[pair[0]].root != run[pair[1]].root for at in pair]


@pytest.mark.parametrize("program", ["overrun", "shared"])
def test_the_next_line_and_the_one_before_are_those_of_a_plain_list(program: str) -> None:
    past, run = executed(program)
    chance = Random(program)
    places = [chance.randrange(len(run) // 3, len(run)) for _ in range(PLACES)] + switches(run)
    assert {run[at].ring for at in places} == {0, 3}
    for place in places:
        past.go(place)
        plain = Plain(past, run)
        assert insn_of(next_line(past, lambda insn: None)) == plain.next(), place
        past.go(place)
        assert insn_of(previous_line(past, lambda insn: None)) == plain.previous(), place


def loop_of(run: list[Executed], past: Past) -> tuple[int, int]:
    """The longest stretch of the looping line: its first instruction, and the program's first one behind it."""
    program, number, _ = LOOP
    code = past.booted.inspector.symbols.programs[program].code_by_line
    looping = next(
        where for line, where in code.items() if line.file.endswith(f"/{program}.c") and line.line == number
    )
    mine = [at for at, one in enumerate(run) if one.ring == 3]
    stretches = [(inside, list(group)) for inside, group in groupby(mine, lambda at: run[at].rip in looping)]
    at = max((at for at, (inside, _) in enumerate(stretches) if inside), key=lambda at: len(stretches[at][1]))
    longest, after = stretches[at][1], stretches[at + 1][1]
    assert len(longest) > 4 * NEAR[-1]
    return longest[0], after[0]


def test_a_line_that_loops_long_is_left_at_its_end_and_entered_at_its_beginning() -> None:
    past, run = executed(LOOP[0], LOOP[2])
    first, behind = loop_of(run, past)
    for place in (first + NEAR[-1] + 100, behind - NEAR[-1] - 100):
        past.go(place)
        assert insn_of(next_line(past, lambda insn: None)) == behind
        past.go(place)
        assert insn_of(previous_line(past, lambda insn: None)) == first


def test_a_far_search_can_be_stopped() -> None:
    past, run = executed(LOOP[0], LOOP[2])
    first, behind = loop_of(run, past)

    class EnoughError(Exception):
        pass

    def stop(insn: int) -> None:
        raise EnoughError

    for search in (next_line, previous_line):
        past.go((first + behind) // 2)
        with pytest.raises(EnoughError):
            search(past, stop)


def test_a_process_has_no_line_before_its_first() -> None:
    past, run = executed("overrun")
    past.go(next(at for at, one in enumerate(run) if one.ring == 3))
    assert previous_line(past, lambda insn: None) is None
