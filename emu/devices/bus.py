# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus: which device answers which I/O port or MMIO address, and what a device must offer.

Time is the machine's clock (instructions plus idle time, 100 units a microsecond). Call `Bus.advance(now)`
before an access, so that what the guest reads is of that moment.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

State: TypeAlias = tuple[Any, ...]
"""A device's whole state for a checkpoint: nested tuples of plain values, sharing nothing with the device."""


class PortDevice(Protocol):
    """A device behind I/O ports. `size` is 1, 2 or 4; every port of an access belongs to the device."""

    name: str

    @property
    def ports(self) -> Sequence[int]:
        """The ports it answers."""
        ...

    def read_port(self, port: int, size: int) -> int:
        """The value that `in` reads: `size` bytes, little-endian."""
        ...

    def write_port(self, port: int, size: int, value: int) -> None:
        """Take what `out` writes."""
        ...

    def state(self) -> State:
        """All that a checkpoint needs."""
        ...

    def load_state(self, state: State) -> None:
        """Become what `state()` was."""
        ...


class MmioDevice(Protocol):
    """A device behind physical addresses. Offsets count from where it was attached."""

    name: str

    def read_mmio(self, offset: int, size: int) -> int:
        """The value that a load reads."""
        ...

    def write_mmio(self, offset: int, size: int, value: int) -> None:
        """Take what a store writes."""
        ...

    def state(self) -> State:
        """All that a checkpoint needs."""
        ...

    def load_state(self, state: State) -> None:
        """Become what `state()` was."""
        ...


@runtime_checkable
class TimedDevice(Protocol):
    """A device that acts on its own when its time comes."""

    def next_due(self) -> int | None:
        """The clock value at which it acts next, or None if it never will unprompted."""
        ...

    def advance(self, now: int) -> None:
        """Do all that is due up to clock value `now`."""
        ...


class Registers:
    """A device whose whole state is the attributes named in `FIELDS`, all immutable values."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def state(self) -> State:
        """The values of `FIELDS`."""
        return tuple(getattr(self, field) for field in self.FIELDS)

    def load_state(self, state: State) -> None:
        """Set `FIELDS` from a value of `state()`."""
        for field, value in zip(self.FIELDS, state, strict=True):
            setattr(self, field, value)


class ByteDevice(Registers):
    """An 8-bit device: a wider access is one byte access for each port, lowest first, as on an ISA bus."""

    def read_byte(self, port: int) -> int:
        """One register."""
        raise NotImplementedError

    def write_byte(self, port: int, value: int) -> None:
        """One register; `value` is 0 to 255."""
        raise NotImplementedError

    def read_port(self, port: int, size: int) -> int:
        """`size` registers from `port` on, little-endian."""
        return int.from_bytes(bytes(self.read_byte(port + i) for i in range(size)), "little")

    def write_port(self, port: int, size: int, value: int) -> None:
        """`size` registers from `port` on, little-endian."""
        for i in range(size):
            self.write_byte(port + i, value >> 8 * i & 0xFF)


class Bus:
    """Ports and MMIO ranges by device.

    Where nobody answers, ports read all ones, memory reads zero and writes vanish.
    """

    def __init__(self) -> None:
        """An empty bus."""
        self.devices: list[PortDevice | MmioDevice] = []
        self._ports: dict[int, PortDevice] = {}
        self._mmio: list[tuple[int, int, MmioDevice]] = []
        self._timed: list[TimedDevice] = []

    def attach(self, device: PortDevice) -> None:
        """Let `device` answer its ports. A port that is already taken is a ValueError."""
        for port in device.ports:
            if port in self._ports:
                raise ValueError(f"port {port:#x} belongs to {self._ports[port].name}, not to {device.name}")
        self._ports.update(dict.fromkeys(device.ports, device))
        self._register(device)

    def attach_mmio(self, base: int, size: int, device: MmioDevice) -> None:
        """Let `device` answer physical addresses `base` to `base + size - 1`. An overlap is a ValueError."""
        for other_base, other_size, other in self._mmio:
            if base < other_base + other_size and other_base < base + size:
                raise ValueError(f"{device.name} at {base:#x} overlaps {other.name} at {other_base:#x}")
        self._mmio.append((base, size, device))
        self._register(device)

    def _register(self, device: PortDevice | MmioDevice) -> None:
        self.devices.append(device)
        if isinstance(device, TimedDevice):
            self._timed.append(device)

    def port_device(self, port: int) -> str | None:
        """The name of the device behind `port`, if there is one."""
        device = self._ports.get(port)
        return device.name if device else None

    def read_port(self, port: int, size: int) -> int:
        """What `in` reads: `size` is 1, 2 or 4 bytes."""
        device = self._ports.get(port)
        if size == 1:
            return device.read_port(port, 1) & 0xFF if device else 0xFF
        if device and self._owns(device, port, size):
            return device.read_port(port, size) & (1 << 8 * size) - 1
        return int.from_bytes(bytes(self.read_port(port + i, 1) for i in range(size)), "little")

    def write_port(self, port: int, size: int, value: int) -> None:
        """What `out` writes: the low `size` bytes (1, 2 or 4) of `value`."""
        device = self._ports.get(port)
        if device and self._owns(device, port, size):
            device.write_port(port, size, value & (1 << 8 * size) - 1)
        elif size > 1:
            for i in range(size):
                self.write_port(port + i, 1, value >> 8 * i)

    def _owns(self, device: PortDevice, port: int, size: int) -> bool:
        return all(self._ports.get(port + i) is device for i in range(size))

    def is_mmio(self, address: int) -> bool:
        """Whether a device answers physical `address`."""
        return any(base <= address < base + length for base, length, _ in self._mmio)

    def read_mmio(self, address: int, size: int) -> int:
        """What a load of `size` bytes from physical `address` reads."""
        for base, length, device in self._mmio:
            if base <= address and address + size <= base + length:
                return device.read_mmio(address - base, size) & (1 << 8 * size) - 1
        return 0

    def write_mmio(self, address: int, size: int, value: int) -> None:
        """Take a store of `size` bytes to physical `address`."""
        for base, length, device in self._mmio:
            if base <= address and address + size <= base + length:
                device.write_mmio(address - base, size, value & (1 << 8 * size) - 1)

    def next_due(self) -> int | None:
        """The earliest clock value at which some device acts on its own, or None."""
        return min((due for d in self._timed if (due := d.next_due()) is not None), default=None)

    def advance(self, now: int) -> None:
        """Let every device do what is due up to clock value `now`."""
        for device in self._timed:
            device.advance(now)

    def state(self) -> State:
        """The states of all devices, in the order they were attached."""
        return tuple(device.state() for device in self.devices)

    def load_state(self, state: State) -> None:
        """Give every device its part of a value of `state()`."""
        for device, part in zip(self.devices, state, strict=True):
            device.load_state(part)
