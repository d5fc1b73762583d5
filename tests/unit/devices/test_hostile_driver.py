# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a guest writes into a virtio slot and its rings: nothing raises, and no doorbell costs without bound."""

from hypothesis import given, settings
from hypothesis import strategies as st

from emu.devices.virtio_block import LATENCY, MOST_BYTES, QUEUE_ENTRIES
from tests.helpers.virtio_driver import (
    AVAILABLE,
    BUFFERS,
    DESCRIPTORS,
    DEVICE_AREA,
    DRIVER_AREA,
    HEADERS,
    NOTIFY,
    QUEUE,
    QUEUE_READY,
    QUEUE_SIZE,
    SIZE,
    STATUS,
    STATUSES,
    TABLE,
    USED,
    Driver,
)

RAM_BYTES = 4 << 20
REPORTED_BESIDES_DATA = 16 + 1 + 8 + 2

Action = tuple[str, int, int, int, int]

NUMBERS = st.sampled_from([0, 1, 2, 3, 7, 8, 15, 64, 0x80, 0xFFFF, 0xFFFF_FFFF]) | st.integers(0, 0xFFFF_FFFF)
ADDRESSES = st.sampled_from(
    [
        *(HEADERS, BUFFERS, BUFFERS + 0x10000, STATUSES, TABLE, DRIVER_AREA, DEVICE_AREA),
        *(0, RAM_BYTES - 1, RAM_BYTES - 512, RAM_BYTES, (1 << 64) - 1, 1 << 63),
    ]
)
SIZES = st.sampled_from([1, 16, 512, 513, 4096, 4097, 1 << 20, 2 << 20, 0, 0xFFFF_FFFF])
OFFSETS = st.sampled_from(
    [
        STATUS,
        STATUS,
        QUEUE,
        QUEUE_SIZE,
        QUEUE_READY,
        NOTIFY,
        NOTIFY,
        DESCRIPTORS,
        AVAILABLE,
        USED,
        0x64,
        0x14,
        0x20,
        0x24,
    ]
) | st.integers(0, 0x3FF)

REGISTER = st.tuples(st.just("store"), OFFSETS, st.sampled_from([4, 4, 4, 1, 2, 8]), NUMBERS, st.just(0))
LOAD = st.tuples(st.just("load"), OFFSETS, st.sampled_from([1, 2, 4, 8]), st.just(0), st.just(0))
START = st.tuples(st.just("start"), st.just(0), st.just(0), st.just(0), st.just(0))
DESCRIPTOR = st.tuples(st.just("describe"), st.integers(0, SIZE - 1), ADDRESSES, SIZES, st.integers(0, 0x3F))
HEADER = st.tuples(
    st.just("header"), st.sampled_from([0, 1, 4, 8, 99]), st.integers(0, 80), st.just(0), st.just(0)
)
PUBLISH = st.tuples(st.just("publish"), st.integers(0, SIZE), st.just(0), st.just(0), st.just(0))
GOOD = st.tuples(
    st.just("request"),
    st.sampled_from([0, 1, 4, 8]),
    st.integers(0, 66),
    st.just(BUFFERS),
    st.sampled_from([512, 4096]),
)
REQUEST = st.tuples(
    st.just("request"), st.sampled_from([0, 1, 4, 8, 99]), st.integers(0, 80), ADDRESSES, SIZES
)
RAM = st.tuples(st.just("poke"), st.integers(0, 0x5100), st.just(0), NUMBERS, st.just(0))
WAIT = st.tuples(
    st.just("wait"), st.sampled_from([1, 500, LATENCY, 10 * LATENCY]), st.just(0), st.just(0), st.just(0)
)
ACTIONS = st.lists(
    st.one_of(START, GOOD, WAIT, DESCRIPTOR, HEADER, PUBLISH, REQUEST, REGISTER, LOAD, RAM, WAIT), max_size=40
)


def act(driver: Driver, action: Action) -> int | None:
    """One action; what it gave, to compare two boards by."""
    verb, a, b, c, d = action
    match verb:
        case "store":
            driver.set(a, c & (1 << 8 * b) - 1, b)
        case "load":
            value = driver.get(a, b)
            assert 0 <= value < 1 << 8 * b
            return value
        case "start":
            driver.begin()
            driver.make_queue()
            driver.set(STATUS, 15)
            driver.poke(DRIVER_AREA, bytes(4))
            driver.published = 0
        case "describe":
            driver.describe(a, b, c, d & 7, d >> 3)
        case "header":
            driver.poke(HEADERS, a.to_bytes(8, "little") + b.to_bytes(8, "little"))
        case "publish":
            driver.publish(a)
            driver.ring()
        case "request":
            driver.request(a, b, (c, d, a != 1))
            driver.ring()
        case "poke":
            driver.poke(a, c.to_bytes(4, "little"))
        case _:
            driver.wait(a)
            due = driver.slots.next_due()
            assert due is None or due > driver.now
    return None


def board(before: Driver | None = None) -> Driver:
    driver = Driver(bytes(range(256)) * 40, ram_bytes=RAM_BYTES)
    if before is not None:
        driver.poke(0, before.peek(0, RAM_BYTES))
        driver.slots.load_state(before.slots.state())
        driver.now, driver.published = before.now, before.published
    else:
        driver.start()
    return driver


@settings(deadline=None)
@given(before=ACTIONS, after=ACTIONS)
def test_random_rings_never_raise_and_a_restored_disk_goes_on_the_same(
    before: list[Action], after: list[Action]
) -> None:
    driver = board()
    for action in before:
        act(driver, action)
    hash(driver.slots.state())
    copy = board(driver)
    assert copy.slots.state() == driver.slots.state()
    assert [act(driver, action) for action in after] == [act(copy, action) for action in after]
    assert driver.slots.state() == copy.slots.state()
    assert driver.peek(0, RAM_BYTES) == copy.peek(0, RAM_BYTES)


@settings(deadline=None)
@given(ACTIONS)
def test_no_wait_moves_more_than_a_full_queue_of_the_longest_requests(actions: list[Action]) -> None:
    driver = board()
    for action in actions:
        driver.transfers.clear()
        act(driver, action)
        assert sum(len(t.data) for t in driver.transfers) <= QUEUE_ENTRIES * (
            MOST_BYTES + REPORTED_BESIDES_DATA
        )
        assert len(driver.block.waiting) <= QUEUE_ENTRIES
        assert all(driver.slot.dma.reaches(t.address, len(t.data)) for t in driver.transfers)
