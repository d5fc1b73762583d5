# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2, on paging itself: one guest in C, built for each paging mode, tries everything and prints what happened.

What it must print is in guests/expected, by the manual. The machine prints all of it. QEMU prints it too, but for what
its TCG is known to do otherwise: the lines that begin with "book" it does not get, and in the lines that begin with
"rsvd" its error codes lack P.
"""

from dataclasses import replace
from difflib import unified_diff
from functools import lru_cache
from pathlib import Path

import pytest

from emu.machine import Ending
from emu.paging.fault import Reason
from emu.tlb.geometry import StructureCaches
from emu.tlb.geometry_file import geometry
from tests.helpers.mode_guests import EXPECTED, LEVELS, Run, build, run_here, run_in_qemu

HASWELL = geometry("haswell")
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
    """A line of reserved bits with every P taken from its error codes, and columns without width."""
    if not line.startswith(RESERVED):
        return line
    head, ring, cells = line.partition("ring 0 ")
    words = [word.removeprefix("P") if "R" in word else word for word in cells.split()]
    return " ".join([head.rstrip(), ring.strip(), *words])


def difference(printed: list[str], wanted: list[str]) -> list[str]:
    """The lines that only one of the two has, with + or -: short enough to read in a failure."""
    compared = unified_diff(wanted, printed, "wanted", "printed", lineterm="", n=0)
    return [line for line in compared if not line.startswith(("---", "+++", "@@"))]


@lru_cache
def plain_run(image: Path) -> Run:
    return run_here(image, HASWELL)


def assert_by_the_manual(run: Run, mode: str) -> None:
    assert difference(run.lines, expected(mode)) == []
    assert run.ended is not None
    assert run.ended.ending is Ending.EXITED


@pytest.mark.parametrize("mode", LEVELS)
def test_in_every_paging_mode_the_machine_does_what_the_manual_says(mode: str, cache: Path) -> None:
    assert_by_the_manual(plain_run(build(mode, cache)), mode)


@pytest.mark.parametrize("mode", ["PAE", "5-level"])
def test_paging_structure_caches_change_no_line(mode: str, cache: Path) -> None:
    tlb = replace(HASWELL, structure_caches=StructureCaches(pml5e=2, pml4e=4, pdpte=4, pde=16))
    assert_by_the_manual(run_here(build(mode, cache), tlb), mode)


@pytest.mark.qemu
@pytest.mark.parametrize("mode", LEVELS)
def test_in_every_paging_mode_qemu_does_what_the_manual_says(mode: str, cache: Path) -> None:
    lines, status = run_in_qemu(build(mode, cache))
    wanted = [line for line in expected(mode) if not line.startswith(BY_THE_BOOK)]
    assert difference(*([without_p(line) for line in text] for text in (lines, wanted))) == []
    assert status == PASS


def test_every_reason_for_a_refusal_occurs_in_every_ring_that_can_provoke_it(cache: Path) -> None:
    seen = plain_run(build("4-level", cache)).reasons
    missing = [
        (reason.name, ring)
        for reason in Reason
        for ring in (0, 3)
        if reason not in (RING_3_ONLY if ring == 0 else RING_0_ONLY) and (reason.name, ring) not in seen
    ]
    assert missing == []
