# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtio disk: what a request does, when, in which order, and what a bad one is told."""

import pytest

from emu.devices.disk import SECTOR_BYTES
from emu.devices.virtio_block import (
    LATENCY,
    MOST_BYTES,
    S_IOERR,
    S_OK,
    S_UNSUPP,
    T_FLUSH,
    T_GET_ID,
    T_IN,
    T_OUT,
)
from tests.helpers.virtio_driver import (
    BUFFERS,
    DEVICE_AREA,
    DISK_SECTORS,
    HEADERS,
    NEXT,
    STATUSES,
    WRITE,
    Driver,
    Transfer,
)

CONTENT = b"".join(bytes((n,)) * SECTOR_BYTES for n in range(DISK_SECTORS))


@pytest.fixture
def driver() -> Driver:
    driver = Driver(CONTENT)
    driver.start()
    return driver


def test_a_read_brings_sectors_into_ram(driver: Driver) -> None:
    assert driver.do(T_IN, 3, (BUFFERS, 1024, True)) == S_OK
    assert driver.peek(BUFFERS, 1024) == CONTENT[3 * 512 : 5 * 512]
    assert driver.used() == [(0, 1025)]


def test_a_write_stays_on_the_disk_and_not_in_the_image(driver: Driver) -> None:
    driver.poke(BUFFERS, b"\xaa" * 512)
    assert driver.do(T_OUT, 7, (BUFFERS, 512, False)) == S_OK
    assert (
        driver.disk.read(6, 3 * 512)
        == CONTENT[6 * 512 : 7 * 512] + b"\xaa" * 512 + CONTENT[8 * 512 : 9 * 512]
    )
    assert driver.used() == [(0, 1)]
    assert driver.do(T_IN, 7, (BUFFERS + 4096, 512, True)) == S_OK
    assert driver.peek(BUFFERS + 4096, 512) == b"\xaa" * 512


def test_data_may_lie_in_several_pieces(driver: Driver) -> None:
    pieces = ((BUFFERS, 100, True), (BUFFERS + 0x1000, 400, True), (BUFFERS + 0x2000, 12, True))
    assert driver.do(T_IN, 5, *pieces) == S_OK
    assert b"".join(driver.peek(address, size) for address, size, _ in pieces) == CONTENT[5 * 512 : 6 * 512]


def test_header_data_and_status_may_share_descriptors_as_the_driver_likes(driver: Driver) -> None:
    driver.poke(HEADERS, T_OUT.to_bytes(8, "little") + (9).to_bytes(8, "little") + b"\xbb" * 512)
    driver.describe(0, HEADERS, 10, NEXT, 1)
    driver.describe(1, HEADERS + 10, 518, NEXT, 2)
    driver.describe(2, STATUSES, 3, WRITE)
    driver.poke(STATUSES, b"\xee" * 3)
    driver.publish(0)
    driver.ring()
    driver.wait()
    assert driver.peek(STATUSES, 3) == b"\xee\xee\x00", "the last byte is the status"
    assert driver.disk.read(9, 512) == b"\xbb" * 512


def test_a_flush_is_done_at_once_and_the_disk_has_a_name(driver: Driver) -> None:
    assert driver.do(T_FLUSH, 0) == S_OK
    assert driver.do(T_GET_ID, 0, (BUFFERS, 20, True)) == S_OK
    assert driver.peek(BUFFERS, 20) == b"pagewalk disk".ljust(20, b"\0")


@pytest.mark.parametrize("kind", [2, 3, 5, 11, 13, 0xFFFF_FFFF])
def test_a_request_of_an_unknown_kind_is_unsupported(driver: Driver, kind: int) -> None:
    assert driver.do(kind, 0, (BUFFERS, 512, True)) == S_UNSUPP
    assert not driver.is_broken()


@pytest.mark.parametrize(
    ("sector", "size"),
    [(DISK_SECTORS, 512), (DISK_SECTORS - 1, 1024), (1 << 63, 512), ((1 << 64) - 1, 512), (0, 511), (0, 513)],
)
@pytest.mark.parametrize("kind", [T_IN, T_OUT])
def test_what_is_not_whole_sectors_on_the_disk_is_an_io_error(
    driver: Driver, kind: int, sector: int, size: int
) -> None:
    assert driver.do(kind, sector, (BUFFERS, size, kind == T_IN)) == S_IOERR
    assert driver.disk.read(0, len(CONTENT)) == CONTENT
    assert not any(driver.peek(BUFFERS, size))
    assert not driver.is_broken()


def test_the_last_sector_can_be_read(driver: Driver) -> None:
    assert driver.do(T_IN, DISK_SECTORS - 1, (BUFFERS, 512, True)) == S_OK


@pytest.mark.parametrize("kind", [T_IN, T_OUT])
def test_a_request_of_more_than_a_mebibyte_moves_nothing(kind: int) -> None:
    driver = Driver(sectors=2 * MOST_BYTES // SECTOR_BYTES)
    driver.start()
    assert driver.do(kind, 0, (BUFFERS, MOST_BYTES, kind == T_IN)) == S_OK
    moved = len(driver.transfers)
    assert driver.do(kind, 0, (BUFFERS, MOST_BYTES + 512, kind == T_IN)) == S_IOERR
    assert [len(t.data) for t in driver.transfers[moved:]] == [16, 1, 8, 2]


def test_a_request_is_done_2000_clocks_after_its_doorbell(driver: Driver) -> None:
    driver.wait(123)
    driver.request(T_FLUSH, 0)
    driver.ring()
    assert (driver.slots.next_due(), driver.slots.is_busy()) == (123 + LATENCY, True)
    driver.wait(LATENCY - 1)
    assert (driver.outcome(), driver.level) == (0xFF, False)
    driver.wait(1)
    assert (driver.outcome(), driver.level) == (S_OK, True)
    assert (driver.slots.next_due(), driver.slots.is_busy()) == (None, False)


def test_requests_are_done_in_the_order_of_their_doorbells(driver: Driver) -> None:
    for first in (4, 0, 2):
        driver.request(T_FLUSH, 0, first=first)
        driver.ring()
        driver.wait(500)
    assert driver.used() == []
    driver.wait(500)
    assert [head for head, _ in driver.used()] == [4]
    driver.wait(LATENCY)
    assert [head for head, _ in driver.used()] == [4, 0, 2]


def test_one_doorbell_may_announce_several_requests(driver: Driver) -> None:
    driver.request(T_FLUSH, 0, first=0)
    driver.request(T_FLUSH, 0, first=2)
    driver.ring()
    driver.ring()
    driver.wait()
    assert [head for head, _ in driver.used()] == [0, 2]


def test_what_no_doorbell_announced_waits(driver: Driver) -> None:
    driver.request(T_FLUSH, 0)
    driver.wait(100_000)
    assert driver.outcome() == 0xFF


def test_the_ring_goes_round_and_its_indices_wrap(driver: Driver) -> None:
    for _ in range(0x10000 + 300):
        assert driver.do(T_FLUSH, 0) == S_OK
    assert int.from_bytes(driver.peek(DEVICE_AREA + 2, 2), "little") == 300


def test_every_transfer_is_reported_as_it_was_done(driver: Driver) -> None:
    driver.do(T_IN, 1, (BUFFERS, 512, True))
    assert driver.transfers == [
        Transfer("disk", HEADERS, (1 << 64).to_bytes(16, "little"), False),
        Transfer("disk", BUFFERS, CONTENT[512:1024], True),
        Transfer("disk", STATUSES, b"\0", True),
        Transfer("disk", DEVICE_AREA + 4, bytes(4) + (513).to_bytes(4, "little"), True),
        Transfer("disk", DEVICE_AREA + 2, b"\1\0", True),
    ]


def test_the_memory_that_a_device_writes_is_marked_as_written(driver: Driver) -> None:
    heard: list[int] = []
    driver.memory.listeners.append(lambda address, size: heard.append(address))
    driver.memory.written.clear()
    driver.do(T_IN, 1, (BUFFERS, 512, True))
    assert driver.memory.written == {BUFFERS >> 12, STATUSES >> 12, DEVICE_AREA >> 12}
    assert BUFFERS in heard


def test_a_buffer_that_is_the_ring_itself_is_the_guests_own_affair(driver: Driver) -> None:
    assert driver.do(T_IN, 1, (DEVICE_AREA, 512, True)) == S_OK
    driver.request(T_FLUSH, 0)
    driver.ring()
    driver.wait()


def test_a_checkpoint_holds_what_is_under_way_and_what_was_written(driver: Driver) -> None:
    driver.poke(BUFFERS, b"\xcc" * 512)
    driver.do(T_OUT, 2, (BUFFERS, 512, False))
    driver.request(T_IN, 2, (BUFFERS + 4096, 512, True))
    driver.ring()
    state = driver.slots.state()
    hash(state)
    other = Driver(CONTENT)
    other.poke(0, driver.peek(0, 0x20000))
    other.slots.load_state(state)
    for board in (driver, other):
        board.now = driver.now
        board.slots.advance(driver.now + LATENCY)
        assert board.peek(BUFFERS + 4096, 512) == b"\xcc" * 512
    assert driver.slots.state() == other.slots.state()


def test_a_checkpoint_does_not_change_with_the_disk(driver: Driver) -> None:
    before = driver.slots.state()
    driver.poke(BUFFERS, b"\xcc" * 512)
    driver.do(T_OUT, 2, (BUFFERS, 512, False))
    driver.slots.load_state(before)
    assert driver.disk.read(0, len(CONTENT)) == CONTENT
