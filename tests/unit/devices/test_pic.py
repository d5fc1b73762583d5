# SPDX-License-Identifier: GPL-2.0-or-later
"""The interrupt controllers, statement by statement of the 8259A data sheet where a guest can see it."""

import pytest

from emu.devices import Pic8259Pair

MASTER, SLAVE = 0x20, 0xA0


@pytest.fixture
def pic() -> Pic8259Pair:
    """A pair as a kernel sets it up: vectors 0x20 and 0x28, nothing masked."""
    pic = Pic8259Pair()
    for port, words in ((MASTER, (0x11, 0x20, 0x04, 0x01)), (SLAVE, (0x11, 0x28, 0x02, 0x01))):
        pic.write_port(port, 1, words[0])
        for word in words[1:]:
            pic.write_port(port + 1, 1, word)
    return pic


def irr(pic: Pic8259Pair, port: int = MASTER) -> int:
    pic.write_port(port, 1, 0x0A)
    return pic.read_port(port, 1)


def isr(pic: Pic8259Pair, port: int = MASTER) -> int:
    pic.write_port(port, 1, 0x0B)
    return pic.read_port(port, 1)


def pulse(pic: Pic8259Pair, *irqs: int) -> None:
    for irq in irqs:
        pic.set_line(irq, True)
        pic.set_line(irq, False)


def test_nothing_is_pending_after_the_initialisation_words(pic: Pic8259Pair) -> None:
    assert pic.pending() is None
    assert (irr(pic), isr(pic), pic.read_port(MASTER + 1, 1)) == (0, 0, 0)


def test_a_rising_edge_asks_for_the_vector_of_its_line(pic: Pic8259Pair) -> None:
    pic.set_line(0, True)
    assert irr(pic) == 1
    assert pic.pending() == 0x20
    assert pic.acknowledge() == 0x20
    assert (irr(pic), isr(pic)) == (0, 1)


def test_a_line_that_stays_up_is_one_interrupt(pic: Pic8259Pair) -> None:
    pic.set_line(3, True)
    pic.acknowledge()
    pic.write_port(MASTER, 1, 0x20)
    pic.set_line(3, True)
    assert pic.pending() is None
    pic.set_line(3, False)
    pic.set_line(3, True)
    assert pic.pending() == 0x23


def test_the_lowest_line_goes_first_and_holds_back_the_others_until_its_end(pic: Pic8259Pair) -> None:
    pulse(pic, 4, 1)
    assert pic.acknowledge() == 0x21
    assert pic.pending() is None
    pic.write_port(MASTER, 1, 0x20)
    assert pic.pending() == 0x24


def test_a_higher_line_interrupts_a_lower_one_in_service(pic: Pic8259Pair) -> None:
    pulse(pic, 4)
    pic.acknowledge()
    pulse(pic, 1)
    assert pic.acknowledge() == 0x21
    assert isr(pic) == 0x12


def test_the_non_specific_end_closes_the_highest_in_service(pic: Pic8259Pair) -> None:
    pulse(pic, 4)
    pic.acknowledge()
    pulse(pic, 1)
    pic.acknowledge()
    pic.write_port(MASTER, 1, 0x20)
    assert isr(pic) == 0x10


def test_the_specific_end_closes_the_line_it_names(pic: Pic8259Pair) -> None:
    pulse(pic, 4)
    pic.acknowledge()
    pulse(pic, 1)
    pic.acknowledge()
    pic.write_port(MASTER, 1, 0x60 | 4)
    assert isr(pic) == 0x02


def test_an_end_with_nothing_in_service_does_nothing(pic: Pic8259Pair) -> None:
    pic.write_port(MASTER, 1, 0x20)
    pic.write_port(MASTER, 1, 0x40)
    assert (isr(pic), pic.pending()) == (0, None)


def test_a_masked_line_stays_requested_and_comes_when_unmasked(pic: Pic8259Pair) -> None:
    pic.write_port(MASTER + 1, 1, 0xFF)
    pulse(pic, 0)
    assert (pic.pending(), irr(pic), pic.read_port(MASTER + 1, 1)) == (None, 1, 0xFF)
    pic.write_port(MASTER + 1, 1, 0xFE)
    assert pic.pending() == 0x20


def test_an_acknowledge_with_nothing_to_deliver_is_the_spurious_interrupt_7(pic: Pic8259Pair) -> None:
    assert pic.acknowledge() == 0x27
    assert isr(pic) == 0


def test_a_line_of_the_slave_comes_through_line_2_with_the_slaves_vector(pic: Pic8259Pair) -> None:
    pic.set_line(12, True)
    assert pic.pending() == 0x2C
    assert pic.acknowledge() == 0x2C
    assert (isr(pic), isr(pic, SLAVE)) == (0x04, 0x10)
    pic.write_port(SLAVE, 1, 0x20)
    pic.write_port(MASTER, 1, 0x20)
    assert (isr(pic), isr(pic, SLAVE)) == (0, 0)


def test_a_slave_that_lost_its_request_gives_its_spurious_interrupt_15(pic: Pic8259Pair) -> None:
    pulse(pic, 9)
    pic.write_port(SLAVE + 1, 1, 0xFF)
    assert pic.pending() == 0x2F
    assert pic.acknowledge() == 0x2F
    assert (isr(pic), isr(pic, SLAVE)) == (0x04, 0)


def test_rotating_ends_make_the_served_line_the_last(pic: Pic8259Pair) -> None:
    pulse(pic, 1)
    pic.acknowledge()
    pic.write_port(MASTER, 1, 0xA0)
    pulse(pic, 0, 3)
    assert pic.acknowledge() == 0x23
    pic.write_port(MASTER, 1, 0xE0 | 3)
    assert pic.pending() == 0x20


def test_set_priority_names_the_last_line(pic: Pic8259Pair) -> None:
    pic.write_port(MASTER, 1, 0xC0 | 4)
    pulse(pic, 1, 5)
    assert pic.pending() == 0x25


@pytest.mark.parametrize(("rotate", "next_vector"), [(0x00, 0x20), (0x80, 0x21)])
def test_automatic_end_leaves_nothing_in_service_and_may_rotate(rotate: int, next_vector: int) -> None:
    pic = Pic8259Pair()
    pic.write_port(MASTER, 1, 0x11)
    for word in (0x20, 0x04, 0x03):
        pic.write_port(MASTER + 1, 1, word)
    pic.write_port(MASTER, 1, rotate)
    pulse(pic, 0)
    assert pic.acknowledge() == 0x20
    assert isr(pic) == 0
    pulse(pic, 0, 1)
    assert pic.pending() == next_vector


def test_the_poll_command_acknowledges_by_a_read(pic: Pic8259Pair) -> None:
    pic.write_port(MASTER, 1, 0x0C)
    assert pic.read_port(MASTER, 1) == 0
    pulse(pic, 6)
    pic.write_port(MASTER, 1, 0x0C)
    assert pic.read_port(MASTER, 1) == 0x86
    assert isr(pic) == 0x40


def test_the_special_mask_mode_lets_lower_lines_through_a_masked_service(pic: Pic8259Pair) -> None:
    pulse(pic, 1)
    pic.acknowledge()
    pic.write_port(MASTER + 1, 1, 0x02)
    pulse(pic, 5)
    assert pic.pending() is None
    pic.write_port(MASTER, 1, 0x68)
    assert pic.pending() == 0x25
    pic.write_port(MASTER, 1, 0x48)
    assert pic.pending() is None


def test_special_full_nesting_lets_the_slave_interrupt_itself() -> None:
    pic = Pic8259Pair()
    for port, words in ((MASTER, (0x11, 0x20, 0x04, 0x11)), (SLAVE, (0x11, 0x28, 0x02, 0x11))):
        pic.write_port(port, 1, words[0])
        for word in words[1:]:
            pic.write_port(port + 1, 1, word)
    pulse(pic, 12)
    pic.acknowledge()
    pulse(pic, 8)
    assert pic.pending() == 0x28


@pytest.mark.parametrize(
    ("first", "rest"),
    [(0x10, (0x40, 0x04)), (0x12, (0x40,)), (0x13, (0x40, 0x01)), (0x11, (0x40, 0x04, 0x01))],
    ids=["no ICW4", "single, no ICW4", "single, with ICW4", "cascade and ICW4"],
)
def test_the_mask_port_takes_masks_again_after_the_words_it_was_promised(
    first: int, rest: tuple[int, ...]
) -> None:
    pic = Pic8259Pair()
    pic.write_port(MASTER, 1, first)
    for word in rest:
        pic.write_port(MASTER + 1, 1, word)
    pic.write_port(MASTER + 1, 1, 0xA5)
    assert pic.read_port(MASTER + 1, 1) == 0xA5


def test_a_level_line_asks_again_until_it_falls(pic: Pic8259Pair) -> None:
    pic.write_port(0x4D0, 2, 0xFFFF)
    assert pic.read_port(0x4D0, 2) == 0xDEF8
    pic.set_line(5, True)
    pic.acknowledge()
    pic.write_port(MASTER, 1, 0x20)
    assert pic.pending() == 0x25
    pic.set_line(5, False)
    assert pic.pending() is None


def test_the_state_goes_into_another_pair_and_shares_nothing_with_it(pic: Pic8259Pair) -> None:
    pulse(pic, 0, 12)
    pic.acknowledge()
    state, copy = pic.state(), Pic8259Pair()
    copy.load_state(state)
    pic.write_port(MASTER, 1, 0x20)
    assert copy.state() == state != pic.state()
    copy.write_port(MASTER, 1, 0x20)
    assert copy.acknowledge() == 0x2C
