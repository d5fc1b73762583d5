# SPDX-License-Identifier: GPL-2.0-or-later
"""Where two runs part: the first event that differs, with what was around it."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from emu.events import Event
from emu.trace.header import header_differences
from emu.trace.reader import read_trace
from emu.trace.show import Name, format_event


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of two traces.

    `index` counts events from 0 in both; `before` are the last they have in common; `a` and `b` begin with
    the event that differs and go on a little, empty where that trace has ended.
    """

    index: int
    before: tuple[Event, ...]
    a: tuple[Event, ...]
    b: tuple[Event, ...]

    def in_words(self) -> str:
        """One sentence."""
        if not self.a or not self.b:
            ended, other = ("first", self.b) if not self.a else ("second", self.a)
            return f"the {ended} trace ends after {self.index} events; the other goes on with {other[0].kind}"
        one, two = self.a[0], self.b[0]
        if one.kind != two.kind:
            return f"event {self.index} is {one.kind} in the first trace and {two.kind} in the second"
        return f"event {self.index} ({one.kind}) differs in {', '.join(differing_fields(one, two))}"

    def text(self, name: Name | None = None) -> str:
        """The sentence and the events around it: "=" common, "-" the first trace, "+" the second."""
        marked = [("=", e) for e in self.before] + [("-", e) for e in self.a] + [("+", e) for e in self.b]
        return "\n".join(
            [self.in_words(), *(f"{mark} {format_event(event, name)}" for mark, event in marked)]
        )


def differing_fields(a: Event, b: Event) -> list[str]:
    """The names of the fields in which two events of one kind differ."""
    return [field for field in a.__struct_fields__ if getattr(a, field) != getattr(b, field)]


def diff(a: Iterable[Event], b: Iterable[Event], context: int = 3) -> Difference | None:
    """The first difference of two lists of events, None if there is none. Keeps `context` events, no more."""
    before: deque[Event] = deque(maxlen=context)
    one, two = iter(a), iter(b)
    for index, (left, right) in enumerate(zip_longest(one, two)):
        if left != right:
            return Difference(index, tuple(before), _some(left, one, context), _some(right, two, context))
        before.append(left)
    return None


def _some(first: Event | None, rest: Iterator[Event], context: int) -> tuple[Event, ...]:
    return () if first is None else (first, *islice(rest, context))


def diff_files(a: Path, b: Path, context: int = 3) -> tuple[list[str], Difference | None]:
    """How the headers of two traces differ (never the result), and where their events first do.

    TraceError if one of them cannot be read.
    """
    one, first = read_trace(a)
    other, second = read_trace(b)
    return header_differences(one, other), diff(first, second, context)
