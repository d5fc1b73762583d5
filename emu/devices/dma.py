# SPDX-License-Identifier: GPL-2.0-or-later
"""How a device reaches RAM: the one writer's door of `PhysicalMemory`, and a word to whoever wants to know.

What changes RAM and what is read from a buffer of the guest is reported. The reads by which a device finds its way
(a ring's indices, its descriptors) are not: they are many, and say nothing that the transfers do not say.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from emu.bits import PhysicalAddress
from emu.mem import PhysicalMemory

SHOWN_BYTES: Final = 16
DIGEST_DIGITS: Final = 16

Report = Callable[[str, int, bytes, bool], None]
"""(device, address, data, whether the device wrote it into RAM)."""


class Dma:
    """The door of one device, whose name is in its reports. The caller asks `reaches` first; nothing raises."""

    def __init__(self, device: str, memory: PhysicalMemory, report: Report) -> None:
        """`report` is told of each transfer that has been done."""
        self.device = device
        self._memory = memory
        self._report = report

    def reaches(self, address: int, size: int) -> bool:
        """Whether all `size` bytes from physical `address` on are RAM."""
        return address + size <= self._memory.size_bytes

    def peek(self, address: int, size: int) -> bytes:
        """Bytes that the device reads to find its way; not reported."""
        return self._memory.read(PhysicalAddress(address), size)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of a buffer."""
        data = self.peek(address, size)
        self._report(self.device, address, data, False)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Put `data` into RAM."""
        self._memory.write(PhysicalAddress(address), data)
        self._report(self.device, address, data, True)


def event_fields(device: str, address: int, data: bytes, write: bool) -> dict[str, Any]:
    """What a `dma` event says of a transfer: the first bytes, and of a longer one a digest of them all."""
    digest = sha256(data).hexdigest()[:DIGEST_DIGITS] if len(data) > SHOWN_BYTES else ""
    return {
        "device": device,
        "address": address,
        "size": len(data),
        "data": data[:SHOWN_BYTES].hex(),
        "digest": digest,
        "write": write,
    }
