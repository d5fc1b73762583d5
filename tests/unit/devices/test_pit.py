# SPDX-License-Identifier: GPL-2.0-or-later
"""The interval timer: when line 0 rises, what a guest reads back."""

import pytest

from emu.devices import Pit8254
from emu.devices.pit import clock_of_tick, tick_at


class Line:
    """Remembers the clock value of every rising edge."""

    def __init__(self) -> None:
        self.level = False
        self.rises = 0

    def __call__(self, level: bool) -> None:
        self.rises += level and not self.level
        self.level = level


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def pit(line: Line) -> Pit8254:
    return Pit8254(line)


def program(pit: Pit8254, mode: int, count: int, channel: int = 0) -> None:
    pit.write_port(0x43, 1, channel << 6 | 0x30 | mode << 1)
    pit.write_port(0x40 + channel, 1, count & 0xFF)
    pit.write_port(0x40 + channel, 1, count >> 8)


def due_times(pit: Pit8254, number: int) -> list[int]:
    times: list[int] = []
    for _ in range(number):
        due = pit.next_due()
        assert due is not None
        pit.advance(due)
        times.append(due)
    return times


def read_word(pit: Pit8254, channel: int = 0) -> int:
    return pit.read_port(0x40 + channel, 1) | pit.read_port(0x40 + channel, 1) << 8


def test_a_tick_falls_on_the_floor_of_its_exact_time() -> None:
    assert [clock_of_tick(k) for k in (0, 1, 2, 1_193_182)] == [0, 83, 167, 100_000_000]
    for tick in (0, 1, 2, 3, 1000, 99_999, 1_193_182):
        assert tick_at(clock_of_tick(tick)) == tick
        assert tick_at(clock_of_tick(tick + 1) - 1) == tick


@pytest.mark.parametrize("mode", [2, 3])
def test_periodic_modes_raise_the_line_once_a_period_without_drift(
    pit: Pit8254, line: Line, mode: int
) -> None:
    program(pit, mode, 11_932)
    before = line.rises
    times = due_times(pit, 100)
    assert times == [(k + 1) * 11_932 * 100_000_000 // 1_193_182 for k in range(100)]
    assert line.rises - before == 100


def test_the_line_does_not_move_before_its_time(pit: Pit8254, line: Line) -> None:
    program(pit, 2, 1000)
    due = pit.next_due()
    assert due is not None
    pit.advance(due - 1)
    assert line.rises == 0
    pit.advance(due)
    assert line.rises == 1
    pit.advance(due - 1)
    assert line.rises == 1


def test_periods_that_passed_unseen_are_one_edge(pit: Pit8254, line: Line) -> None:
    program(pit, 2, 1000)
    pit.advance(clock_of_tick(5500))
    assert line.rises == 1
    assert pit.next_due() == clock_of_tick(6000)


def test_a_count_starts_at_the_tick_it_was_written_in(pit: Pit8254) -> None:
    pit.advance(clock_of_tick(77) + 5)
    program(pit, 2, 1000)
    assert pit.next_due() == clock_of_tick(1077)


def test_a_count_of_0_is_65536(pit: Pit8254) -> None:
    program(pit, 2, 0)
    assert pit.next_due() == clock_of_tick(65_536)


def test_mode_0_raises_the_line_once_and_stays_up(pit: Pit8254, line: Line) -> None:
    program(pit, 0, 100)
    assert not line.level
    assert due_times(pit, 1) == [clock_of_tick(100)]
    assert (line.rises, line.level, pit.next_due()) == (1, True, None)
    pit.advance(clock_of_tick(1000))
    assert line.rises == 1


def test_mode_1_has_no_rise_of_its_own_once_started(pit: Pit8254, line: Line) -> None:
    program(pit, 1, 100)
    assert line.level and pit.next_due() is None
    pit.advance(clock_of_tick(100))
    assert not line.level


def test_modes_4_and_5_strobe_for_one_tick(pit: Pit8254, line: Line) -> None:
    program(pit, 4, 100)
    due_times(pit, 1)
    assert line.level
    pit.advance(clock_of_tick(101))
    assert not line.level and pit.next_due() is None


def test_a_square_wave_is_up_for_the_first_half_and_counts_down_by_two(pit: Pit8254, line: Line) -> None:
    program(pit, 3, 1000)
    assert line.level
    pit.advance(clock_of_tick(100))
    assert read_word(pit) == 800
    pit.advance(clock_of_tick(500))
    assert not line.level


@pytest.mark.parametrize(("mode", "expected"), [(0, 0x10000 - 5), (2, 95)])
def test_the_count_can_be_read_while_it_runs(pit: Pit8254, mode: int, expected: int) -> None:
    program(pit, mode, 100)
    pit.advance(clock_of_tick(105))
    assert read_word(pit) == expected


def test_a_latched_count_stays_until_it_was_read_and_a_second_latch_is_ignored(pit: Pit8254) -> None:
    program(pit, 2, 1000)
    pit.advance(clock_of_tick(10))
    pit.write_port(0x43, 1, 0x00)
    pit.advance(clock_of_tick(20))
    pit.write_port(0x43, 1, 0x00)
    assert read_word(pit) == 990
    assert read_word(pit) == 980


@pytest.mark.parametrize(("access", "count", "period"), [(1, 0x34, 0x34), (2, 0x12, 0x1200)])
def test_one_byte_access_writes_and_reads_that_byte(
    pit: Pit8254, access: int, count: int, period: int
) -> None:
    pit.write_port(0x43, 1, access << 4 | 4)
    pit.write_port(0x40, 1, count)
    assert pit.next_due() == clock_of_tick(period)
    assert pit.read_port(0x40, 1) == count
    pit.write_port(0x43, 1, 0x00)
    assert [pit.read_port(0x40, 1) for _ in range(2)] == [count, count]


def test_before_any_control_word_a_count_is_one_byte(pit: Pit8254) -> None:
    pit.write_port(0x43, 1, 0x00)
    pit.write_port(0x40, 1, 7)
    assert pit.read_port(0x40, 1) == 7


def test_the_read_back_command_holds_count_and_status_of_the_chosen_counters(pit: Pit8254) -> None:
    program(pit, 2, 1000)
    pit.write_port(0x43, 1, 0xC0 | 2)
    pit.write_port(0x43, 1, 0xE0 | 2)
    pit.advance(clock_of_tick(10))
    assert pit.read_port(0x40, 1) == 0x34
    assert read_word(pit) == 1000
    assert read_word(pit) == 990
    pit.write_port(0x43, 1, 0xF0 | 2)
    assert read_word(pit) == 990


def test_the_control_port_reads_0(pit: Pit8254) -> None:
    assert pit.read_port(0x43, 1) == 0


def test_the_gate_port_starts_channel_2_and_shows_its_output(pit: Pit8254) -> None:
    program(pit, 0, 100, channel=2)
    pit.write_port(0x61, 1, 0x03)
    assert pit.read_port(0x61, 1) & 0x23 == 0x03
    pit.advance(clock_of_tick(100))
    assert pit.read_port(0x61, 1) & 0x23 == 0x23


def test_a_rising_gate_restarts_a_periodic_counter(pit: Pit8254) -> None:
    program(pit, 2, 100, channel=2)
    pit.advance(clock_of_tick(30))
    pit.write_port(0x61, 1, 1)
    assert read_word(pit, 2) == 100
    pit.advance(clock_of_tick(40))
    pit.write_port(0x61, 1, 1)
    assert read_word(pit, 2) == 90


def test_the_state_goes_into_another_timer(pit: Pit8254) -> None:
    program(pit, 2, 1000)
    pit.advance(clock_of_tick(123))
    pit.write_port(0x43, 1, 0xC0 | 14)
    pit.write_port(0x61, 1, 2)
    copy = Pit8254(lambda level: None)
    copy.load_state(pit.state())
    assert copy.state() == pit.state()
    assert copy.next_due() == pit.next_due()
