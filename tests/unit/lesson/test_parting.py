# SPDX-License-Identifier: GPL-2.0-or-later
"""Two runs from one moment, one of them changed: where they part, and that the change is the only cause."""

import pytest

from emu.bits import LinearAddress
from emu.guest.switches import SwitchError
from emu.lesson.boot import Booted
from emu.lesson.conditions import At, Call
from emu.lesson.lab import Lab
from emu.lesson.parting import Flip, Fork, Parting, Set, WhatIfError, parse_change, part
from emu.view.walk import WalkRow, walk_view


@pytest.fixture(scope="module")
def booted() -> Booted:
    lab = Lab()
    lab.boot("overrun")
    lab.run_until(Call("ukshm_map"), then="return")
    lab.run_until(At("fill_window"))
    return lab.booted


@pytest.fixture(scope="module")
def fork(booted: Booted) -> Fork:
    journal = booted.machine.journal
    return Fork(booted.request, (), journal.insn, journal.seq)


@pytest.fixture(scope="module")
def row(booted: Booted) -> WalkRow:
    """The window's PTE."""
    linear = LinearAddress(int(booted.inspector.address("*window")))
    return walk_view(booted.inspector, linear).rows[-1]


def ask(fork: Fork, change: Flip | Set, instructions: int | None) -> Parting:
    return part(fork, change, instructions, lambda insn: None)


def test_a_page_made_read_only_is_refused_at_the_first_store(
    booted: Booted, fork: Fork, row: WalkRow
) -> None:
    parting = ask(fork, parse_change("rw", row, booted), 2_000)
    assert parting.a[0].kind == parting.b[0].kind == "entry_read"
    assert "fault" in [told.kind for told in parting.b]
    assert "fault" not in [told.kind for told in parting.a]
    assert parting.comparison.frames, "the flipped bit is in memory too"


def test_a_bit_that_nobody_reads_changes_nothing_but_memory(booted: Booted, fork: Fork, row: WalkRow) -> None:
    parting = ask(fork, parse_change("P", row, booted), 1)
    assert (parting.a, parting.b) == ((), ())
    assert parting.comparison.frames == (row.address >> 12,)


def test_a_switch_at_the_value_it_has_parts_nowhere(booted: Booted, fork: Fork) -> None:
    parting = ask(fork, Set("ukshm.guard", "on"), None)
    assert (parting.a, parting.b) == ((), ())
    assert parting.ends[0] == parting.ends[1]


def test_a_switch_parts_at_what_the_guest_does_and_not_at_its_longer_command_line(
    booted: Booted, fork: Fork
) -> None:
    parting = ask(fork, Set("ukshm.guard", "off"), None)
    assert parting.same > 20
    kinds = {told.kind for told in (*parting.a, *parting.b)}
    assert kinds <= {"mark", "syscall", "fault", "upcall", "ack", "console"}
    assert parting.question == "What if ukshm.guard had been off, not on?"


@pytest.mark.parametrize("text", ["", "nothing", "64", "-1", "\uff19", "1e3"])
def test_no_bit_is_refused_in_one_line(text: str, booted: Booted, row: WalkRow) -> None:
    with pytest.raises(WhatIfError, match="is no bit") as refused:
        parse_change(text, row, booted)
    assert "\n" not in str(refused.value)


def test_a_bit_needs_a_walk_and_a_switch_needs_one_that_there_is(booted: Booted) -> None:
    with pytest.raises(WhatIfError, match="no walk is in view"):
        parse_change("P", None, booted)
    with pytest.raises(SwitchError, match=r"ukshm\.guard"):
        parse_change("ukshm.gard=off", None, booted)


def test_whoever_watches_can_stop_it(booted: Booted, fork: Fork, row: WalkRow) -> None:
    class Enough(Exception):
        pass

    def watch(insn: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        part(fork, parse_change("rw", row, booted), None, watch)
