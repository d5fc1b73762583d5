# SPDX-License-Identifier: GPL-2.0-or-later
"""Who did it: the last write of a paging-structure entry, and the fill of a TLB entry, before the cursor."""

from emu.bits import PAGE_SHIFT
from emu.events import Accessed, DmaDone, EntryWritten, Event, InputApplied, TlbFilled
from emu.tui.past import Past, Stop
from emu.tui.search import Watch, behind, previous_match, writes
from emu.view.tlb import STRUCTURES, ArrayGrid
from emu.view.walk import WalkRow


def last_write(past: Past, row: WalkRow, entry_bytes: int, watch: Watch) -> tuple[Stop | None, str]:
    """Where the entry of `row` was last written, and by whom. At the very instruction that did, the time before."""
    wants = writes(row.address, entry_bytes)
    what = f"{row.level}[{row.index:03x}]"
    found = previous_match(past, wants, watch, row.address >> PAGE_SHIFT)
    this = any(map(wants, past.step_events))
    if found is None:
        before = "this instruction, and nobody before it," if this else "nobody"
        return None, f"{what}: {before} has written it since reset"
    past.go(*behind(found))
    return behind(found), f"{what}: {'before this, ' * this}{_writer(past, found)}"


def _writer(past: Past, event: Event) -> str:
    match event:
        case Accessed():
            place = past.booted.inspector.name(event.rip)
            return f"written by {'the CPU, in ' * event.implicit}{place}"
        case EntryWritten():
            return f"the page walk set {event.why}"
        case DmaDone():
            return f"written by the device {event.device}"
        case InputApplied():
            return f"written from outside ({event.actor})"
        case _:
            return "written"


def fill_of(past: Past, grid: ArrayGrid, place: tuple[int, int]) -> TlbFilled | None:
    """The event that put there what a place of a TLB array, or of a paging-structure cache, holds."""
    cell = grid.sets[place[0]][place[1]]
    for event in reversed(past.seen()):
        if (
            isinstance(event, TlbFilled)
            and event.way == place[1]
            and event.page * event.page_bytes == cell.linear
        ):
            if event.array == grid.name and event.set == place[0]:
                return event
            if grid.name == STRUCTURES and event.array.startswith(grid.labels[place[0]].strip()):
                return event
    return None
