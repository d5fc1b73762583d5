# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker asked by a scenario, in the guest's own names."""

from html import escape

import pytest

from emu.bits import PAGE_BYTES
from emu.checker import Rule, Severity
from emu.lesson import At, Lab


@pytest.fixture
def lab() -> Lab:
    """At the first instruction of fill_window."""
    lab = Lab()
    lab.boot("overrun")
    lab.run_until(At("fill_window"))
    return lab


def test_a_bit_turned_behind_the_kernels_back_is_found_by_name(lab: Lab) -> None:
    assert lab.check().errors == ()
    main = lab.symbol("main")
    lab.flip(lab.walk(main).rows[-1], "RW")
    (found,) = lab.check().of(Rule.WRITABLE_AND_EXECUTABLE)
    assert (found.severity, found.place.linear) == (Severity.WARNING, main & ~(PAGE_BYTES - 1))
    assert found.place.spaces == ("overrun(2)",)
    assert "[_start]" in str(lab.check())


def test_a_right_taken_without_invalidation_leaves_a_stale_entry_until_there_is_one(lab: Lab) -> None:
    main = lab.symbol("main")
    lab.flip(lab.walk(main).rows[-1], "P")
    stale = lab.check().of(Rule.STALE_GRANTS_MORE)
    assert [found.place.linear for found in stale] == [main & ~(PAGE_BYTES - 1)]
    assert stale[0].slots[0].startswith("L1I")
    lab.invalidate(main)
    assert lab.check().of(Rule.STALE_GRANTS_MORE) == ()


def test_a_window_moved_onto_another_processs_frame_is_an_error(lab: Lab) -> None:
    window, stack = lab.walk(lab.value("window")).rows[-1], lab.walk(0x7FFF_FFFF_E000, "init").rows[-1]
    for bit in range(12, 40):
        if (window.entry ^ stack.entry) >> bit & 1:
            lab.flip(window, bit)
    (error,) = lab.check().of(Rule.USER_REACHES_ANOTHER)
    assert "private to init(1)" in error.what
    assert error.place.linear == lab.value("window")


def test_a_kernel_page_opened_to_user_mode_is_an_error_in_the_address_space_it_is_open_in(lab: Lab) -> None:
    procs = lab.symbol("procs")
    for row in lab.walk(procs).rows:
        lab.flip(row, "US")
    (error,) = lab.check().errors
    assert (error.rule, error.place.spaces) == (Rule.USER_REACHES_KERNEL, ("overrun(2)",))
    assert (error.place.linear, error.place.entries) == (procs & ~(PAGE_BYTES - 1), 1)
    assert lab.check("init").errors == ()


def test_before_paging_is_on_there_is_nothing_to_check() -> None:
    lab = Lab()
    lab.boot("overrun")
    assert str(lab.check()) == "paging is off: there is nothing to check"


def test_as_html_it_is_escaped_text(lab: Lab) -> None:
    assert lab.check()._repr_html_() == f"<pre>{escape(str(lab.check()))}</pre>"


def test_asking_leaves_the_machine_as_it_was(lab: Lab) -> None:
    other = lab.fork()
    lab.check()
    lab.step(500)
    other.step(500)
    assert lab.machine.journal.seq == other.machine.journal.seq
    assert lab.counters == other.counters
