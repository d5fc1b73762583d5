# SPDX-License-Identifier: GPL-2.0-or-later
import gzip

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.trace.header import TraceError
from emu.trace.normal import (
    FrameNumbers,
    Normaliser,
    first_difference,
    normal_lines,
    read_golden,
    write_golden,
)

from .conftest import any_event

WINDOW = 0x7000_0000_0000


def name_address(linear, event):
    if WINDOW <= linear < WINDOW + 0x2000:
        offset = linear - WINDOW
        return f"window+{offset:#x}" if offset else "window"
    return None


def normalise(events, areas=("window",)):
    return list(Normaliser(name_address, FrameNumbers(lambda frame, event: "UKSHM"), areas)(events))


def test_the_normal_form_has_names_where_a_trace_has_numbers(one_of_each):
    assert normalise(one_of_each) == [
        {"kind": "tlb_fill", "cpl": 3, "array": "L1d", "page": "window", "frame": "UKSHM#0", "page_bytes": 4096,
         "global": False, "rights": "user, write"},
        {"kind": "tlb_evict", "cpl": 3, "array": "L1d", "page": "window", "frame": "UKSHM#0", "page_bytes": 4096,
         "global": False, "rights": "user, write"},
        {"kind": "invalidate", "cpl": 3, "operation": "INVLPG", "scope": "window", "dropped": ["L1d[1].2 window"]},
        {"kind": "fault", "cpl": 3, "vector": 14, "error_bits": "write + user", "reason": "NOT_PRESENT", "level": "PTE",
         "cr2": "window+0x1000"},
        {"kind": "syscall", "cpl": 3, "name": "write", "arguments": [1, "window+0x10", 5], "result": -14},
        {"kind": "upcall", "cpl": 3, "name": "handler", "arguments": [1]},
        {"kind": "ack", "cpl": 3, "name": "ack", "arguments": [1, 2]},
        {"kind": "mark", "cpl": 3, "name": "frame_owner",
         "arguments": {"frame_number": "UKSHM#0", "owner": "UKSHM", "pid": -1}},
    ]  # fmt: skip


def test_tlb_entries_outside_the_named_areas_are_left_out(one_of_each):
    kinds = [line["kind"] for line in normalise(one_of_each, areas=())]
    assert "tlb_fill" not in kinds
    assert "tlb_evict" not in kinds
    assert normalise(one_of_each, areas=())[0] == {
        "kind": "invalidate", "cpl": 3, "operation": "INVLPG", "scope": "window", "dropped": [],
    }  # fmt: skip


@given(any_event, st.integers(0, 2**32), st.integers(0, 2**32), st.integers(0, 2**64 - 1))
def test_where_and_when_something_happened_does_not_matter(event, seq, insn, rip):
    moved = msgspec.structs.replace(event, seq=seq, insn=insn, rip=rip)
    assert normalise([event]) == normalise([moved])


@given(st.lists(any_event, max_size=5))
def test_no_address_of_the_kernel_reaches_the_normal_form(events):
    text = normal_lines(normalise(events)).decode()
    assert "0xffff" not in text.replace("\\u", "")


def test_an_address_that_nothing_names_is_elsewhere(one_of_each):
    fault = msgspec.structs.replace(one_of_each[6], cr2=0xFFFF_8000_0000_0000)
    assert normalise([fault])[0]["cr2"] == "elsewhere"
    call = msgspec.structs.replace(
        one_of_each[9], arguments=[0xFFFF_8000_0000_0000, 4096, 2**64 - 1], result=None
    )
    assert normalise([call])[0]["arguments"] == ["elsewhere", 4096, -1]
    flush = msgspec.structs.replace(
        one_of_each[5], scope="all but global", dropped=["L1d[0].0 0xffff_8000_0000_0000"]
    )
    assert normalise([flush])[0]["scope"] == "all but global"
    assert normalise([flush])[0]["dropped"] == []


def test_an_address_keeps_the_pcid_it_was_invalidated_in(one_of_each):
    one = msgspec.structs.replace(one_of_each[5], scope="0x0000_7000_0000_1000 in PCID 2, but global")
    assert normalise([one])[0]["scope"] == "window+0x1000 in PCID 2, but global"


def test_a_pcid_is_told_where_it_is_not_0(one_of_each):
    fill = msgspec.structs.replace(one_of_each[3], pcid=3)
    assert normalise([fill])[0]["pcid"] == 3
    assert "pcid" not in normalise([one_of_each[3]])[0]


def test_a_small_number_stays_a_number_whatever_is_named_there(one_of_each):
    named = Normaliser(lambda linear, event: "low", FrameNumbers(lambda frame, event: "x"))
    assert next(named([one_of_each[10]]))["arguments"] == [1]


def test_the_arguments_of_a_mark_are_named_by_what_they_are(one_of_each):
    arguments = {
        "frame_number": 5,
        "root": 0x5000,
        "linear": WINDOW + 1,
        "handler": 0x10,
        "count": 3,
        "name": "x",
    }
    mark = msgspec.structs.replace(one_of_each[16], arguments=arguments)
    assert normalise([mark])[0]["arguments"] == {
        "frame_number": "UKSHM#0",
        "root": "UKSHM#0",
        "linear": "window+0x1",
        "handler": "elsewhere",
        "count": 3,
        "name": "x",
    }


def test_what_time_it_was_and_how_much_memory_was_free_is_left_out_but_not_what_was_lost(one_of_each):
    packet = msgspec.structs.replace(one_of_each[16], name="packet_in", arguments={"id": 1, "time": 4475})
    books = {"free_at_start": 967, "free_at_end": 965}
    balance = msgspec.structs.replace(one_of_each[16], name="balance", arguments=books)
    assert [line["arguments"] for line in normalise([packet, balance])] == [{"id": 1}, {"lost": 2}]


def test_frames_are_numbered_by_owner_in_the_order_they_are_met(one_of_each):
    owners = {7: "FREE", 8: "FREE", 9: "USER"}
    numbers = FrameNumbers(lambda frame, event: owners[frame])
    assert [numbers(frame, one_of_each[0]) for frame in (8, 9, 7, 8)] == [
        "FREE#0",
        "USER#0",
        "FREE#1",
        "FREE#0",
    ]
    owners[8] = "USER"
    assert numbers(8, one_of_each[0]) == "USER#1"


def test_a_golden_trace_is_the_same_bytes_each_time_and_comes_back(tmp_path, one_of_each):
    normal = normalise(one_of_each)
    for name in ("a", "b"):
        write_golden(tmp_path / name, normal)
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    assert data[3:8] == b"\0\0\0\0\0"
    assert read_golden(tmp_path / "a") == normal


CUT = gzip.compress(b"{}\n{}\n", mtime=0)[:-9]


@pytest.mark.parametrize("data", [b"x", gzip.compress(b"x", mtime=0), CUT, gzip.compress(b"\xff", mtime=0)])
def test_what_is_no_golden_trace_is_refused(tmp_path, data):
    (tmp_path / "g").write_bytes(data)
    with pytest.raises(TraceError, match=r"golden trace .*cannot be read"):
        read_golden(tmp_path / "g")


def test_a_golden_trace_that_is_missing_or_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(TraceError, match="No such file"):
        read_golden(tmp_path / "none")
    with pytest.raises(TraceError, match="cannot be written"):
        write_golden(tmp_path / "none" / "g", [])


def test_the_first_difference_of_two_normal_forms_is_told_in_words(one_of_each):
    normal = normalise(one_of_each)
    assert first_difference(normal, [dict(line) for line in normal]) is None
    changed = [dict(line) for line in normal]
    changed[3]["cr2"] = "elsewhere"
    assert (
        first_difference(normal, changed) == 'line 4 (fault): expected cr2 "window+0x1000", found "elsewhere"'
    )
    assert first_difference(normal[:1], normal[:2]).endswith("is new")
    assert first_difference(normal[:2], normal[:1]).endswith("is missing")
    assert first_difference(normal[:1], normal[2:3]).startswith("line 1: expected {")
