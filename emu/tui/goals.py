# SPDX-License-Identifier: GPL-2.0-or-later
"""What one can run until: the kinds of events by a letter, a place in the code, an address that is touched."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emu.events import Accessed, Event, Faulted, Invalidated, Marked, SyscallEntered, UpcallMade


def _is_miss(event: Event) -> bool:
    return isinstance(event, Accessed) and event.tlb == "miss"


def _is_call(event: Event) -> bool:
    return isinstance(event, SyscallEntered) and event.result is None


@dataclass(frozen=True, slots=True)
class EventGoal:
    """Until an event of a kind has happened. `key` chooses it, `name` says it."""

    key: str
    name: str
    wants: Callable[[Event], bool]


EVENT_GOALS: Final = (
    EventGoal("m", "TLB miss", _is_miss),
    EventGoal("f", "fault", lambda event: isinstance(event, Faulted)),
    EventGoal("i", "invalidation", lambda event: isinstance(event, Invalidated)),
    EventGoal("s", "system call", _is_call),
    EventGoal("u", "upcall", lambda event: isinstance(event, UpcallMade)),
    EventGoal("k", "mark of the kernel", lambda event: isinstance(event, Marked)),
)


@dataclass(frozen=True, slots=True)
class PlaceGoal:
    """Until the instruction at a place is next: a symbol, file:line, or a number."""

    text: str

    @property
    def name(self) -> str:
        """In words."""
        return f"call of {self.text}" if self.text.isidentifier() else self.text


@dataclass(frozen=True, slots=True)
class TouchGoal:
    """Until the byte at an address is read, written or fetched: a number, symbol+n or *expression."""

    text: str

    @property
    def name(self) -> str:
        """In words."""
        return f"access to {self.text}"


Goal = EventGoal | PlaceGoal | TouchGoal
