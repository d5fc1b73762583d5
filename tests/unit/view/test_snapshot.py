# SPDX-License-Identifier: GPL-2.0-or-later
"""A snapshot of the real guest at the fault of `overrun`."""

import pytest

from emu.lesson import Call, Kind, Lab
from emu.view.snapshot import Moment, Snapshot, snapshot
from emu.view.spans import plain


@pytest.fixture(scope="module")
def at_the_fault() -> Snapshot:
    lab = Lab()
    lab.boot("overrun")
    lab.run_until(Call("fill_window"))  # the pages before it come by faults of their own
    lab.run_until(Kind.FAULT)
    seq = next(e.insn for e in reversed(lab.events) if e.kind is Kind.FAULT)
    step = [event for event in lab.events if event.insn == seq]
    return snapshot(lab.inspector, Moment(step, lab.events))


def test_the_access_is_named_and_its_refusal_explained(at_the_fault: Snapshot) -> None:
    access = at_the_fault.access
    text = "\n".join(plain(row) for row in access.lines(78))
    assert access.headline == "write at window+0x1000"
    assert "✗ PTE" in text
    assert "#PF error 0x6 = write + user + not present" in text
    assert "has P = 0" in text


def test_covered_results_are_never_blank_and_give_nothing_away(at_the_fault: Snapshot) -> None:
    rows = [plain(row) for row in at_the_fault.access.lines(78, covered=True)]
    assert all("▒▒▒" in row for row in rows[2:6])
    assert not any("✗" in row or "refused" in row for row in rows[6:])


def test_the_walk_can_be_seen_one_entry_at_a_time(at_the_fault: Snapshot) -> None:
    rows = [plain(row) for row in at_the_fault.access.lines(78, entry=1)]
    assert "▸" in rows[3]
    assert "▒▒▒" not in rows[3]
    assert "▒▒▒" in rows[4]


def test_the_source_is_that_of_the_refused_instruction(at_the_fault: Snapshot) -> None:
    code = at_the_fault.code
    assert code.file.endswith("overrun.c")
    assert code.refused
    assert "trap" in code.then


def test_calls_and_jumps_say_where_they_go_by_name() -> None:
    lab = Lab()
    lab.boot("overrun")
    lab.run_until(Call("fill_window"))
    words = [i.text for i in snapshot(lab.inspector, Moment([], lab.events)).code.instructions]
    jumps = [text for text in words if text.startswith("j")]
    assert jumps
    assert all("fill_window+" in text for text in jumps)


def test_every_panel_fits_its_width(at_the_fault: Snapshot) -> None:
    for grid in at_the_fault.tlb:
        assert all(len(plain(row)) <= 43 for row in grid.lines(43, 9))
    assert all(len(plain(row)) <= 72 for row in at_the_fault.frames.lines(72, 9))
    assert all(len(plain(row)) <= 72 for row in at_the_fault.access.lines(72))
    assert all(len(plain(row)) <= 25 for c in at_the_fault.counters for row in [c.line(25)])


def test_a_second_look_at_the_same_moment_shows_no_change(at_the_fault: Snapshot) -> None:
    assert not any(row.changed for row in at_the_fault.registers)
    assert not any(cell.changed for grid in at_the_fault.tlb for row in grid.sets for cell in row)
    assert not at_the_fault.frames.changed
