# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario can run until: a call, a return, a place, an event, an instruction."""

from collections.abc import Callable
from dataclasses import dataclass

from emu.events import Event, Kind


@dataclass(frozen=True, slots=True)
class Call:
    """The first instruction of the function `symbol` is next."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Return:
    """The function `symbol`, once entered, has returned to its caller."""

    symbol: str


@dataclass(frozen=True, slots=True)
class At:
    """An instruction is next: a symbol, "file:line", or a number."""

    place: str | int


@dataclass(frozen=True, slots=True)
class Instruction:
    """`number` instructions have been executed since reset."""

    number: int


@dataclass(frozen=True)
class Happened:
    """An event of a kind whose fields have the given values has just happened. Made by `happened`."""

    kind: Kind
    fields: tuple[tuple[str, object], ...] = ()

    def __call__(self, event: Event) -> bool:
        """Whether `event` is one."""
        return event.kind is self.kind and all(
            getattr(event, name, None) == value for name, value in self.fields
        )


def happened(kind: Kind, **fields: object) -> Happened:
    """A condition on an event: its kind, and any of its fields."""
    return Happened(kind, tuple(fields.items()))


EventTest = Callable[[Event], bool]
Condition = Call | Return | At | Instruction | Kind | Happened | EventTest
