# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that try the allocators, under default switches and with one virtue of shared memory taken away."""

import pytest

from .memory import marks, run, said


def test_a_fresh_shared_page_is_zero_and_without_clearing_it_shows_what_was_the_kernels() -> None:
    assert said(run(program="leaker"))[-3:] == [
        "2: of 65536 fresh bytes 0 were not zero",
        "2: words that look like addresses of the kernel: 0",
        "2: old data of the kernel: none",
    ]
    leaked = said(run(program="leaker", ukshm__zero="off"))[-3:]
    assert leaked[2] == "2: old data of the kernel: READABLE"
    assert int(leaked[1].split()[-1]) > 0


def test_a_shared_page_holds_nothing_else_unless_small_objects_are_shared() -> None:
    assert said(run(program="spy")) == [
        "2: my buffer begins 0 bytes into its page",
        "2: bytes on the page that are not mine: none",
    ]
    lines = said(run(program="spy", ukshm__page_exclusive="off"))
    assert "2: among them I read: a key of the kernel's, for no program to see" in lines
    assert lines[-1].startswith("2: damage: the kernel's key at 0xffff_8880_")


def test_the_limit_refuses_some_and_everything_else_goes_on() -> None:
    lab = run(program="limit")
    lines = said(lab)
    assert "2: 4 children want 20 pages each: 3 have them, 1 were told there is no memory" in lines
    assert "2: a child with 1000 ordinary pages: status 0" in lines
    assert "2: another process: runs" in lines
    assert lines[-1] == "2: after they have ended, so many pages for me: shared"
    assert lab.value("ukshm_statistics.over_limit") == 1
    assert lab.value("ukshm_statistics.pages") == 0


@pytest.mark.nightly  # the lessons `swap` and `types` hold it too
def test_a_limit_that_is_too_large_lets_pinned_pages_take_the_memory_of_others() -> None:
    arguments = ("24", "64", "2700")
    few = said(run(*arguments, program="limit", memory_mib=16))
    assert "2: a child with 2700 ordinary pages: status 0" in few
    many = said(run(*arguments, program="limit", memory_mib=16, ukshm__limit="4000"))
    assert "2: 24 children want 64 pages each: 24 have them, 0 were told there is no memory" in many
    assert "2: a child with 2700 ordinary pages: status 137" in many
    assert [line for line in many if line.endswith("out of memory")] == ["27: killed: out of memory"]
    assert "2: another process: runs" in many


@pytest.mark.nightly  # the lessons `swap` and `types` hold it too
def test_an_atomic_request_never_sleeps_and_if_it_does_another_process_sees_half_a_change() -> None:
    honoured = run("4200", program="abuser", memory_mib=16, disk="blank:4M")
    assert not marks(honoured, "slept_in_atomic")
    assert said(honoured)[-1] == "2: two processes, one ledger: as it must be"
    ignored = run("4200", program="abuser", memory_mib=16, disk="blank:4M", alloc__gfp="ignore")
    lines = said(ignored)
    assert len(marks(ignored, "slept_in_atomic")) == sum("bug: slept" in line for line in lines) > 0
    assert any("damage: two accounts of the kernel make 990, not 1000" in line for line in lines)
    assert lines[-1] == "2: two processes, one ledger: one saw the other's half change"


def test_when_memory_runs_out_one_process_ends_and_the_others_go_on() -> None:
    lab = run(program="hog", memory_mib=16)
    assert said(lab) == [
        "3: killed: out of memory",
        "2: the hog ended with status 137",
        "2: of my 64 pages 0 have changed",
        "4: hello from ring 3",
        "2: another process: runs",
    ]
    assert len(marks(lab, "oom_kill")) == 1
