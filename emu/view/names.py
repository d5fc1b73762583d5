# SPDX-License-Identifier: GPL-2.0-or-later
"""Names before numbers: what lies at a linear address, in the guest's own words.

In this order: a symbol; a pointer of the program that leads there (`window+0xfff`); the area of the address space;
the direct map, by frame; a kernel stack; the kernel image; else the number.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT, LinearAddress, hexadecimal

if TYPE_CHECKING:
    from emu.view.inspector import Area, Process

DIRECT_MAP: Final = 0xFFFF_8880_0000_0000
KERNEL_STACKS: Final = 0xFFFF_C900_0000_0000
KERNEL_BASE: Final = 0xFFFF_FFFF_8000_0000
_STACK_STRIDE: Final = 3 * PAGE_BYTES
_FARTHEST: Final = 1 << 20
_KINDS: Final = {"ukshm": "shared window", "mmap": "own data", "image": "image"}
_IMAGE: Final = {"rx": "text", "read": "rodata", "r": "rodata", "rw": "data"}


def kind_name(area: "Area") -> str:
    """What an area is, in words: "text", "stack", "shared window"."""
    if area.kind == "image":
        return _IMAGE.get(area.rights, "image")
    return _KINDS.get(area.kind, area.kind)


def name_of(
    linear: int,
    symbol_at: Callable[[LinearAddress], str],
    process: "Process | None",
    pointers: Mapping[str, int],
    memory_bytes: int,
) -> str:
    """The name of one byte. `symbol_at` gives "symbol+0x10" or the number; `pointers`: the program's, by name."""
    named = symbol_at(LinearAddress(linear))
    if not named.startswith("0x"):
        return named
    return (
        _through_pointer(linear, process, pointers)
        or _in_area(linear, process)
        or kernel_place(linear, memory_bytes)
        or named
    )


def _through_pointer(linear: int, process: "Process | None", pointers: Mapping[str, int]) -> str:
    """`pointer+offset` for the nearest pointer below, if no other area but a neighbour lies between."""
    if process is None:
        return ""
    best = max(
        ((value, name) for name, value in pointers.items() if 0 <= linear - value < _FARTHEST), default=None
    )
    if best is None:
        return ""
    value, name = best
    area = area_of(value, process)
    if area is None or linear >= area.end + PAGE_BYTES or area.kind in ("stack", "image"):
        return ""
    return f"{name}+{linear - value:#x}"


def _in_area(linear: int, process: "Process | None") -> str:
    area = area_of(linear, process)
    return f"{kind_name(area)}+{linear - area.start:#x}" if area is not None else ""


def area_of(linear: int, process: "Process | None") -> "Area | None":
    """The area of `process` that holds `linear`."""
    areas = process.areas if process else ()
    return next((a for a in areas if a.start <= linear < a.end), None)


def kernel_place(linear: int, memory_bytes: int) -> str:
    """The direct map, a kernel stack or the kernel image; "" for anything else."""
    if DIRECT_MAP <= linear < DIRECT_MAP + memory_bytes:
        return f"direct map of frame {(linear - DIRECT_MAP) >> PAGE_SHIFT:#x}+{linear & OFFSET_MASK:#x}"
    if KERNEL_STACKS <= linear < KERNEL_STACKS + _FARTHEST:
        return f"kernel stack+{linear - KERNEL_STACKS:#x}"
    if linear >= KERNEL_BASE:
        return f"kernel image+{linear - KERNEL_BASE:#x}"
    return ""


def page_name(linear: int, process: "Process | None", pointers: Mapping[str, int], memory_bytes: int) -> str:
    """A short name for the page at `linear`, for a cell of a grid. Kernel pages end in their number."""
    page = linear >> PAGE_SHIFT
    if DIRECT_MAP <= linear < DIRECT_MAP + memory_bytes:
        return f"dm {(linear - DIRECT_MAP) >> PAGE_SHIFT:x}"
    if KERNEL_STACKS <= linear < KERNEL_STACKS + _FARTHEST:
        return f"kstk {page & 0xFF:x}"
    if linear >= KERNEL_BASE:
        return f"kern {page & 0xFFF:x}"
    through = _through_pointer(linear, process, pointers)
    if through:
        return through.removesuffix("+0x0").replace("+0x", "+").removesuffix("000")
    area = area_of(linear, process)
    if area is not None:
        return f"{kind_name(area)}+{(linear - area.start) >> PAGE_SHIFT:x}".removesuffix("+0")
    return hexadecimal(linear, 1)
