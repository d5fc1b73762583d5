# SPDX-License-Identifier: GPL-2.0-or-later
"""Events to record: one of each kind by hand, and any of any kind by hypothesis."""

import msgspec
import pytest
from hypothesis import strategies as st

from emu import events as ev
from emu.events import EVENT_TYPES, Event, Kind

COMMON = {"insn": 7, "cpu": 0, "cpl": 3, "rip": 0x401000}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BY_TYPE = {
    int: st.integers(0, 2**64 - 1),
    str: TEXT,
    bool: st.booleans(),
    int | None: st.none() | st.integers(0, 2**64 - 1),
    str | None: st.none() | TEXT,
    list[str]: st.lists(TEXT, max_size=3),
    list[int]: st.lists(st.integers(0, 2**64 - 1), max_size=6),
    dict[str, int | str]: st.dictionaries(TEXT, st.integers(-(2**63), 2**64 - 1) | TEXT, max_size=4),
}


def events_of(make: type[Event]) -> st.SearchStrategy[Event]:
    fields = {f.name: BY_TYPE[f.type] for f in msgspec.structs.fields(make)}
    return st.builds(make, **fields)


any_event = st.one_of([events_of(make) for make in EVENT_TYPES.values()])


@pytest.fixture
def one_of_each() -> list[Event]:
    entry = {"level": "PTE", "table": 0x3000, "index": 1, "address": 0x3008, "why": "walk"}
    cached = {
        "array": "L1d", "set": 1, "way": 2, "page": 0x7_0000_0000, "frame": 0x155, "page_bytes": 4096, "pcid": 0,
        "is_global": False, "rights": "user, write", "cause": "read miss",
    }  # fmt: skip
    access = {"linear": 0x7000_0000_0123, "physical": 0x155123, "size": 4, "type": "read", "implicit": False}
    fault = {
        "error_bits": "write + user",
        "reason": "NOT_PRESENT",
        "entry": 0x3008,
        "entry_value": 0,
        "level": "PTE",
    }
    call = {"arguments": [1, 0x7000_0000_0010, 5], "result": 2**64 - 14}
    made: list[tuple[type[Event], dict[str, object]]] = [
        (ev.Accessed, {**access, "tlb": "miss", "stale": False}),
        (ev.EntryRead, {**entry, "before": 0x155007, "after": 0x155007}),
        (ev.EntryWritten, {**entry, "before": 0x155007, "after": 0x155027, "why": "A"}),
        (ev.TlbFilled, cached),
        (ev.TlbEvicted, {**cached, "cause": "read miss"}),
        (ev.Invalidated, {"operation": "INVLPG", "scope": "0x0000_7000_0000_0000",
                          "dropped": ["L1d[1].2 0x0000_7000_0000_0000"]}),
        (ev.Faulted, {**fault, "vector": 14, "error": 6, "cr2": 0x7000_0000_1000}),
        (ev.Interrupted, {"vector": 32, "source": "external"}),
        (ev.Returned, {"instruction": "iretq", "to_rip": 0x401000, "to_cpl": 3}),
        (ev.SyscallEntered, {"number": 1, "name": "write", **call}),
        (ev.UpcallMade, {"name": "handler", "arguments": [1]}),
        (ev.Acknowledged, {"name": "ack", "arguments": [1, 2]}),
        (ev.PortAccessed, {"device": "COM1", "address": 0x3F8, "data": 0x41, "write": True}),
        (ev.DmaDone, {"device": "disk", "address": 0x5000, "size": 2, "data": "00ff", "write": True}),
        (ev.ConsoleWritten, {"text": "2: hello \x1b[31m"}),
        (ev.InputApplied, {"actor": "type", "address": 0, "data": "0a"}),
        (ev.Marked, {"name": "frame_owner", "arguments": {"frame_number": 0x155, "owner": "UKSHM", "pid": -1}}),
    ]  # fmt: skip
    events = [make(seq=i, **COMMON, **fields) for i, (make, fields) in enumerate(made)]
    assert [e.kind for e in events] == list(Kind)
    return events
