# SPDX-License-Identifier: GPL-2.0-or-later
"""What the CPU reaches besides RAM: I/O ports and memory-mapped devices, and who may reach a port."""

from collections.abc import Callable
from typing import Any, Protocol

from emu.bits import PhysicalAddress


class Ports(Protocol):
    """The board behind the CPU. Values are unsigned, sizes 1, 2, 4 or 8 bytes."""

    def read_port(self, port: int, size: int) -> int:
        """IN."""
        ...

    def write_port(self, port: int, size: int, value: int) -> None:
        """OUT."""
        ...

    def read_mmio(self, address: int, size: int) -> int:
        """A load that no RAM answers."""
        ...

    def write_mmio(self, address: int, size: int, value: int) -> None:
        """A store that no RAM takes."""
        ...


class PortHooks:
    """The engine's hooks for ports and devices: nothing is raised out of them, `fail` keeps it.

    `allowed(port, size)` says whether the code that runs may use a port, and arranges its fault if not;
    `physical(offset)` gives the guest's address behind an offset of the engine's I/O window.
    """

    def __init__(
        self,
        ports: Ports,
        allowed: Callable[[int, int], bool],
        physical: Callable[[int], PhysicalAddress],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._ports = ports
        self._allowed = allowed
        self._physical = physical
        self._fail = fail

    def on_in(self, _: Any, port: int, size: int, __: Any) -> int:
        """IN, INS."""
        try:
            return self._ports.read_port(port, size) if self._allowed(port, size) else 0
        except BaseException as error:
            self._fail(error)
            return 0

    def on_out(self, _: Any, port: int, size: int, value: int, __: Any) -> None:
        """OUT, OUTS."""
        try:
            if self._allowed(port, size):
                self._ports.write_port(port, size, value)
        except BaseException as error:
            self._fail(error)

    def on_io_read(self, offset: int, size: int) -> int:
        """A load from the I/O window."""
        try:
            return self._ports.read_mmio(self._physical(offset), size)
        except BaseException as error:
            self._fail(error)
            return 0

    def on_io_write(self, offset: int, size: int, value: int) -> None:
        """A store into the I/O window."""
        try:
            self._ports.write_mmio(self._physical(offset), size, value)
        except BaseException as error:
            self._fail(error)
