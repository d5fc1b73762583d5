# SPDX-License-Identifier: GPL-2.0-or-later
"""The eight virtio-mmio slots of the board, all empty (virtio 1.x, "MMIO Device Register Layout", 4.2.2)."""

from typing import Final

from emu.devices.bus import Registers

BASE: Final = 0xFEB0_0000
SLOTS: Final = 8
SLOT_BYTES: Final = 0x200
FIRST_IRQ: Final = 5

MAGIC_VALUE: Final = 0x74726976
VERSION: Final = 2
VENDOR_ID: Final = 0x554D4551

_REGISTERS: Final = {0x000: MAGIC_VALUE, 0x004: VERSION, 0x00C: VENDOR_ID}


class VirtioSlots(Registers):
    """Slot n at `BASE + n * SLOT_BYTES`: magic, version, vendor; device id 0 says that it is empty.

    All else is 0. The specification asks a driver to ignore a device whose id is 0 without complaint.
    """

    def __init__(self) -> None:
        """Eight empty slots."""
        self.name = "virtio"
        self.base = BASE
        self.size = SLOTS * SLOT_BYTES

    def read_mmio(self, offset: int, size: int) -> int:
        """A register of the slot that `offset` falls in, cut to `size` bytes."""
        return _REGISTERS.get(offset % SLOT_BYTES, 0) & (1 << 8 * size) - 1

    def write_mmio(self, offset: int, size: int, value: int) -> None:
        """Nothing listens in an empty slot."""
