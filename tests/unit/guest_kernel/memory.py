# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's own lists of free memory, read by its debug information, and one run of its laboratory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from emu.events import Event, Marked
from emu.lesson import Lab

_E = TypeVar("_E", bound=Event)

ZONES, ORDERS, ORDER_NONE = 2, 11, 0xFF
SCARCE_MIB = 3


@dataclass(frozen=True)
class FrameTable:
    """The struct frame of every frame, as bytes."""

    lab: Lab
    start: int
    stride: int
    data: bytes

    def offset(self, member: str) -> int:
        """Where a member lies in memory, for frame 0; n strides further for frame n."""
        return self.lab.value(f"&frames[0].{member}") - self.start

    def column(self, member: str, size: int) -> list[int]:
        """One member of all frames."""
        first, step = self.offset(member), self.stride
        return [
            int.from_bytes(self.data[at : at + size], "little") for at in range(first, len(self.data), step)
        ]


def frame_table(lab: Lab) -> FrameTable:
    start, stride = lab.value("frames"), lab.value("&frames[1]") - lab.value("&frames[0]")
    data = lab.memory(start, stride * lab.value("frame_count"))
    return FrameTable(lab, start, stride, bytes(data))


def free_blocks(lab: Lab, table: FrameTable) -> list[tuple[int, int, int]]:
    """(zone, order, first frame) of each block on a free list."""
    following = table.column("next", 4)
    blocks: list[tuple[int, int, int]] = []
    for zone in range(ZONES):
        for order in range(ORDERS):
            number = lab.value(f"zones[{zone}].lists[{order}]")
            while number:
                blocks.append((zone, order, number))
                number = following[number]
    return blocks


def run(
    *commands: str, program: str = "alloc", memory_mib: int = 32, disk: str | None = None, **switches: str
) -> Lab:
    """A finished run; switches by their names with a double underscore for the point: alloc__gfp="ignore"."""
    lab = Lab()
    named = {name.replace("__", "."): value for name, value in switches.items()}
    lab.boot(program, *commands, switches=named, memory_mib=memory_mib, disk=disk)
    lab.run_to_exit()
    return lab


def said(lab: Lab) -> list[str]:
    """The console's lines behind the kernel's first one."""
    return str(lab.console).splitlines()[1:]


def marks(lab: Lab, name: str) -> list[Marked]:
    return [event for event in lab.events if isinstance(event, Marked) and event.name == name]


def scarce(program: str, *arguments: str, disk: str | None = "blank:8M", **switches: str) -> Lab:
    """A lab at reset in which some 180 frames are free: a little pressure is enough, and what it shows comes soon.

    That is less memory than a boot may ask for otherwise; the kernel does not mind.
    """
    lab = Lab()
    named = {name.replace("__", "."): value for name, value in switches.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emu.lesson.boot.LEAST_MEMORY_MIB", SCARCE_MIB)
        lab.boot(program, *arguments, switches=named, memory_mib=SCARCE_MIB, disk=disk)
    return lab


def watch(lab: Lab, *types: type[_E]) -> list[_E]:
    """The events of these types from now on, and no others: a long run in which few things matter is much shorter."""
    found: list[_E] = []
    lab.machine.journal.observers.clear()

    def note(event: Event) -> None:
        found.append(event)  # pyright: ignore[reportArgumentType]

    for one in types:
        lab.machine.journal.listen(one, note)
    return found


def balance_is_equal(events: Iterable[Event]) -> bool:
    """Whether as many frames were free after the last process as before the first."""
    (mark,) = [event for event in events if isinstance(event, Marked) and event.name == "balance"]
    return mark.arguments["free_at_start"] == mark.arguments["free_at_end"]
