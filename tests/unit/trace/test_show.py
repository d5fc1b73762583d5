# SPDX-License-Identifier: GPL-2.0-or-later
import msgspec
import pytest
from hypothesis import given

from emu.events import Kind
from emu.trace.header import TraceError
from emu.trace.show import describe, format_event, parse_range, select
from emu.trace.stats import count

from .conftest import any_event

NAMES = {
    0x7000_0000_0123: "window+0x123",
    0x7000_0000_1000: "window+0x1000",
    0x401000: "main",
    0x7000_0000_0010: "window+0x10",
}


def name(address: int) -> str | None:
    return NAMES.get(address)


def test_each_kind_is_told_in_words_with_names_before_numbers(one_of_each):
    told = {event.kind: describe(event, name) for event in one_of_each}
    assert told == {
        Kind.ACCESS: "read of 4 at window+0x123 (0x0000_7000_0000_0123) -> 0x0015_5123, miss",
        Kind.ENTRY_READ: "PTE 1 at 0x0000_3008: 0x15_5007 (walk)",
        Kind.ENTRY_WRITE: "PTE 1 at 0x0000_3008: 0x15_5007 -> 0x15_5027 (A)",
        Kind.TLB_FILL: "L1d set 1 way 2: 0x0000_7000_0000_0000 -> 0x0015_5000, user, write (read miss)",
        Kind.TLB_EVICT: "L1d set 1 way 2: 0x0000_7000_0000_0000 -> 0x0015_5000, user, write (read miss)",
        Kind.INVALIDATE: "INVLPG 0x0000_7000_0000_0000: dropped L1d[1].2 0x0000_7000_0000_0000",
        Kind.FAULT: "vector 14, error 0x6 (write + user), CR2 window+0x1000 (0x0000_7000_0000_1000): NOT_PRESENT, "
        "PTE at 0x0000_3008 = 0x0",
        Kind.INTERRUPT: "vector=32, source=external",
        Kind.RETURN: "iretq to main (0x0000_0000_0040_1000), ring 3",
        Kind.SYSCALL: "write(1, window+0x10, 5) = -14",
        Kind.UPCALL: "handler(1)",
        Kind.ACK: "ack(1, 2)",
        Kind.PORT: "write COM1 0x03f8: 0x41",
        Kind.DMA: "disk wrote to 0x0000_5000 (frame 0x5), 2 bytes: 00ff",
        Kind.CONSOLE: "2: hello \\x1b[31m",
        Kind.INPUT: "actor=type, address=0, data=0a",
        Kind.MARK: "frame_owner(frame_number=341, owner=UKSHM, pid=-1)",
    }


def test_a_page_size_and_a_pcid_are_told_where_they_are_not_the_usual(one_of_each):
    fill = msgspec.structs.replace(one_of_each[3], page=1, page_bytes=1 << 21, pcid=2)
    assert describe(fill).endswith(
        "0x0000_0000_0020_0000 -> 0x0015_5000, user, write, 2M, PCID 2 (read miss)"
    )


def test_a_line_says_where_it_happened(one_of_each):
    text = format_event(one_of_each[7], name)
    assert (
        text.split()
        == "7 insn 7 ring 3 main (0x0000_0000_0040_1000) interrupt: vector=32, source=external".split()
    )


@given(any_event)
def test_no_event_sends_a_control_character_or_a_second_line(event):
    assert format_event(event, lambda address: "na\x1b\nme").isprintable()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("2:5", (2, 5)), (":5", (0, 5)), ("2:", (2, None)), (":", (0, None)), ("0x10:1_000", (16, 1000))],
)
def test_a_range_is_two_event_numbers(text, numbers):
    assert parse_range(text) == numbers


@pytest.mark.parametrize("text", ["", "5", "a:b", "-1:3", "3:-1", "1:2:3", "\x1b:"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(TraceError, match="not two event numbers") as caught:
        parse_range(text)
    assert str(caught.value).isprintable()


def test_events_are_chosen_by_kind_and_number(one_of_each):
    assert [e.seq for e in select(one_of_each, numbers=(3, 6))] == [3, 4, 5]
    assert [e.seq for e in select(one_of_each, frozenset({Kind.FAULT}))] == [6]
    assert [e.seq for e in select(one_of_each, numbers=(15, None))] == [15, 16]


def test_a_trace_is_counted_by_kind_outcome_and_reason(one_of_each):
    later = msgspec.structs.replace(one_of_each[0], insn=9)
    stats = count([*one_of_each, later])
    assert stats.events == 18
    assert stats.by_kind[Kind.ACCESS] == 2
    assert stats.accesses == {"read.miss": 2}
    assert stats.faults == {"NOT_PRESENT": 1}
    assert stats.invalidations == {"INVLPG": 1}
    assert (stats.first_insn, stats.last_insn) == (7, 9)
    assert count([]).first_insn is None
