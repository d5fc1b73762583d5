# SPDX-License-Identifier: GPL-2.0-or-later
import msgspec
import pytest

from emu.events import (
    EVENT_TYPES,
    Accessed,
    AnyEvent,
    ConsoleWritten,
    Event,
    Interrupted,
    Journal,
    Kind,
    TlbFilled,
    fields_of,
)


def test_every_kind_has_one_type_and_the_kind_is_its_tag() -> None:
    assert list(EVENT_TYPES) == list(Kind)
    for kind, made in EVENT_TYPES.items():
        assert made.__struct_config__.tag == kind


def test_an_event_knows_its_kind() -> None:
    event = ConsoleWritten(seq=0, insn=0, cpu=0, cpl=0, rip=0, text="x")
    assert event.kind is Kind.CONSOLE


def test_an_event_goes_to_json_and_comes_back() -> None:
    event = TlbFilled(
        seq=1, insn=2, cpu=0, cpl=3, rip=4, array="L1D 4K", set=5, way=6, page=7, frame=8,
        page_bytes=4096, pcid=0, is_global=True, rights="UWX", cause="miss",
    )  # fmt: skip
    line = msgspec.json.encode(event)
    assert b'"kind":"tlb_fill"' in line
    assert b'"global":true' in line
    assert msgspec.json.decode(line, type=AnyEvent) == event


def test_an_event_cannot_be_changed() -> None:
    event = Interrupted(seq=0, insn=0, cpu=0, cpl=0, rip=0, vector=32, source="external")
    with pytest.raises(AttributeError):
        event.vector = 33  # type: ignore[misc]


def test_an_event_s_own_fields_come_in_their_order_without_the_common_ones() -> None:
    event = Interrupted(seq=0, insn=0, cpu=0, cpl=0, rip=0, vector=32, source="external")
    assert list(fields_of(event).items()) == [("vector", 32), ("source", "external")]


def test_the_journal_numbers_events_and_says_where_they_happened() -> None:
    journal = Journal()
    seen: list[Event] = []
    journal.observers.append(seen.append)
    journal.insn, journal.cpu, journal.cpl, journal.rip = 5, 1, 3, 0x1000
    journal.report(Interrupted, vector=1, source="external")
    journal.report(Interrupted, vector=2, source="external")
    assert [(e.seq, e.insn, e.cpu, e.cpl, e.rip) for e in seen] == [
        (0, 5, 1, 3, 0x1000),
        (1, 5, 1, 3, 0x1000),
    ]


def test_every_observer_hears_every_event_in_turn() -> None:
    journal = Journal()
    heard: list[tuple[str, int]] = []
    journal.observers += [lambda e: heard.append(("first", e.seq)), lambda e: heard.append(("second", e.seq))]
    journal.report(ConsoleWritten, text="a")
    journal.report(ConsoleWritten, text="b")
    assert heard == [("first", 0), ("second", 0), ("first", 1), ("second", 1)]


def test_events_that_nobody_hears_are_numbered_all_the_same() -> None:
    journal = Journal()
    journal.report(ConsoleWritten, text="lost")
    seen: list[Event] = []
    journal.observers.append(seen.append)
    journal.report(ConsoleWritten, text="heard")
    assert [event.seq for event in seen] == [1]


def test_the_clock_is_instructions_plus_idle_time() -> None:
    journal = Journal()
    journal.insn, journal.idle = 70, 30
    assert journal.clock == 100


def test_the_journal_goes_back_to_a_state() -> None:
    journal = Journal()
    journal.load_state((1, 2, 3, 4, 5, 6))
    assert (journal.seq, journal.insn, journal.idle, journal.cpu, journal.cpl, journal.rip) == (
        1,
        2,
        3,
        4,
        5,
        6,
    )
    assert journal.state() == (1, 2, 3, 4, 5, 6)


def test_an_access_event_carries_all_the_contract_names() -> None:
    own = [name for name in Accessed.__struct_fields__ if name not in Event.__struct_fields__]
    assert own == ["linear", "physical", "size", "type", "implicit", "tlb", "stale"]


def test_a_listener_gets_the_events_of_its_type_and_no_others() -> None:
    journal = Journal()
    seen: list[Event] = []
    journal.listen(ConsoleWritten, seen.append)
    journal.report(Interrupted, vector=1, source="external")
    journal.report(ConsoleWritten, text="x")
    assert [(event.kind, event.seq) for event in seen] == [(Kind.CONSOLE, 1)]
    assert (journal.wants(ConsoleWritten), journal.wants(Interrupted)) == (True, False)


def test_the_last_events_are_those_that_an_observer_would_have_seen() -> None:
    journal, watched = Journal(), Journal()
    seen: list[Event] = []
    watched.observers.append(seen.append)
    journal.keep_last(4)
    for number in range(3):
        journal.insn = watched.insn = number
        journal.pass_over(2, lambda n: [(ConsoleWritten, {"text": f"{n}{part}"}) for part in "ab"], number)
        journal.report(Interrupted, vector=number, source="external")
        for part in "ab":
            watched.report(ConsoleWritten, text=f"{number}{part}")
        watched.report(Interrupted, vector=number, source="external")
    assert journal.last_events() == seen[-4:]
    assert journal.seq == watched.seq == 9


def test_nothing_is_kept_unless_somebody_asks() -> None:
    journal = Journal()
    journal.report(ConsoleWritten, text="x")
    assert journal.last_events() == []


def test_silence_numbers_on_and_ends() -> None:
    journal = Journal()
    seen: list[Event] = []
    journal.observers.append(seen.append)
    journal.listen(ConsoleWritten, seen.append)
    journal.keep_last(3)
    with journal.silence():
        journal.report(ConsoleWritten, text="x")
    assert (seen, journal.last_events(), journal.seq) == ([], [], 1)
    journal.report(ConsoleWritten, text="y")
    assert [event.seq for event in seen] == [1, 1]
