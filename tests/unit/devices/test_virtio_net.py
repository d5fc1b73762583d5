# SPDX-License-Identifier: GPL-2.0-or-later
"""The network card: when frames go out and come in, what the guest finds in its buffers, and what breaks it."""

import pytest

from emu.devices.neighbourhood import Neighbourhood
from emu.devices.virtio_net import (
    ARRIVAL_STAMP,
    HEADER_BYTES,
    LATENCY,
    MOST_FRAME_BYTES,
    RECEIVE,
    TRANSMIT,
    Arrival,
)
from tests.helpers.net_driver import BUFFER_BYTES, BUFFERS, MAC, SIZE, VERSION_1, NetDriver

FRAME = bytes(range(60))
HEADER = bytes(10) + b"\1\0"


def captured(*dues: int) -> list[Arrival]:
    return [Arrival(due, due // 100, bytes((n,)) * 60) for n, due in enumerate(dues)]


@pytest.fixture
def driver() -> NetDriver:
    driver = NetDriver()
    driver.start()
    return driver


def test_the_card_says_who_it_is_and_that_its_link_is_up(driver: NetDriver) -> None:
    assert driver.get(8) == 1
    assert [driver.config(n, 1) for n in range(6)] == list(MAC)
    assert driver.config(6, 2) == 1


def test_a_frame_goes_out_2000_clocks_after_its_doorbell(driver: NetDriver) -> None:
    driver.wait(77)
    driver.send(FRAME)
    assert driver.slots.next_due() == 77 + LATENCY
    driver.wait(LATENCY - 1)
    assert driver.sent == []
    assert driver.card.is_busy()
    driver.wait(1)
    assert driver.sent == [(0, 77 + LATENCY, FRAME)]
    assert driver.used_of(TRANSMIT) == [(0, 0)]
    assert driver.level
    assert not driver.card.is_busy()


def test_a_frame_in_pieces_is_one_frame(driver: NetDriver) -> None:
    driver.poke(BUFFERS, bytes(HEADER_BYTES) + FRAME)
    driver.descriptor(TRANSMIT, 0, BUFFERS, 5, 1, 1)
    driver.descriptor(TRANSMIT, 1, BUFFERS + 5, 27, 1, 2)
    driver.descriptor(TRANSMIT, 2, BUFFERS + 32, 40)
    driver.make_available(TRANSMIT, 0)
    driver.doorbell(TRANSMIT)
    driver.finish()
    assert [frame for _, _, frame in driver.sent] == [FRAME]


@pytest.mark.parametrize("size", [0, 13, MOST_FRAME_BYTES + 1])
def test_what_is_no_frame_is_given_back_and_not_sent(driver: NetDriver, size: int) -> None:
    driver.send(bytes(size))
    driver.finish()
    assert driver.sent == []
    assert driver.used_of(TRANSMIT) == [(0, 0)]
    assert driver.card.refused == 1
    assert not driver.is_broken()


@pytest.mark.parametrize("header", [b"\1" + bytes(11), b"\0\1" + bytes(10)])
def test_an_offload_that_was_not_offered_sends_nothing(driver: NetDriver, header: bytes) -> None:
    driver.send(FRAME, header=header)
    driver.finish()
    assert (driver.sent, driver.card.refused) == ([], 1)


def test_a_frame_arrives_when_its_time_has_come() -> None:
    driver = NetDriver(captured(5_000, 9_000))
    driver.start()
    driver.give_buffers(2)
    driver.wait(4_999)
    assert driver.received() == []
    driver.wait(1)
    assert driver.received() == [HEADER + (50).to_bytes(8, "little") + bytes(60)]
    assert driver.level
    assert driver.slots.next_due() == 9_000


def test_without_the_private_feature_there_is_no_stamp() -> None:
    driver = NetDriver(captured(0))
    driver.start(VERSION_1)
    driver.give_buffers()
    assert driver.received() == [HEADER + bytes(60)]
    assert ARRIVAL_STAMP == 1 << 63


def test_a_frame_waits_for_a_buffer_and_none_is_lost() -> None:
    driver = NetDriver(captured(*range(0, 600, 100)))
    driver.start()
    driver.wait(10_000)
    assert driver.received() == []
    assert driver.slots.next_due() is None, "without a buffer nothing can happen"
    driver.give_buffers(2)
    assert [data[20:21] for data in driver.received()] == [b"\0", b"\1"]
    driver.give_buffers(4, first=2)
    assert [data[20] for data in driver.received()] == list(range(6))
    assert driver.card.exhausted


def test_a_frame_waits_for_the_driver() -> None:
    driver = NetDriver(captured(0))
    driver.wait(50_000)
    assert driver.slots.next_due() is None
    driver.start()
    driver.give_buffers()
    assert len(driver.received()) == 1


def test_a_buffer_published_without_a_doorbell_is_found_when_a_frame_comes() -> None:
    driver = NetDriver(captured(1_000))
    driver.start()
    driver.descriptor(RECEIVE, 0, BUFFERS, BUFFER_BYTES, 2)
    driver.make_available(RECEIVE, 0)
    driver.wait(1_000)
    assert len(driver.received()) == 1


def test_at_the_closed_pace_frames_come_when_they_are_offered() -> None:
    driver = NetDriver(captured(0, 7_000), on_time=False)
    driver.start()
    driver.give_buffers(2)
    driver.wait(10_000)
    assert driver.received() == []
    driver.card.offer(driver.now)
    driver.wait(0)
    driver.card.offer(driver.now)
    driver.wait(0)
    assert [data[12:20] for data in driver.received()] == [bytes(8), (70).to_bytes(8, "little")]


def test_a_buffer_that_is_too_small_breaks_the_card() -> None:
    driver = NetDriver(captured(0))
    driver.start()
    driver.give_buffers(1, size=79)
    assert driver.is_broken()
    assert "too small for 80" in driver.transport.trouble
    assert driver.slots.next_due() is None


def test_a_frame_fills_the_pieces_of_its_buffer_in_order() -> None:
    driver = NetDriver(captured(0))
    driver.start()
    driver.descriptor(RECEIVE, 0, BUFFERS, 12, 3, 1)
    driver.descriptor(RECEIVE, 1, BUFFERS + 100, 8, 3, 2)
    driver.descriptor(RECEIVE, 2, BUFFERS + 200, 1600, 2)
    driver.make_available(RECEIVE, 0)
    driver.doorbell(RECEIVE)
    driver.wait(0)
    assert driver.peek(BUFFERS, 12) == HEADER
    assert driver.peek(BUFFERS + 200, 60) == bytes(60)
    assert driver.used_of(RECEIVE) == [(0, 80)]


def test_a_link_that_goes_down_is_an_interrupt_and_a_bit(driver: NetDriver) -> None:
    generation = driver.get(0xFC)
    driver.card.set_link(False)
    assert (driver.config(6, 2), driver.get(0x60), driver.level) == (0, 2, True)
    assert driver.get(0xFC) != generation


class Echo:
    """A peer that sends back what it gets, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def answer(self, frame: bytes) -> list[bytes]:
        self.count += 1
        return [bytes((self.count,)) + frame[1:]]

    def state(self) -> tuple[int, ...]:
        return (self.count,)

    def load_state(self, state: tuple[int, ...]) -> None:
        (self.count,) = state


def test_what_a_peer_answers_arrives_2000_clocks_later() -> None:
    driver = NetDriver(peers=[Echo()])
    driver.start()
    driver.give_buffers()
    driver.send(FRAME)
    driver.finish()
    assert driver.slots.next_due() == 2 * LATENCY
    driver.wait(LATENCY)
    assert driver.received() == [HEADER + (40).to_bytes(8, "little") + b"\1" + FRAME[1:]]


def test_going_back_takes_the_card_and_its_peers_back() -> None:
    driver = NetDriver(captured(0, 3_000, 20_000), peers=[Echo()])
    driver.start()
    driver.give_buffers(5)
    driver.send(FRAME, 0)
    driver.wait(1_000)
    saved, memory = driver.slots.state(), bytes(driver.memory.buffer)
    ends = []
    for _ in range(2):
        driver.slots.load_state(saved)
        driver.memory.buffer[:] = memory
        driver.now = 1_000
        driver.counts[TRANSMIT] = 1
        driver.send(FRAME, 1)
        for _ in range(30):
            driver.wait(1_000)
        ends.append((driver.slots.state(), bytes(driver.memory.buffer)))
    assert ends[0] == ends[1]
    assert driver.card.peers[0].state() == (2,)
    assert driver.card.received == 5


ARP_REQUEST = bytes.fromhex(
    "ffffffffffff 525400123457 0806 0001 0800 06 04 0001 525400123457 c0000201 000000000000 c00002fe"
)


def test_the_neighbourhood_answers_for_any_address() -> None:
    (reply,) = Neighbourhood().answer(ARP_REQUEST)
    assert reply == bytes.fromhex(
        "525400123457 0200c00002fe 0806 0001 0800 06 04 0002 0200c00002fe c00002fe 525400123457 c0000201"
    )


@pytest.mark.parametrize(
    "frame",
    [
        ARP_REQUEST[:41],
        ARP_REQUEST[:21] + b"\2" + ARP_REQUEST[22:],
        ARP_REQUEST[:38] + bytes.fromhex("c0000201"),
        bytes(60),
    ],
)
def test_the_neighbourhood_answers_nothing_else(frame: bytes) -> None:
    assert list(Neighbourhood().answer(frame)) == []


def test_rings_may_wrap_around(driver: NetDriver) -> None:
    for number in range(3 * SIZE):
        driver.send(bytes((number,)) * 60, number % SIZE)
        driver.finish()
    assert [frame[0] for _, _, frame in driver.sent] == list(range(3 * SIZE))
