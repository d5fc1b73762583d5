# SPDX-License-Identifier: GPL-2.0-or-later
"""The referee for the devices: the same port traffic into ours and into QEMU's, whose clock stands at 0."""

import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from emu.devices import Bus, Pic8259Pair, Pit8254, Uart16550, VirtioSlots
from emu.devices.virtio import BASE
from tests.helpers.virtio_driver import DISK_SECTORS, Driver

pytestmark = pytest.mark.qemu

COMMAND = (
    "qemu-system-x86_64 -M microvm,acpi=off,pit=on,pic=on,rtc=off,auto-kernel-cmdline=off -m 32 -S "
    "-global virtio-mmio.force-legacy=false -accel tcg -icount shift=0,sleep=off -nodefaults -display none "
    "-serial null -qtest stdio -qtest-log none"
).split()
LETTER = {1: "b", 2: "w", 4: "l"}


class Referee:
    """QEMU's devices through its test protocol: one command a line, one answer a line."""

    def __init__(self, more: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, command: str) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        assert words[0] == "OK", words
        return int(words[1], 16) if len(words) > 1 else 0

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def referee() -> Iterator[Referee]:
    if not shutil.which(COMMAND[0]):
        pytest.skip("no QEMU here")
    qemu = Referee()
    yield qemu
    qemu.close()


def board() -> tuple[Bus, Pic8259Pair]:
    pic = Pic8259Pair()
    bus = Bus()
    bus.attach(pic)
    bus.attach(Pit8254(lambda level: pic.set_line(0, level)))
    bus.attach(Uart16550(lambda byte: None, lambda level: pic.set_line(4, level)))
    bus.attach_mmio(BASE, VirtioSlots().size, VirtioSlots())
    return bus, pic


RANGES = ((0x20, 0x21), (0xA0, 0xA1), (0x4D0, 0x4D0), (0x4D1, 0x4D1), (0x40, 0x43), (0x3F8, 0x3FF))
PORTS = (
    *(0x20, 0x21, 0xA0, 0xA1, 0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1),
    *(0x40, 0x41, 0x42, 0x43, 0x43),
    *range(0x3F8, 0x400),
    *(0x1F, 0x22, 0x3F, 0x44, 0x3F7, 0x400),
)


@pytest.mark.parametrize("seed", range(12))
def test_random_port_traffic_reads_the_same_as_in_qemu(referee: Referee, seed: int) -> None:
    chance = random.Random(seed)
    bus, _ = board()
    log: list[str] = []
    for _ in range(1500):
        port = chance.choice(PORTS)
        size = chance.choice((1, 1, 1, 1, 2, 4))
        if any(low <= port <= high < port + size - 1 for low, high in RANGES):
            size = 1  # QEMU lets a device answer beyond its own last port; no bus does, and neither do we
        if chance.random() < 0.5:
            value = chance.getrandbits(8 * size)
            if port in (0x20, 0xA0) and chance.random() < 0.9:
                value &= ~0x10
            if (port, size) == (0x3FC, 1):
                value |= 0x10
            log.append(f"out{LETTER[size]} {port:#x} {value:#x}")
            referee.ask(log[-1])
            bus.write_port(port, size, value)
        else:
            log.append(f"in{LETTER[size]} {port:#x}")
            theirs, ours = referee.ask(log[-1]), bus.read_port(port, size)
            assert hex(ours) == hex(theirs), "\n".join(log[-40:])


def test_empty_virtio_slots_read_the_same_as_in_qemu(referee: Referee) -> None:
    bus, _ = board()
    for address in range(BASE, BASE + 0x400, 4):
        for size in (1, 2, 4):
            name = {1: "readb", 2: "readw", 4: "readl"}[size]
            assert bus.read_mmio(address, size) == referee.ask(f"{name} {address:#x}")


def test_the_registers_of_a_disk_read_the_same_as_in_qemu(tmp_path: Path) -> None:
    if not shutil.which(COMMAND[0]):
        pytest.skip("no QEMU here")
    image = tmp_path / "disk"
    image.write_bytes(bytes(DISK_SECTORS * 512))
    drive = (
        f"-drive id=d,file={image},format=raw,if=none -device virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"
    )
    qemu, driver = Referee(drive.split()), Driver()
    try:
        for store in (None, (0x70, 1), (0x70, 3), (0x30, 1), (0x70, 0), (0x70, 15)):
            if store:
                qemu.ask(f"writel {BASE + store[0]:#x} {store[1]:#x}")
                driver.set(*store)
            for offset in (0x0, 0x4, 0x8, 0xC, 0x44, 0x60, 0xB0, 0xB4, 0xFC, 0x100, 0x104, 0x114, 0x1F8):
                for letter, size in (("b", 1), ("w", 2), ("l", 4)):
                    theirs = qemu.ask(f"read{letter} {BASE + offset:#x}")
                    assert (offset, size, driver.get(offset, size)) == (offset, size, theirs)
    finally:
        qemu.close()
