# SPDX-License-Identifier: GPL-2.0-or-later
"""The debug exit port: a write ends the machine (QEMU, "isa-debug-exit" with iobase 0xf4, iosize 4)."""

from collections.abc import Callable
from typing import Final

from emu.devices.bus import Registers

PORT: Final = 0xF4


def exit_status(code: int) -> int:
    """The status that QEMU's process ends with when the guest writes `code`: 2 * code + 1, in a byte."""
    return (2 * code + 1) & 0xFF


class DebugExit(Registers):
    """Any write of any size to its four ports calls `on_exit(code)` with what was written; reads give 0."""

    def __init__(self, on_exit: Callable[[int], None]) -> None:
        """`on_exit` is told the code; it decides what ends."""
        self.name = "debug exit"
        self.ports = range(PORT, PORT + 4)
        self._on_exit = on_exit

    def read_port(self, port: int, size: int) -> int:
        """Always 0."""
        return 0

    def write_port(self, port: int, size: int, value: int) -> None:
        """End the machine with code `value`."""
        self._on_exit(value)
