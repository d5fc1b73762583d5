# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtio-mmio transport: registers, negotiation, queues that cannot be, and the way out of every mistake."""

from collections.abc import Callable

import pytest

from emu.devices.virtio import VirtioDevice
from emu.devices.virtio_block import T_FLUSH
from tests.helpers.virtio_driver import (
    ACKNOWLEDGE,
    AVAILABLE,
    DESCRIPTORS,
    DEVICE_AREA,
    DRIVER_AREA,
    DRIVER_FEATURES,
    DRIVER_WORD,
    FEATURE_WORD,
    FEATURES,
    GENERATION,
    INDIRECT,
    INTERRUPTS,
    NEXT,
    NOTIFY,
    QUEUE,
    QUEUE_MAX,
    QUEUE_READY,
    QUEUE_SIZE,
    RAM_BYTES,
    SIZE,
    STATUS,
    TABLE,
    USED,
    WRITE,
    Driver,
)


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def started(driver: Driver) -> Driver:
    driver.start()
    return driver


def test_a_slot_with_a_disk_says_what_it_is_and_the_other_seven_are_empty(driver: Driver) -> None:
    assert [driver.get(offset) for offset in (0, 4, 8, 12)] == [0x74726976, 2, 2, 0x554D4551]
    assert [driver.slots.read_mmio(0x200 * n + 8, 4) for n in range(1, 8)] == [0] * 7


def test_registers_answer_four_bytes_only_and_the_configuration_any_width(driver: Driver) -> None:
    assert [driver.get(8, size) for size in (1, 2)] == [0, 0]
    driver.set(STATUS, 1, size=1)
    assert driver.get(STATUS) == 0
    assert [driver.config(0, size) for size in (1, 2, 4, 8)] == [64, 64, 64, 64]
    assert [driver.config(20, size) for size in (1, 2, 4)] == [0, 0x200, 0x200]


def test_beyond_its_end_the_configuration_reads_all_ones(driver: Driver) -> None:
    assert driver.config(60, 4) == 0xFFFF_FFFF
    assert driver.config(58, 4) == 0xFFFF_0000


def test_what_is_offered_is_version_1_and_what_a_disk_can(driver: Driver) -> None:
    low = driver.get(FEATURES)
    driver.set(FEATURE_WORD, 1)
    assert (low, driver.get(FEATURES)) == (1 << 1 | 1 << 2 | 1 << 6 | 1 << 9, 1)


@pytest.mark.parametrize("features", [0, 1 << 9, 1 << 32 | 1 << 5, 1 << 33 | 1 << 32])
def test_features_that_were_not_offered_or_lack_version_1_are_not_ok(driver: Driver, features: int) -> None:
    assert driver.begin(features) == 3


def test_features_do_not_change_once_they_are_ok(driver: Driver) -> None:
    assert driver.begin() == 11
    driver.set(DRIVER_WORD, 1)
    driver.set(DRIVER_FEATURES, 0)
    driver.set(STATUS, 15)
    assert (driver.get(STATUS), driver.slot.driver_features) == (15, 1 << 32)


def test_a_reset_clears_registers_queues_and_the_interrupt_but_no_sector(started: Driver) -> None:
    started.do(T_FLUSH, 0)
    assert started.level
    started.set(STATUS, 0)
    assert not started.level
    assert [started.get(offset) for offset in (STATUS, INTERRUPTS, QUEUE_READY)] == [0, 0, 0]
    started.start()
    started.poke(DEVICE_AREA, bytes(64))
    assert started.do(T_FLUSH, 0) == 0


def test_a_reset_drops_what_was_under_way(started: Driver) -> None:
    started.request(T_FLUSH, 0)
    started.ring()
    assert started.slots.is_busy()
    started.set(STATUS, 0)
    assert not started.slots.is_busy()
    started.wait(10_000)
    assert (started.outcome(), started.is_broken()) == (0xFF, False)


def test_the_interrupt_line_stays_up_until_every_cause_is_acknowledged(started: Driver) -> None:
    started.do(T_FLUSH, 0)
    started.slot.change_config()
    assert started.get(INTERRUPTS) == 3
    started.set(ACKNOWLEDGE, 1)
    assert (started.level, started.get(INTERRUPTS)) == (True, 2)
    started.set(ACKNOWLEDGE, 2)
    assert (started.level, started.get(INTERRUPTS)) == (False, 0)


def test_a_driver_that_asks_for_no_interrupt_gets_none(started: Driver) -> None:
    started.poke(DRIVER_AREA, b"\x01\x00")
    assert started.do(T_FLUSH, 0) == 0
    assert (started.level, started.get(INTERRUPTS)) == (False, 0)


def test_a_changed_configuration_has_another_generation_and_interrupts_only_a_ready_driver(
    driver: Driver,
) -> None:
    driver.slot.change_config()
    assert (driver.get(GENERATION), driver.level) == (1, False)
    driver.start()
    driver.slot.change_config()
    assert (driver.get(GENERATION), driver.level) == (2, True)


def test_there_is_one_queue_and_the_others_do_not_exist(driver: Driver) -> None:
    assert driver.get(QUEUE_MAX) == 64
    driver.set(QUEUE, 1)
    driver.set(QUEUE_SIZE, 8)
    driver.set(QUEUE_READY, 1)
    assert (driver.get(QUEUE_MAX), driver.get(QUEUE_READY)) == (0, 0)
    driver.set(QUEUE, 0xFFFF_FFFF)
    assert driver.get(QUEUE_MAX) == 0


QUEUES: dict[str, Callable[[Driver], None]] = {
    "no entries": lambda d: d.make_queue(size=0),
    "no power of two": lambda d: d.make_queue(size=6),
    "too many entries": lambda d: d.make_queue(size=128),
    "far too many entries": lambda d: d.make_queue(size=1 << 31),
    "descriptors not aligned": lambda d: d.make_queue(table=TABLE + 8),
    "driver area not aligned": lambda d: d.make_queue(driver=DRIVER_AREA + 1),
    "device area not aligned": lambda d: d.make_queue(device=DEVICE_AREA + 2),
    "descriptors outside RAM": lambda d: d.make_queue(table=RAM_BYTES - 64),
    "driver area outside RAM": lambda d: d.make_queue(driver=RAM_BYTES - 8),
    "device area outside RAM": lambda d: d.make_queue(device=RAM_BYTES - 4),
    "an address of 64 bits": lambda d: d.make_queue(table=0xFFFF_FFFF_FFFF_FFF0),
}


@pytest.mark.parametrize("make", QUEUES.values(), ids=QUEUES)
def test_a_queue_that_cannot_be_needs_a_reset(driver: Driver, make: Callable[[Driver], None]) -> None:
    driver.begin()
    make(driver)
    assert driver.is_broken()
    assert driver.get(QUEUE_READY) == 0
    assert driver.slot.trouble
    driver.start()
    assert driver.do(T_FLUSH, 0) == 0, "a reset mends it"


def test_the_last_place_in_ram_is_good_enough_for_a_queue(driver: Driver) -> None:
    driver.begin()
    driver.make_queue(table=RAM_BYTES - 16 * SIZE)
    assert (driver.is_broken(), driver.get(QUEUE_READY)) == (False, 1)


def test_a_queue_that_is_ready_holds_its_size_and_addresses(started: Driver) -> None:
    for offset in (QUEUE_SIZE, DESCRIPTORS, AVAILABLE, USED):
        started.set(offset, 0x7777)
    assert started.do(T_FLUSH, 0) == 0


def test_a_queue_that_is_stopped_forgets_its_requests_and_may_start_again(started: Driver) -> None:
    started.request(T_FLUSH, 0)
    started.ring()
    started.set(QUEUE_READY, 0)
    started.wait(10_000)
    assert (started.outcome(), started.get(QUEUE_READY), started.is_broken()) == (0xFF, 0, False)
    started.make_queue()
    started.poke(DRIVER_AREA, bytes(32))
    started.published = 0
    assert started.do(T_FLUSH, 0) == 0


def chain(*descriptors: tuple[int, int, int, int], head: int = 0) -> Callable[[Driver], None]:
    """Publish `head` over descriptors (address, size, flags, next)."""

    def publish(driver: Driver) -> None:
        for number, descriptor in enumerate(descriptors):
            driver.describe(number, *descriptor)
        driver.publish(head)
        driver.ring()

    return publish


def jump(index: int) -> Callable[[Driver], None]:
    def publish(driver: Driver) -> None:
        driver.poke(DRIVER_AREA + 2, index.to_bytes(2, "little"))
        driver.ring()

    return publish


def take_back(driver: Driver) -> None:
    for first in (0, 2, 4):
        driver.request(T_FLUSH, 0, first=first)
    driver.ring()
    jump(2)(driver)


def overfill(driver: Driver) -> None:
    driver.request(T_FLUSH, 0)
    driver.publish(*[0] * (SIZE - 1))
    driver.ring()
    assert not driver.is_broken()
    driver.publish(0)
    driver.ring()


HEADER, DATA = 0x4000, 0x10000
LAST = (0x5000, 1, WRITE, 0)
MISTAKES: dict[str, tuple[Callable[[Driver], None], str]] = {
    "a head beyond the queue": (chain(LAST, head=SIZE), "descriptor 8 of 8"),
    "a head far beyond the queue": (chain(LAST, head=0xFFFF), "descriptor 65535 of 8"),
    "a next beyond the queue": (chain((HEADER, 16, NEXT, SIZE)), "descriptor 8 of 8"),
    "a chain that is its own next": (chain((HEADER, 16, NEXT, 0)), "does not end"),
    "a chain in a circle": (
        chain((HEADER, 16, NEXT, 1), (DATA, 512, NEXT, 2), (DATA, 512, NEXT, 1)),
        "does not end",
    ),
    "an empty descriptor": (chain((HEADER, 16, NEXT, 1), (DATA, 0, WRITE | NEXT, 2), LAST), "1 is empty"),
    "an indirect descriptor": (chain((HEADER, 16, INDIRECT, 0)), "indirect"),
    "an address outside RAM": (
        chain((HEADER, 16, NEXT, 1), (RAM_BYTES, 512, WRITE | NEXT, 2), LAST),
        "not in RAM",
    ),
    "an address across the end of RAM": (
        chain((HEADER, 16, NEXT, 1), (RAM_BYTES - 256, 512, WRITE | NEXT, 2), LAST),
        "not in RAM",
    ),
    "an address of 64 bits": (
        chain((HEADER, 16, NEXT, 1), ((1 << 64) - 1, 2, WRITE | NEXT, 2), LAST),
        "not in RAM",
    ),
    "a length of 4 GiB": (
        chain((HEADER, 16, NEXT, 1), (DATA, 0xFFFF_FFFF, WRITE | NEXT, 2), LAST),
        "not in RAM",
    ),
    "readable behind writable": (
        chain((DATA, 16, WRITE | NEXT, 1), (HEADER, 16, NEXT, 2), LAST),
        "1 is readable behind",
    ),
    "nothing to write": (chain((HEADER, 16, 0, 0)), "no status byte"),
    "nothing to read": (chain(LAST), "no whole header"),
    "a short header": (chain((HEADER, 15, NEXT, 1), LAST), "no whole header"),
    "an index that jumps": (jump(SIZE + 1), "went from 0 to 9"),
    "an index that goes back": (jump(0xFFFF), "went from 0 to 65535"),
    "an index that takes back": (take_back, "went back from 3 to 2"),
    "more chains than entries": (overfill, "went from 8 to 9"),
    "the doorbell of a queue that does not exist": (lambda d: d.set(NOTIFY, 1), "there are 1"),
    "the doorbell of a far queue": (lambda d: d.set(NOTIFY, 0xFFFF_FFFF), "there are 1"),
}
BY_NAME = pytest.mark.parametrize(("mistake", "told"), MISTAKES.values(), ids=MISTAKES)


@BY_NAME
def test_a_ring_that_breaks_the_rules_needs_a_reset_and_says_so_by_interrupt(
    started: Driver, mistake: Callable[[Driver], None], told: str
) -> None:
    mistake(started)
    started.wait()
    assert started.is_broken()
    assert told in started.slot.trouble
    assert started.get(INTERRUPTS) & 2
    assert started.level
    assert not started.transfers or all(not t.write for t in started.transfers)
    assert not started.slots.is_busy()


@BY_NAME
def test_after_any_mistake_a_reset_makes_it_work_again(
    started: Driver, mistake: Callable[[Driver], None], told: str
) -> None:
    mistake(started)
    started.wait()
    started.request(T_FLUSH, 0)
    started.ring()
    started.wait()
    assert started.outcome() == 0xFF, "until then it does nothing"
    started.poke(DRIVER_AREA, bytes(32))
    started.start()
    assert started.do(T_FLUSH, 0) == 0


def test_needs_reset_is_not_the_drivers_to_clear_or_set(started: Driver) -> None:
    started.set(STATUS, 15 | 64)
    assert not started.is_broken()
    started.set(NOTIFY, 9)
    started.set(STATUS, 15)
    assert started.is_broken()


def test_the_first_mistake_is_the_one_that_is_told(started: Driver) -> None:
    started.set(NOTIFY, 9)
    told = started.slot.trouble
    started.set(NOTIFY, 10)
    started.slot.fail("another")
    assert "queue 9" in told
    assert started.slot.trouble == told


def test_a_broken_device_takes_nothing_more_even_if_it_was_announced(started: Driver) -> None:
    started.request(T_FLUSH, 0)
    started.ring()
    started.slot.fail("a reason")
    assert started.slot.take(0) is None


def test_a_bad_request_ends_those_behind_it_too(started: Driver) -> None:
    chain(LAST)(started)
    started.wait(500)
    started.request(T_FLUSH, 0, first=2)
    started.ring()
    started.wait(1500)
    assert (started.is_broken(), started.slots.is_busy(), started.outcome(2)) == (True, False, 0xFF)


def test_a_doorbell_before_the_driver_is_ready_needs_a_reset_without_an_interrupt(driver: Driver) -> None:
    driver.begin()
    driver.make_queue()
    driver.ring()
    assert (driver.is_broken(), driver.level) == (True, False)


def test_the_doorbell_of_a_queue_that_is_not_ready_needs_a_reset(driver: Driver) -> None:
    driver.begin()
    driver.set(STATUS, 15)
    driver.ring()
    assert driver.is_broken()


def test_a_driver_that_gave_up_is_left_alone(started: Driver) -> None:
    started.request(T_FLUSH, 0)
    started.set(STATUS, 15 | 128)
    started.ring()
    started.wait()
    assert (started.get(STATUS), started.outcome()) == (15 | 128, 0xFF)


def test_there_are_no_shared_memory_regions(driver: Driver) -> None:
    assert [driver.get(offset) for offset in (0xB0, 0xB4)] == [0xFFFF_FFFF] * 2


def test_a_device_must_say_what_it_does() -> None:
    device = VirtioDevice()
    for call in (
        device.config,
        device.next_due,
        device.is_busy,
        lambda: device.notified(0, 0),
        lambda: device.stopped(0),
        lambda: device.advance(0),
    ):
        with pytest.raises(NotImplementedError):
            call()
