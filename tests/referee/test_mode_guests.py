# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2, on paging itself: one guest in C, built for each paging mode, tries everything and prints what happened.

What it must print is in guests/expected, by the manual. The machine prints all of it. QEMU prints it too, but for what
its TCG is known to do otherwise: the lines that begin with "book" it does not get, and in the lines that begin with
"rsvd" its error codes lack P.
"""

from pathlib import Path

import pytest

from emu.machine import Ending
from emu.paging.fault import Reason
from tests.helpers.mode_guests import EXPECTED, LEVELS, build, run_here, run_in_qemu

PASS = 33
BY_THE_BOOK, RESERVED = "book ", "rsvd "

RING_0_ONLY = {
    Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE,
    Reason.SMEP_FETCH_FROM_USER_PAGE,
    Reason.SMAP_ACCESS_TO_USER_PAGE,
}
RING_3_ONLY = {Reason.USER_ACCESS_TO_SUPERVISOR_PAGE, Reason.WRITE_TO_READ_ONLY_PAGE}

pytestmark = pytest.mark.long
pytest.importorskip("ziglang", reason="compiling the guests needs pagewalk[guest]")


@pytest.fixture
def cache(pytestconfig: pytest.Config) -> Path:
    """Where compiled guests stay from run to run."""
    return pytestconfig.cache.mkdir("mode-guests")


def expected(mode: str) -> list[str]:
    return (EXPECTED / f"{mode}.txt").read_text("ascii").splitlines()


def without_p(line: str) -> str:
    """A line of reserved bits with every P taken from its error codes, as columns without width."""
    head, ring, cells = line.partition("ring 0 ")
    words = [word.removeprefix("P") if "R" in word else word for word in cells.split()]
    return " ".join([head.rstrip(), ring.strip(), *words])


@pytest.mark.parametrize("mode", LEVELS)
def test_in_every_paging_mode_the_machine_does_what_the_manual_says(mode: str, cache: Path) -> None:
    run = run_here(build(mode, cache))
    assert run.lines == expected(mode)
    assert run.ended is not None
    assert run.ended.ending is Ending.EXITED


@pytest.mark.qemu
@pytest.mark.parametrize("mode", LEVELS)
def test_in_every_paging_mode_qemu_does_what_the_manual_says(mode: str, cache: Path) -> None:
    lines, status = run_in_qemu(build(mode, cache))
    wanted = [line for line in expected(mode) if not line.startswith(BY_THE_BOOK)]
    assert status == PASS
    reserved = [line for line in lines if line.startswith(RESERVED)]
    assert [line for line in lines if line not in reserved] == [
        line for line in wanted if not line.startswith(RESERVED)
    ]
    assert [without_p(line) for line in reserved] == [
        without_p(line) for line in wanted if line.startswith(RESERVED)
    ]


def test_every_reason_for_a_refusal_occurs_in_every_ring_that_can_provoke_it(cache: Path) -> None:
    seen = run_here(build("4-level", cache)).reasons
    missing = [
        (reason.name, ring)
        for reason in Reason
        for ring in (0, 3)
        if reason not in (RING_3_ONLY if ring == 0 else RING_0_ONLY) and (reason.name, ring) not in seen
    ]
    assert missing == []
