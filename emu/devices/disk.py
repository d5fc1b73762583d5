# SPDX-License-Identifier: GPL-2.0-or-later
"""The content of a disk: an image that is never written, and over it what the guest wrote.

The blocks written form a tree of tuples, group by group. A write makes the few tuples on its way anew and leaves all
others as they are, so a checkpoint is the root, costs nothing, and shares what did not change with every other.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

SECTOR_BYTES: Final = 512
MOST_DISK_BYTES: Final = 256 << 20
BLOCK_BYTES: Final = 4096
GROUP_BLOCKS: Final = 256

Group: TypeAlias = tuple[bytes | None, ...]
Overlay: TypeAlias = tuple[Group | None, ...]
"""Groups of blocks; None: still as in the image."""


@dataclass(frozen=True, slots=True)
class DiskImage:
    """What a disk holds at reset. Behind `content` it holds zeros. `name` is what the user called it."""

    name: str
    size_bytes: int
    content: bytes = field(default=b"", repr=False)


class Disk:
    """Sectors of 512 bytes. A sector beyond the end is the caller's mistake: ask `holds` first."""

    def __init__(self, image: DiskImage) -> None:
        """The disk as `image` has it; a size that is no multiple of 512 is a ValueError."""
        if image.size_bytes <= 0 or image.size_bytes % SECTOR_BYTES:
            raise ValueError(f"a disk of {image.size_bytes} bytes: no multiple of {SECTOR_BYTES}")
        self.sectors = image.size_bytes // SECTOR_BYTES
        self._content = image.content
        groups = -(-image.size_bytes // (BLOCK_BYTES * GROUP_BLOCKS))
        self.overlay: Overlay = (None,) * groups
        """All that was written since the reset: the disk's whole state for a checkpoint."""

    def holds(self, sector: int, size: int) -> bool:
        """Whether `size` bytes from `sector` on are on the disk, and whole sectors."""
        return size % SECTOR_BYTES == 0 and sector + size // SECTOR_BYTES <= self.sectors

    def read(self, sector: int, size: int) -> bytes:
        """`size` bytes from `sector` on."""
        start = sector * SECTOR_BYTES
        first, end = start // BLOCK_BYTES, -(-(start + size) // BLOCK_BYTES)
        blocks = b"".join(self._block(number) for number in range(first, end))
        skipped = start - first * BLOCK_BYTES
        return blocks[skipped : skipped + size]

    def write(self, sector: int, data: bytes) -> None:
        """Put `data` at `sector`."""
        at, done = sector * SECTOR_BYTES, 0
        while done < len(data):
            number, offset = divmod(at + done, BLOCK_BYTES)
            piece = data[done : done + BLOCK_BYTES - offset]
            if len(piece) < BLOCK_BYTES:
                block = self._block(number)
                self._put(number, block[:offset] + piece + block[offset + len(piece) :])
            else:
                self._put(number, piece)
            done += len(piece)

    def _block(self, number: int) -> bytes:
        group = self.overlay[number // GROUP_BLOCKS]
        block = group[number % GROUP_BLOCKS] if group else None
        if block is None:
            block = self._content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
        return block

    def _put(self, number: int, block: bytes) -> None:
        index, place = divmod(number, GROUP_BLOCKS)
        group = self.overlay[index] or (None,) * GROUP_BLOCKS
        group = (*group[:place], block, *group[place + 1 :])
        self.overlay = (*self.overlay[:index], group, *self.overlay[index + 1 :])
