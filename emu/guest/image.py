# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel image: what a PVH loader takes from an ELF file."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

from emu.bits import LinearAddress, PhysicalAddress
from emu.guest.elf import PT_LOAD, Elf, GuestImageError, read_file
from emu.guest.symbols import SymbolTable

__all__ = ["GuestImageError", "KernelImage", "Segment", "load_kernel", "parse_kernel"]

XEN_ELFNOTE_PHYS32_ENTRY: Final = 18
ADDRESS_LIMIT: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes to load at `physical`, followed by zeros up to `memory_bytes`; `linear`: as linked."""

    physical: PhysicalAddress
    data: bytes = field(repr=False)
    memory_bytes: int
    linear: LinearAddress

    @property
    def end(self) -> PhysicalAddress:
        """The first physical address behind the segment."""
        return PhysicalAddress(self.physical + self.memory_bytes)


@dataclass(frozen=True, eq=False)
class KernelImage:
    """A kernel: `segments` in ascending physical order, entered at `entry` in 32-bit mode with paging off."""

    name: str
    bits: int
    entry: PhysicalAddress
    segments: list[Segment]
    sha256: str
    elf: Elf = field(repr=False)

    @cached_property
    def symbols(self) -> SymbolTable:
        """The kernel's symbols, types and source lines, read when first asked for."""
        return SymbolTable(self.elf, self.name)

    def read(self, linear: LinearAddress, size: int) -> bytes:
        """`size` bytes as the image file initialises them (zeros in .bss); else GuestImageError."""
        for segment in self.segments:
            at = linear - segment.linear
            if at >= 0 and 0 <= size <= segment.memory_bytes - at:
                return segment.data[at : at + size].ljust(size, b"\0")
        raise self.elf.error(f"nothing is loaded at {linear:#x}", "build the kernel again")


def load_kernel(path: Path) -> KernelImage:
    """Read the kernel ELF at `path` (ELF64 or ELF32 with a PVH note); else GuestImageError."""
    return parse_kernel(read_file(Path(path), "kernel image"), f"kernel image {path}", Path(path).name)


def parse_kernel(data: bytes, where: str, name: str) -> KernelImage:
    """The kernel in `data`; `where` begins every error message."""
    elf = Elf(data, where)
    segments = _segments(elf)
    entry = _pvh_entry(elf)
    if not any(s.physical <= entry < s.physical + len(s.data) for s in segments):
        raise elf.error(
            f"the PVH entry {entry:#x} is in no segment", "put the entry's physical address in the note"
        )
    return KernelImage(name, elf.bits, entry, segments, hashlib.sha256(data).hexdigest(), elf)


def _segments(elf: Elf) -> list[Segment]:
    segments: list[Segment] = []
    loaded = [h for h in elf.program_headers if h.type == PT_LOAD and h.memory_bytes]
    if sum(h.file_bytes for h in loaded) > 2 * len(elf.data):
        raise elf.error("its segments are larger than the file", "the file is damaged: build it again")
    for header in loaded:
        if header.file_bytes > header.memory_bytes:
            raise elf.error(
                "a segment is larger in the file than in memory", "the file is damaged: build it again"
            )
        if header.physical + header.memory_bytes > ADDRESS_LIMIT:
            raise elf.error(
                f"a segment at physical {header.physical:#x} lies above 4 GiB",
                "give the segments load addresses (AT in the linker script)",
            )
        data = elf.bytes_at(
            header.offset, header.file_bytes, f"the segment for physical {header.physical:#x}"
        )
        segments.append(
            Segment(PhysicalAddress(header.physical), data, header.memory_bytes, LinearAddress(header.linear))
        )
    segments.sort(key=lambda s: s.physical)
    if not segments:
        raise elf.error("no segment to load", "link it with the kernel's linker script")
    for a, b in pairwise(segments):
        if a.end > b.physical:
            raise elf.error(
                f"two segments overlap at physical {b.physical:#x}", "give each its own load address"
            )
    return segments


def _pvh_entry(elf: Elf) -> PhysicalAddress:
    """The entry point of the Xen note of type 18 (Xen, public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY)."""
    misaligned = False
    for owner, kind, descriptor, align in elf.notes():
        if owner != b"Xen\0" or kind != XEN_ELFNOTE_PHYS32_ENTRY:
            continue
        if len(descriptor) not in (4, 8):
            raise elf.error(
                f"its PVH note holds {len(descriptor)} bytes", "store one 32-bit physical address in it"
            )
        if align != 8:
            return PhysicalAddress(int.from_bytes(descriptor, "little"))
        misaligned = True
    if misaligned:
        raise elf.error("its PVH note is in a PT_NOTE with p_align 8", "align the note's section to 4")
    raise elf.error("no PVH note", "add a Xen note of type 18 that holds the 32-bit entry point")
