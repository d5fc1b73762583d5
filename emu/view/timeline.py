# SPDX-License-Identifier: GPL-2.0-or-later
"""The past in one line: a glyph for each thing that happened, the newest at the right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emu.events import (
    Accessed,
    ConsoleWritten,
    DmaDone,
    EntryRead,
    EntryWritten,
    Event,
    Faulted,
    InputApplied,
    Interrupted,
    Invalidated,
    Marked,
    PortAccessed,
    Returned,
    SyscallEntered,
    TlbEvicted,
    TlbFilled,
)
from emu.view.spans import Line, Span, line

LEGEND: Final = (
    ("○", "TLB miss, a walk"),
    ("◐", "level-2 hit"),
    ("≠", "stale hit"),
    ("w", "A or D set"),
    ("+", "TLB fill"),
    ("−", "eviction"),
    ("✗", "fault"),
    ("!", "invalidation"),
    ("i", "interrupt"),
    ("s", "system call"),
    ("‹", "return"),
    ("m", "mark of the kernel"),
    ("»", "a line printed"),
    ("d", "a device read or wrote memory"),
)


@dataclass(frozen=True, slots=True)
class TimeCell:
    """One thing that happened at instruction `insn`, event `seq`."""

    glyph: str
    insn: int
    role: str
    seq: int = 0

    @property
    def span(self) -> Span:
        """The glyph; a click goes there."""
        return Span(self.glyph, self.role, link=f"event:{self.seq}")


def time_cells(events: Sequence[Event], most: int = 240) -> tuple[TimeCell, ...]:
    """The newest `most` things; device traffic and the parts of a walk are left out."""
    cells: list[TimeCell] = []
    for event in reversed(events):
        glyph = glyph_of(event)
        if glyph:
            cells.append(TimeCell(glyph, event.insn, _ROLES.get(glyph, ""), event.seq))
            if len(cells) >= most:
                break
    return tuple(reversed(cells))


_ROLES: Final = {
    "✗": "bad",
    "○": "miss",
    "+": "fill",
    "−": "evict",
    "≠": "stale",
    "◐": "hit",
    "●": "hit",
    "»": "name",
}


def glyph_of(event: Event) -> str:
    """The event's glyph; "" for what a timeline leaves out."""
    match event:
        case Accessed():
            return "≠" if event.stale else {"miss": "○", "l2_hit": "◐"}.get(event.tlb, "")
        case Faulted():
            return "✗"
        case TlbFilled():
            return "+" if event.array.startswith("L1") else ""
        case TlbEvicted():
            return "−"
        case EntryWritten():
            return "w"
        case EntryRead() | PortAccessed():
            return ""
        case _:
            return _rare(event)


def _rare(event: Event) -> str:
    match event:
        case Invalidated():
            return "!" if event.dropped else ""
        case Interrupted():
            return "i"
        case Returned():
            return "‹"
        case SyscallEntered():
            return "s" if event.result is None else ""
        case Marked():
            return "m"
        case ConsoleWritten():
            return "»"
        case DmaDone():
            return "d"
        case InputApplied():
            return "I"
        case _:
            return "?"


def timeline_lines(cells: Sequence[TimeCell], width: int, height: int, rewound: bool) -> list[Line]:
    """The newest cells in `height` rows, "now" behind them; with room to spare, the legend below."""
    end = Span(" ▌now, more lies ahead" if rewound else " ▌now", "dim")
    room = width - len(end.text)
    tail = cells[-room:]
    rows = [line(*(cell.span for cell in tail), end)]
    if height >= len(LEGEND) + 2:
        older = list(cells[:-room])
        while older and len(rows) < height - len(LEGEND) - 1:
            rows.insert(0, line(*(cell.span for cell in older[-room:])))
            del older[-room:]
        rows += [
            line(""),
            *(line(Span(f"  {glyph} ", _ROLES.get(glyph, "")), text) for glyph, text in LEGEND),
        ]
    return rows


def is_landmark(event: Event) -> bool:
    """Whether "next event" stops at it: everything a timeline shows but the fills that belong to a miss."""
    return glyph_of(event) not in ("", "+", "w")
