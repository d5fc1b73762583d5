# SPDX-License-Identifier: GPL-2.0-or-later
"""The board's devices, one small file each: a subset of QEMU's `microvm`, the referee of what a guest sees.

Devices know no CPU and no host clock. The machine tells them the time (`advance`), asks when they act next
(`next_due`) and hands them callables for what they do to the outside:
an interrupt line, a byte for the console, a door to RAM.
"""

from emu.devices.bus import Bus, ByteDevice, MmioDevice, PortDevice, State, TimedDevice
from emu.devices.debug_exit import DebugExit
from emu.devices.disk import Disk, DiskImage
from emu.devices.dma import Dma
from emu.devices.pic import Pic8259Pair
from emu.devices.pit import Pit8254
from emu.devices.uart import Uart16550
from emu.devices.virtio import VirtioSlots
from emu.devices.virtio_block import VirtioBlock

__all__ = [
    "Bus",
    "ByteDevice",
    "DebugExit",
    "Disk",
    "DiskImage",
    "Dma",
    "MmioDevice",
    "Pic8259Pair",
    "Pit8254",
    "PortDevice",
    "State",
    "TimedDevice",
    "Uart16550",
    "VirtioBlock",
    "VirtioSlots",
]
