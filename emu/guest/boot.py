# SPDX-License-Identifier: GPL-2.0-or-later
"""What the loader leaves in memory for a PVH kernel: the image, the start_info structure, module 0.

The start_info structure and everything it points to stand in the 64 KiB from 0xf0000 that the memory map
calls reserved. That is where QEMU's firmware for `microvm` keeps its own (it passed EBX = 0x000f31e0), no
kernel takes the range for free RAM, and no segment of an image may lie there.
"""

import struct
from dataclasses import dataclass
from typing import Final

from emu.bits import LinearAddress, PhysicalAddress
from emu.guest.elf import GuestImageError
from emu.guest.image import KernelImage, Segment

START_INFO_MAGIC: Final = 0x336EC578
START_INFO_VERSION: Final = 1
RESERVED_START: Final = 0xF0000
RESERVED_END: Final = 0x100000
LOW_RAM_END: Final = 0x9FC00
RAM, RESERVED, ACPI_NVS, EMPTY = 1, 2, 4, 0
ENTRY_BYTES: Final = 24
INFO_BYTES: Final = 56
MODULE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BootLayout:
    """What to write before the first instruction, and the registers that differ from a reset."""

    segments: list[Segment]
    entry: PhysicalAddress
    start_info_address: PhysicalAddress
    module_address: PhysicalAddress
    ebx: int


def memory_map(ram_bytes: int) -> list[tuple[int, int, int]]:
    """(start, bytes, type) as QEMU's microvm reports it; the last entry is empty there too."""
    return [
        (0, LOW_RAM_END, RAM),
        (LOW_RAM_END, 0xA0000 - LOW_RAM_END, RESERVED),
        (0xD0000, 0x20000, ACPI_NVS),
        (RESERVED_START, RESERVED_END - RESERVED_START, RESERVED),
        (RESERVED_END, ram_bytes - RESERVED_END, RAM),
        (0, 0, EMPTY),
    ]


def boot_layout(image: KernelImage, ram_bytes: int, command_line: str, module: bytes) -> BootLayout:
    """Where everything goes in a machine of `ram_bytes` of RAM; `module` is the archive of programs.

    Raises GuestImageError if the image, the module and the command line do not fit.
    """
    module_address = (ram_bytes - len(module)) & ~4095
    for segment in image.segments:
        in_ram = segment.end <= LOW_RAM_END or (segment.physical >= RESERVED_END and segment.end <= ram_bytes)
        if not in_ram:
            where = f"a segment at physical {segment.physical:#x} to {segment.end:#x}"
            raise image.elf.error(f"{where} is not in the {ram_bytes >> 20} MiB of RAM", _mend(segment.end))
    kernel_end = max(RESERVED_END, *(s.end for s in image.segments))
    if module_address < kernel_end:
        raise GuestImageError(
            f"archive of programs: its {len(module)} bytes do not fit behind the kernel "
            f"in {ram_bytes >> 20} MiB; " + _mend(kernel_end + len(module))
        )
    info = _start_info(ram_bytes, command_line, module_address, len(module))
    start = PhysicalAddress(RESERVED_START)
    segments = [*image.segments, _segment(RESERVED_START, info)]
    if module:
        segments.append(_segment(module_address, module))
    return BootLayout(segments, image.entry, start, PhysicalAddress(module_address), RESERVED_START)


def _mend(needed_bytes: int) -> str:
    return f"ask for more memory (--memory {(needed_bytes >> 20) + 1}) or load it elsewhere"


def _segment(physical: int, data: bytes) -> Segment:
    return Segment(PhysicalAddress(physical), data, len(data), LinearAddress(physical))


def _start_info(ram_bytes: int, command_line: str, module_address: int, module_bytes: int) -> bytes:
    """struct hvm_start_info version 1 and what it points to (Xen, arch-x86/hvm/start_info.h)."""
    ranges = memory_map(ram_bytes)
    map_at = RESERVED_START + INFO_BYTES
    modules_at = map_at + len(ranges) * ENTRY_BYTES
    line_at = modules_at + MODULE_BYTES
    line = command_line.encode("utf-8", "surrogateescape")
    if b"\0" in line or line_at + len(line) >= RESERVED_END:
        room = RESERVED_END - line_at - 1
        raise GuestImageError(
            f"command line: {len(line)} bytes, at most {room} without NUL fit; pass fewer arguments"
        )
    info = struct.pack(
        "<IIIIQQQQII",
        START_INFO_MAGIC, START_INFO_VERSION, 0, 1 if module_bytes else 0,
        modules_at if module_bytes else 0, line_at, 0, map_at, len(ranges), 0,
    )  # fmt: skip
    table = b"".join(struct.pack("<QQII", start, size, kind, 0) for start, size, kind in ranges)
    return info + table + struct.pack("<QQQQ", module_address, module_bytes, 0, 0) + line + b"\0"
