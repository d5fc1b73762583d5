# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a guest writes into a card's slot and rings: nothing raises, nothing is lost, a restored card goes on."""

from hypothesis import given, settings
from hypothesis import strategies as st

from emu.devices.neighbourhood import Neighbourhood
from emu.devices.virtio_net import (
    HEADER_BYTES,
    LATENCY,
    MOST_FRAME_BYTES,
    QUEUE_ENTRIES,
    RECEIVE,
    STAMP_BYTES,
    TRANSMIT,
    Arrival,
)
from tests.helpers.net_driver import AREAS, BUFFERS, RAM_BYTES, SIZE, VERSION_1, NetDriver
from tests.helpers.virtio_driver import (
    AVAILABLE,
    DESCRIPTORS,
    NOTIFY,
    QUEUE,
    QUEUE_READY,
    QUEUE_SIZE,
    STATUS,
    USED,
)

Action = tuple[str, int, int, int, int]

MOST_BYTES = HEADER_BYTES + STAMP_BYTES + MOST_FRAME_BYTES
USED_BYTES = 8 + 2
CAPTURE = [
    Arrival(n * 700, n * 7, bytes((n & 0xFF,)) * (n % MOST_FRAME_BYTES or 1)) for n in range(0, 1600, 37)
]
NUMBERS = st.sampled_from([0, 1, 2, 3, 8, 11, 15, 64, 0x80, 0xFFFF, 0xFFFF_FFFF]) | st.integers(
    0, 0xFFFF_FFFF
)
ADDRESSES = st.sampled_from(
    [BUFFERS, BUFFERS + 2048, *AREAS[0], *AREAS[1], 0, RAM_BYTES - 1, RAM_BYTES, (1 << 64) - 1, 1 << 63]
)
SIZES = st.sampled_from([1, 11, 12, 26, 72, 1526, 1534, 1535, 4096, 2 << 20, 0, 0xFFFF_FFFF])
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
        0x14,
        0x20,
        0x64,
    ]
) | st.integers(0, 0x3FF)
QUEUES = st.sampled_from([RECEIVE, TRANSMIT])


def action(verb: str, *parts: st.SearchStrategy[int]) -> st.SearchStrategy[Action]:
    return st.tuples(st.just(verb), *parts, *[st.just(0)] * (4 - len(parts)))  # type: ignore[return-value]


ACTIONS = st.lists(
    st.one_of(
        action("start"),
        action("wait", st.sampled_from([1, 500, LATENCY, 100 * LATENCY])),
        action("give", st.integers(1, SIZE), st.sampled_from([2048, 1534, 79])),
        action("send", st.sampled_from([0, 13, 14, 60, MOST_FRAME_BYTES, MOST_FRAME_BYTES + 1])),
        action("describe", st.integers(0, 2 * SIZE - 1), ADDRESSES, SIZES, st.integers(0, 0x3F)),
        action("publish", QUEUES, st.integers(0, SIZE)),
        action("store", OFFSETS, st.sampled_from([4, 4, 4, 1, 2, 8]), NUMBERS),
        action("load", OFFSETS, st.sampled_from([1, 2, 4, 8])),
        action("poke", st.integers(0x1000, 0x7100), NUMBERS),
        action("arrive", st.integers(1, MOST_FRAME_BYTES)),
        action("link", st.integers(0, 1)),
        action("wait", st.just(LATENCY)),
    ),
    max_size=40,
)


def act(driver: NetDriver, what: Action) -> int | None:
    """One action; what it gave, to compare two boards by."""
    verb, a, b, c, d = what
    match verb:
        case "start":
            driver.begin(VERSION_1 | 1 << 63)
            for queue in (RECEIVE, TRANSMIT):
                driver.poke(AREAS[queue][1], bytes(4))
                driver.set_up(queue)
            driver.set(STATUS, 15)
        case "wait":
            driver.wait(a)
            due = driver.slots.next_due()
            assert due is None or due > driver.now
        case "give":
            driver.give_buffers(a, b)
        case "send":
            driver.send(bytes(a))
        case "describe":
            driver.descriptor(a // SIZE, a % SIZE, b, c, d & 7, d >> 3)
        case "publish":
            driver.make_available(a, b)
            driver.doorbell(a)
        case "store":
            driver.set(a, c & (1 << 8 * b) - 1, b)
        case "load":
            value = driver.get(a, b)
            assert 0 <= value < 1 << 8 * b
            return value
        case "poke":
            driver.poke(a, b.to_bytes(4, "little"))
        case "arrive":
            driver.card.arrive(driver.now, bytes(a))
        case _:
            driver.card.set_link(bool(a))
    return None


def board(before: NetDriver | None = None) -> NetDriver:
    driver = NetDriver(CAPTURE, peers=[Neighbourhood()])
    if before is None:
        driver.start()
    else:
        driver.poke(0, before.peek(0, RAM_BYTES))
        driver.slots.load_state(before.slots.state())
        driver.now, driver.counts = before.now, list(before.counts)
    return driver


@settings(deadline=None)
@given(before=ACTIONS, after=ACTIONS)
def test_random_rings_never_raise_and_a_restored_card_goes_on_the_same(
    before: list[Action], after: list[Action]
) -> None:
    driver = board()
    for what in before:
        act(driver, what)
    hash(driver.slots.state())
    copy = board(driver)
    assert copy.slots.next_due() == driver.slots.next_due()
    sent = len(driver.sent)
    assert [act(driver, what) for what in after] == [act(copy, what) for what in after]
    assert driver.slots.state() == copy.slots.state()
    assert driver.sent[sent:] == copy.sent
    assert driver.peek(0, RAM_BYTES) == copy.peek(0, RAM_BYTES)


@settings(deadline=None)
@given(ACTIONS)
def test_no_frame_is_lost_and_no_doorbell_costs_without_bound(actions: list[Action]) -> None:
    driver = board()
    arrived = 0
    for what in actions:
        driver.transfers.clear()
        act(driver, what)
        arrived += what[0] == "arrive"
        card = driver.card
        assert card.offered == card.next_frame + arrived
        assert card.received + len(card.waiting) == card.next_frame + arrived
        frames = len(CAPTURE) + arrived + QUEUE_ENTRIES
        assert sum(len(t.data) for t in driver.transfers) <= frames * (MOST_BYTES + USED_BYTES)
        assert len(card.sending) <= QUEUE_ENTRIES
        assert all(driver.slot.dma.reaches(t.address, len(t.data)) for t in driver.transfers)
