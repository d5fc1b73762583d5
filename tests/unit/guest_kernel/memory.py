# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's own lists of free memory, read by its debug information, and one run of its laboratory."""

from dataclasses import dataclass

from emu.events import Marked
from emu.lesson import Lab

ZONES, ORDERS, ORDER_NONE = 2, 11, 0xFF


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
