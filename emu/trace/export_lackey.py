# SPDX-License-Identifier: GPL-2.0-or-later
"""A trace of ours in the lines of valgrind's lackey, for the simulators that read those."""

from collections.abc import Iterable, Iterator
from typing import Final

from emu.bits import OFFSET_MASK
from emu.events import Accessed, Event

_LETTERS: Final = {"fetch": "I ", "read": " L", "write": " S"}
_USER: Final = 3


def lackey_lines(events: Iterable[Event]) -> Iterator[str]:
    """One line for each access that user-mode code made; what it made across a page is one access again.

    Lackey knows one program in user space: accesses of the kernel, and those that the CPU made on its own behalf
    (descriptor tables, event delivery), are left out. A load and a store by one instruction stay two lines.
    """
    last: Accessed | None = None
    size = 0
    for event in events:
        if not isinstance(event, Accessed) or event.cpl != _USER or event.implicit:
            continue
        if last is not None and _goes_on(last, size, event):
            size += event.size
            continue
        if last is not None:
            yield _line(last, size)
        last, size = event, event.size
    if last is not None:
        yield _line(last, size)


def _goes_on(first: Accessed, size: int, event: Accessed) -> bool:
    """Whether `event` is the part behind the page's end of the access that `first` began with `size` bytes."""
    return (
        event.linear & OFFSET_MASK == 0
        and event.linear == first.linear + size
        and (event.insn, event.type) == (first.insn, first.type)
    )


def _line(event: Accessed, size: int) -> str:
    return f"{_LETTERS[event.type]} {event.linear:08x},{size}\n"
