# SPDX-License-Identifier: GPL-2.0-or-later
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.events import ConsoleWritten
from emu.trace.diff import diff, diff_files
from emu.trace.header import TraceError, TraceHeader
from emu.trace.recorder import write_trace

from .conftest import any_event


def lines(*texts):
    return [ConsoleWritten(seq=i, insn=i, cpu=0, cpl=3, rip=0, text=t) for i, t in enumerate(texts)]


@given(st.lists(any_event, max_size=5))
def test_a_trace_does_not_differ_from_itself(events):
    assert diff(events, list(events)) is None


def test_the_first_difference_comes_with_what_is_around_it():
    found = diff(lines(*"abcdefghi"), lines(*"abcdeXghi"), context=2)
    assert found is not None
    assert found.index == 5
    assert [e.text for e in found.before] == ["d", "e"]
    assert [e.text for e in found.a] == ["f", "g", "h"]
    assert [e.text for e in found.b] == ["X", "g", "h"]
    assert found.in_words() == "event 5 (console) differs in text"
    marks = [row[0] for row in found.text().splitlines()[1:]]
    assert marks == ["=", "=", "-", "-", "-", "+", "+", "+"]


def test_a_trace_that_ends_early_is_a_difference():
    found = diff(lines("a"), lines("a", "b"))
    assert found.in_words() == "the first trace ends after 1 events; the other goes on with console"
    other = diff(lines("a", "b"), lines("a"))
    assert other.in_words() == "the second trace ends after 1 events; the other goes on with console"


def test_another_kind_of_event_is_told_by_kind(one_of_each):
    found = diff(one_of_each[:1], one_of_each[1:2])
    assert found.in_words() == "event 0 is access in the first trace and entry_read in the second"


def test_every_field_counts(one_of_each):
    event = one_of_each[0]
    moved = msgspec.structs.replace(event, rip=event.rip + 1, seq=event.seq + 1)
    assert diff([event], [moved]).in_words() == "event 0 (access) differs in seq, rip"


def test_headers_are_told_apart_from_events(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    write_trace(a, TraceHeader(seed=1), lines("x"))
    write_trace(b, TraceHeader(seed=2), lines("x"))
    assert diff_files(a, b) == (["seed: 1 and 2"], None)


def test_two_long_traces_are_compared_in_constant_memory():
    import tracemalloc

    def many():
        return (ConsoleWritten(seq=i, insn=i, cpu=0, cpl=3, rip=0, text="x") for i in range(30_000))

    tracemalloc.start()
    assert diff(many(), many()) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 18


def test_a_trace_cut_in_half_is_an_error_and_no_difference(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for path in (a, b):
        write_trace(path, TraceHeader(), lines("x", "y"))
    b.write_bytes(b.read_bytes()[:-3])
    with pytest.raises(TraceError, match="cut short"):
        diff_files(a, b)
