# SPDX-License-Identifier: GPL-2.0-or-later
"""The bus: who answers which port or address, and how wide accesses fall apart."""

import pytest

from emu.devices import Bus, DebugExit, Pic8259Pair, Pit8254, State, VirtioSlots
from emu.devices.bus import ByteDevice
from emu.devices.debug_exit import exit_status
from emu.devices.virtio import BASE, MAGIC_VALUE


class Scratch(ByteDevice):
    """Four bytes that remember."""

    FIELDS = ("bytes",)

    def __init__(self, base: int = 0x100) -> None:
        self.name = "scratch"
        self.ports = range(base, base + 4)
        self.bytes = (1, 2, 3, 4)

    def read_byte(self, port: int) -> int:
        return self.bytes[port - self.ports[0]]

    def write_byte(self, port: int, value: int) -> None:
        index = port - self.ports[0]
        self.bytes = (*self.bytes[:index], value, *self.bytes[index + 1 :])


def test_a_port_nobody_answers_reads_all_ones_and_ignores_writes() -> None:
    bus = Bus()
    bus.write_port(0x80, 1, 0)
    bus.write_port(0xFFFF, 4, 0)
    assert [bus.read_port(0x80, size) for size in (1, 2, 4)] == [0xFF, 0xFFFF, 0xFFFF_FFFF]
    assert bus.port_device(0x80) is None


def test_a_wide_access_to_a_byte_device_is_its_bytes_from_low_to_high() -> None:
    bus = Bus()
    bus.attach(Scratch())
    assert bus.read_port(0x100, 4) == 0x04030201
    bus.write_port(0x101, 2, 0xBEEF)
    assert bus.read_port(0x100, 4) == 0x04BE_EF01
    assert bus.port_device(0x100) == "scratch"


def test_an_access_that_overhangs_a_device_reads_ones_beyond_it() -> None:
    bus = Bus()
    bus.attach(Scratch())
    assert bus.read_port(0x103, 2) == 0xFF04
    assert bus.read_port(0xFE, 4) == 0x0201_FFFF
    bus.write_port(0xFE, 4, 0x7766_5544)
    assert bus.read_port(0x100, 2) == 0x7766


def test_a_port_belongs_to_one_device() -> None:
    bus = Bus()
    bus.attach(Scratch())
    with pytest.raises(ValueError, match="port 0x102 belongs to scratch"):
        bus.attach(Scratch(0x102))


def test_a_byte_device_must_say_what_its_registers_do() -> None:
    device = ByteDevice()
    with pytest.raises(NotImplementedError):
        device.read_byte(0)
    with pytest.raises(NotImplementedError):
        device.write_byte(0, 0)


def test_an_empty_virtio_slot_has_magic_version_and_vendor_and_device_id_0() -> None:
    bus, slots = Bus(), VirtioSlots()
    bus.attach_mmio(slots.base, slots.size, slots)
    for slot in range(8):
        at = BASE + 0x200 * slot
        assert [bus.read_mmio(at + offset, 4) for offset in (0, 4, 8, 12)] == [0x74726976, 2, 0, 0x554D4551]
    bus.write_mmio(BASE + 0x70, 4, 0xFF)
    assert bus.read_mmio(BASE + 0x70, 4) == 0
    assert bus.read_mmio(BASE, 1) == MAGIC_VALUE & 0xFF


def test_an_address_no_device_answers_reads_zero() -> None:
    bus, slots = Bus(), VirtioSlots()
    bus.attach_mmio(slots.base, slots.size, slots)
    bus.write_mmio(BASE - 4, 4, 1)
    assert bus.read_mmio(BASE - 4, 4) == 0
    assert bus.read_mmio(BASE + slots.size - 2, 4) == 0
    assert bus.is_mmio(BASE) and bus.is_mmio(BASE + slots.size - 1) and not bus.is_mmio(BASE + slots.size)


def test_mmio_ranges_do_not_overlap() -> None:
    bus, slots = Bus(), VirtioSlots()
    bus.attach_mmio(slots.base, slots.size, slots)
    bus.attach_mmio(slots.base + slots.size, slots.size, slots)
    with pytest.raises(ValueError, match="overlaps virtio"):
        bus.attach_mmio(slots.base + 0x100, 0x200, slots)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_any_write_to_the_debug_exit_ports_ends_the_machine_with_its_value(size: int) -> None:
    codes: list[int] = []
    bus = Bus()
    bus.attach(DebugExit(codes.append))
    bus.write_port(0xF4, size, 0x10)
    assert codes == [0x10]
    assert bus.read_port(0xF4, size) == 0


def test_the_exit_status_is_the_one_qemu_ends_with() -> None:
    assert [exit_status(code) for code in (0, 0x10, 0x11, 0x80)] == [1, 33, 35, 1]


def test_the_next_due_time_is_the_earliest_of_all_devices() -> None:
    bus = Bus()
    bus.attach(Pic8259Pair())
    assert bus.next_due() is None
    pit = Pit8254(lambda level: None)
    bus.attach(pit)
    assert bus.next_due() == pit.next_due()
    bus.advance(1_000_000)
    assert pit.tick == 11_931


def test_the_state_of_the_bus_is_the_state_of_all_its_devices() -> None:
    def make() -> tuple[Bus, Scratch]:
        bus, scratch, slots = Bus(), Scratch(), VirtioSlots()
        bus.attach(scratch)
        bus.attach_mmio(slots.base, slots.size, slots)
        return bus, scratch

    (first, scratch), (second, copy) = make(), make()
    first.write_port(0x100, 1, 0xAA)
    state: State = first.state()
    second.load_state(state)
    first.write_port(0x100, 1, 0xBB)
    assert copy.bytes == (0xAA, 2, 3, 4)
    assert scratch.bytes == (0xBB, 2, 3, 4)
