# SPDX-License-Identifier: GPL-2.0-or-later
"""Each finding provoked by tables made for it, in every paging mode where it can be, and nothing found elsewhere."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from emu.bits import PAGE_BYTES, LinearAddress, PhysicalAddress, hexadecimal, mask
from emu.checker import Finding, Owner, Report, Rule, Severity, check, check_tables
from emu.events import Journal
from emu.mem import PhysicalMemory
from emu.mmu import Mmu
from emu.paging.build import TableBuilder
from emu.paging.formats import PS, RW, US, XD, A, D, G, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import load_pdptes
from emu.tlb.geometry import StructureCaches
from tests.helpers.bench import READ, WRITE, Bench, array, tlbs

RAM = 8 << 20
TABLES = 4 << 20
LOW, NEXT = 0x40_0000, 0x80_0000
"""Two addresses with a page directory entry each, in every mode."""
WX_MODES = [mode for mode in MODES.values() if mode.has_xd]
every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
modes_with_xd = pytest.mark.parametrize("mode", WX_MODES, ids=lambda mode: mode.name)


class Tables:
    """Page tables of one mode in 8 MiB of RAM; the tables themselves lie in its upper half."""

    def __init__(self, mode: PagingMode = FOUR_LEVEL, **controls: Any) -> None:
        self.memory = PhysicalMemory(RAM)
        self._frames: Iterator[int] = count(TABLES, PAGE_BYTES)
        self.mode = mode
        self.main = self.another()
        bits = {"WP": True, "SMEP": False, "SMAP": False, "NXE": mode.has_xd, "PGE": False, **controls}
        self.controls = Controls(mode=mode, root=self.main.root, **bits)

    def another(self) -> TableBuilder:
        """The empty tables of one more address space."""
        return TableBuilder(self.memory, lambda: PhysicalAddress(next(self._frames)), self.mode)

    def map(self, linear: int, physical: int, flags: int, size: int = PAGE_BYTES, into: Any = None) -> int:
        """Map one page; XD is left out where the mode has none. The address of its entry is returned."""
        flags &= mask(0, 8 * self.mode.entry_bytes - 1)
        builder: TableBuilder = into or self.main
        return builder.map(LinearAddress(linear), PhysicalAddress(physical), size, flags)

    def change(self, address: int, turn_on: int = 0, turn_off: int = 0) -> None:
        """Turn bits of an entry on and off."""
        width = self.mode.entry_bytes
        value = self.memory.read_entry(PhysicalAddress(address), width)
        self.memory.write_entry(PhysicalAddress(address), value & ~turn_off | turn_on, width)

    def report(self, owner: Any = None, spaces: dict[str, TableBuilder] | None = None, **more: Any) -> Report:
        """What the checker finds; what it says of a mode without XD is left out."""
        controls = self.controls
        if self.mode is PAE:
            pdptes = load_pdptes(self.memory.read_entry, controls.root, controls.maxphyaddr)
            controls = replace(controls, pdptes=pdptes or ())
        roots = {name: builder.root for name, builder in (spaces or {"here": self.main}).items()}
        found = check_tables(self.memory, controls, roots, owner, **more)
        if self.mode.has_xd:
            return found
        kept = tuple(f for f in found.findings if f.rule is not Rule.NOTHING_FORBIDS_FETCHES)
        return replace(found, findings=kept)


def rules(report: Report) -> list[Rule]:
    return [finding.rule for finding in report.findings]


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, str(report)
    return report.findings[0]


# -- nothing to find


@every_mode
def test_tables_with_each_page_either_writable_or_executable_are_fine(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | US)
    tables.map(LOW + 0x1000, 0x2000, P | RW | US | XD)
    tables.map(NEXT, 0x3000, P | RW | XD)
    report = tables.report()
    assert report.findings == ()
    assert report.pages == 3
    assert report.cut_short == ""


def test_while_paging_is_off_there_is_nothing_to_check() -> None:
    bench = Bench()
    bench.mmu.set_controls(None)
    report = check(bench.mmu)
    assert (report.findings, report.spaces) == ((), ())
    assert str(report) == "paging is off: there is nothing to check"


# -- writable and executable


@modes_with_xd
def test_a_writable_and_executable_supervisor_page_is_an_error_a_user_page_a_warning(
    mode: PagingMode,
) -> None:
    tables = Tables(mode)
    kernel = tables.map(LOW, 0x1000, P | RW)
    tables.map(NEXT, 0x2000, P | RW | US)
    first, second = tables.report().findings
    assert [(f.rule, f.severity) for f in (first, second)] == [
        (Rule.WRITABLE_AND_EXECUTABLE, Severity.ERROR),
        (Rule.WRITABLE_AND_EXECUTABLE, Severity.WARNING),
    ]
    assert (first.place.linear, first.place.entry, first.place.level) == (LOW, kernel, "PTE")
    assert second.place.linear == NEXT


@modes_with_xd
def test_pages_one_behind_the_other_are_one_finding_across_tables_and_a_and_d_bits(mode: PagingMode) -> None:
    tables = Tables(mode)
    for page in range(700):
        flags = A | D if page % 3 else 0
        tables.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, P | RW | flags)
    tables.map(LOW + 701 * PAGE_BYTES, 0, P | RW)
    one, other = tables.report().of(Rule.WRITABLE_AND_EXECUTABLE)
    assert (one.place.linear, one.place.size_bytes, one.place.entries) == (LOW, 700 * PAGE_BYTES, 700)
    assert (other.place.linear, other.place.entries) == (LOW + 701 * PAGE_BYTES, 1)


@modes_with_xd
@pytest.mark.parametrize("restrict", ["RW", "XD"])
def test_the_rights_of_all_levels_count_together(mode: PagingMode, restrict: str) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | RW)
    upper = tables.main.entry_address(LinearAddress(LOW), "PDE")
    tables.change(upper, turn_on=XD if restrict == "XD" else 0, turn_off=RW if restrict == "RW" else 0)
    assert Rule.WRITABLE_AND_EXECUTABLE not in rules(tables.report())


@pytest.mark.parametrize("bit", [XD, RW])
def test_the_rights_of_the_root_entry_count_too(bit: int) -> None:
    tables = Tables()
    tables.map(LOW, 0x1000, P | RW)
    tables.change(tables.main.root, turn_on=bit & XD, turn_off=bit & RW)
    assert tables.report().findings == ()


@modes_with_xd
def test_a_table_reached_with_other_rights_is_read_again(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | RW)
    pde = tables.main.entry_address(LinearAddress(LOW), "PDE")
    value = tables.memory.read_entry(pde, mode.entry_bytes)
    tables.memory.write_entry(PhysicalAddress(pde + 16 * mode.entry_bytes), value, mode.entry_bytes)
    tables.change(pde, turn_on=XD)
    (found,) = tables.report().of(Rule.WRITABLE_AND_EXECUTABLE)
    assert found.place.linear == LOW + (32 << 20)


def test_pages_in_a_row_of_different_address_spaces_are_two_findings() -> None:
    tables = Tables()
    second = tables.another()
    tables.map(LOW, 0x1000, P | RW)
    tables.map(LOW + 0x1000, 0x2000, P | RW, into=second)
    found = tables.report(spaces={"a": tables.main, "b": second}).findings
    assert [(f.place.spaces, f.place.linear) for f in found] == [(("a",), LOW), (("b",), LOW + 0x1000)]


@pytest.mark.parametrize(
    ("mode", "severity", "why"),
    [
        (FOUR_LEVEL, Severity.WARNING, "IA32_EFER.NXE = 0"),
        (TWO_LEVEL, Severity.NOTE, "32-bit paging has no XD bit"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_where_nothing_forbids_fetches_one_finding_says_so(
    mode: PagingMode, severity: Severity, why: str
) -> None:
    tables = Tables(mode, NXE=False)
    for page in range(0, 40, 2):
        tables.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, P | RW)
    finding = only(check_tables(tables.memory, tables.controls, {"here": tables.main.root}))
    assert (finding.rule, finding.severity) == (Rule.NOTHING_FORBIDS_FETCHES, severity)
    assert why in str(finding) and "20 writable pages" in str(finding)


def test_without_xd_pages_that_nobody_can_write_are_fine() -> None:
    tables = Tables(NXE=False)
    tables.map(LOW, 0x1000, P)
    assert tables.report().findings == ()


# -- entries


@every_mode
def test_a_reserved_bit_is_an_error_that_names_the_bit(mode: PagingMode) -> None:
    tables = Tables(mode)
    reserved = {"32-bit": 21, "PAE": 20}.get(mode.name, 51)
    large = 4 << 20 if mode is TWO_LEVEL else 2 << 20
    entry = tables.map(NEXT, 0, P | XD, large)
    tables.change(entry, turn_on=1 << reserved)
    finding = only(tables.report())
    assert (finding.rule, finding.severity) == (Rule.RESERVED_BIT_SET, Severity.ERROR)
    assert (finding.place.entry, finding.place.level, finding.place.size_bytes) == (entry, "PDE", large)
    assert finding.what == f"reserved bit {reserved}"


def test_a_run_of_pages_ends_where_addresses_become_reserved() -> None:
    tables = Tables()
    tables.map(LOW, (1 << 40) - 0x1000, P | XD)
    tables.map(LOW + 0x1000, 1 << 40, P | XD)
    assert [(f.rule, f.place.linear, f.place.entries) for f in tables.report().findings] == [
        (Rule.RESERVED_BIT_SET, LOW + 0x1000, 1),
        (Rule.PAGE_OUTSIDE_RAM, LOW, 1),
    ]


def test_a_run_of_pages_ends_at_the_highest_frame() -> None:
    tables = Tables(maxphyaddr=52)
    last = tables.map(LOW, (1 << 52) - 0x1000, P | XD)
    tables.change(tables.map(LOW + 0x1000, 0, P | XD), turn_on=1 << 52)
    finding = only(tables.report())
    assert (finding.place.entry, finding.place.entries) == (last, 1)


@every_mode
def test_a_table_outside_ram_is_an_error_and_not_followed(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P)
    pde = tables.main.entry_address(LinearAddress(LOW), "PDE")
    tables.memory.write_entry(pde, RAM | P | RW | US, mode.entry_bytes)
    report = tables.report()
    finding = only(report)
    assert report.tables == len(mode.levels) - 1
    assert (finding.rule, finding.severity) == (Rule.TABLE_OUTSIDE_RAM, Severity.ERROR)
    assert "table at 0x0000_0080_0000, RAM ends at 0x0080_0000" in str(finding)


@every_mode
def test_a_page_outside_ram_is_a_note_or_a_warning_if_user_mode_reaches_it(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0xFEB0_0000, P | RW | XD)
    tables.map(NEXT, RAM, P | RW | US | XD)
    user, kernel = tables.report().findings
    assert [(f.rule, f.severity, f.place.linear) for f in (user, kernel)] == [
        (Rule.PAGE_OUTSIDE_RAM, Severity.WARNING, NEXT),
        (Rule.PAGE_OUTSIDE_RAM, Severity.NOTE, LOW),
    ]


def test_of_a_large_page_over_the_end_of_ram_only_the_part_outside_is_meant() -> None:
    tables = Tables()
    tables.map(1 << 30, 0, P | XD, 1 << 30)
    place = only(tables.report()).place
    assert (place.linear, place.size_bytes, place.entries) == ((1 << 30) + RAM, (1 << 30) - RAM, 1)


@pytest.mark.parametrize("mode", [FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
def test_addresses_of_the_upper_half_are_canonical(mode: PagingMode) -> None:
    tables = Tables(mode)
    linear = 0xFFFF_FFFF_8000_0000
    tables.map(linear, 0x1000, P | RW)
    assert only(tables.report()).place.linear == linear


# -- who has a frame


@every_mode
def test_a_paging_structure_that_user_mode_can_reach_is_an_error(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, TABLES, P | US | XD)
    tables.map(NEXT, TABLES, P | RW | XD)
    (finding,) = tables.report().of(Rule.USER_REACHES_TABLE)
    assert (finding.severity, finding.place.linear) == (Severity.ERROR, LOW)


OWNERS = {1: Owner("kernel", False), 2: Owner("user", True), 3: Owner("user", True, "a")}


@every_mode
def test_a_frame_of_the_kernel_that_user_mode_can_reach_is_an_error(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | US | XD)
    tables.map(LOW + 0x1000, 0x2000, P | US | XD)
    tables.map(NEXT, 0x1000, P | XD)
    (finding,) = tables.report(OWNERS.get).of(Rule.USER_REACHES_KERNEL)
    assert (finding.severity, finding.place.linear, finding.place.entries) == (Severity.ERROR, LOW, 1)
    assert finding.what.startswith("owner: kernel; user, read only")


def test_in_a_large_page_only_the_frames_of_the_kernel_are_meant() -> None:
    tables = Tables()
    tables.map(2 << 20, 0, P | US | XD, 2 << 20)
    place = only(tables.report(OWNERS.get, {"a": tables.main})).place
    assert (place.linear, place.size_bytes, place.level) == ((2 << 20) + 0x1000, 0x1000, "PDE")


def test_a_frame_private_to_another_address_space_is_an_error() -> None:
    tables = Tables()
    tables.map(LOW, 0x3000, P | RW | US | XD)
    assert tables.report(OWNERS.get, {"a": tables.main}).findings == ()
    finding = only(tables.report(OWNERS.get, {"b": tables.main}))
    assert (finding.rule, finding.severity) == (Rule.USER_REACHES_ANOTHER, Severity.ERROR)
    assert "private to a" in str(finding)


# -- one frame, two addresses

UW, UX, UR = P | RW | US | XD, P | US, P | US | XD
SW, SX, SR = P | RW | XD, P, P | XD


@pytest.mark.parametrize(
    ("one", "other", "rule", "severity"),
    [
        (UW, SX, Rule.USER_WRITES_KERNEL_CODE, Severity.ERROR),
        (UW, UX, Rule.WRITABLE_HERE_EXECUTABLE_THERE, Severity.WARNING),
        (SW, SX, Rule.WRITABLE_HERE_EXECUTABLE_THERE, Severity.WARNING),
        (UW, SR, Rule.WRITABLE_HERE_READ_ONLY_THERE, Severity.WARNING),
        (SW, SR, Rule.WRITABLE_HERE_READ_ONLY_THERE, Severity.WARNING),
        (UW, UR, Rule.WRITABLE_HERE_READ_ONLY_THERE, Severity.NOTE),
        (UW, SW, Rule.USER_PAGE_KNOWN_TO_KERNEL, Severity.NOTE),
        (UX, SW, Rule.USER_PAGE_KNOWN_TO_KERNEL, Severity.NOTE),
        (UR, SR, Rule.USER_PAGE_KNOWN_TO_KERNEL, Severity.NOTE),
    ],
)
@pytest.mark.parametrize("spaces", [1, 2])
@modes_with_xd
def test_two_addresses_of_a_frame_with_different_rights(
    mode: PagingMode, spaces: int, one: int, other: int, rule: Rule, severity: Severity
) -> None:
    tables = Tables(mode)
    second = tables.main if spaces == 1 else tables.another()
    tables.map(LOW, 0x5000, one)
    tables.map(NEXT, 0x5000, other, into=second)
    finding = only(tables.report(spaces={"a": tables.main, "b": second}))
    assert (finding.rule, finding.severity) == (rule, severity)
    assert finding.other is not None
    assert (finding.place.linear, finding.other.linear) == (LOW, NEXT)
    assert (finding.place.spaces, finding.other.spaces) == (
        (("a", "b"),) * 2 if spaces == 1 else (("a",), ("b",))
    )


@pytest.mark.parametrize("rights", [UW, UX, UR, SW, SX, SR])
def test_two_addresses_of_a_frame_with_the_same_rights_are_fine(rights: int) -> None:
    tables = Tables()
    tables.map(LOW, 0x5000, rights)
    tables.map(NEXT, 0x5000, rights)
    assert tables.report().findings == ()


def test_where_nothing_forbids_fetches_two_addresses_of_a_frame_are_told_apart_by_the_other_rights() -> None:
    tables = Tables(TWO_LEVEL)
    tables.map(LOW, 0x5000, P | US)
    tables.map(NEXT, 0x5000, P | RW)
    finding = only(tables.report())
    assert finding.rule is Rule.USER_PAGE_KNOWN_TO_KERNEL
    assert finding.what == "user, read only, execute here and supervisor, write, execute there"


def test_of_a_large_page_the_one_frame_that_has_another_address_is_meant() -> None:
    tables = Tables()
    tables.map(2 << 20, 0, SW, 2 << 20)
    tables.map(NEXT, 0x5000, SX)
    finding = only(tables.report())
    assert finding.other is not None
    assert (finding.place.linear, finding.place.size_bytes) == ((2 << 20) + 0x5000, 0x1000)
    assert (finding.place.level, finding.other.level) == ("PDE", "PTE")


def test_ranges_that_go_together_are_one_finding() -> None:
    tables = Tables()
    for page in range(20):
        tables.map(LOW + page * 0x1000, 0x10_0000 + page * 0x1000, UW | (A | D if page % 2 else 0))
    for level in ("PML4E", "PDPTE", "PDE"):
        tables.change(tables.main.entry_address(LinearAddress(LOW), level), turn_on=A)
    for page in range(10, 1000):
        tables.map((1 << 39) + page * 0x1000, 0x10_0000 + page * 0x1000, SW)
    finding = only(tables.report())
    assert finding.other is not None
    assert (finding.place.entries, finding.other.entries) == (10, 10)
    assert (finding.place.linear, finding.other.linear) == (LOW + 0xA000, (1 << 39) + 0xA000)


def test_ranges_of_which_one_side_is_scattered_are_a_finding_each() -> None:
    tables = Tables()
    for page in range(3):
        tables.map(LOW + page * 0x1000, 0x1000 + page * 0x1000, UW)
        tables.map(NEXT + page * 0x8000, 0x1000 + page * 0x1000, SW)
    found = tables.report().findings
    assert [f.other.linear for f in found if f.other] == [NEXT, NEXT + 0x8000, NEXT + 0x1_0000]


# -- tables


@every_mode
def test_an_entry_that_refers_to_its_own_table_is_a_note(mode: PagingMode) -> None:
    tables = Tables(mode)
    level = mode.levels[-2]
    tables.map(LOW, 0x1000, P | XD)
    own = tables.main.entry_address(LinearAddress(NEXT), level.name)
    table = own & ~0xFFF
    tables.memory.write_entry(own, table | P, mode.entry_bytes)
    (finding,) = tables.report().of(Rule.SELF_REFERENCE)
    assert (finding.severity, finding.place.entry) == (Severity.NOTE, own)


@every_mode
def test_an_entry_that_refers_to_a_table_above_its_own_is_a_note(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | XD)
    own = tables.main.entry_address(LinearAddress(NEXT), "PDE")
    tables.memory.write_entry(own, tables.main.root | P, mode.entry_bytes)
    (finding,) = tables.report().of(Rule.SELF_REFERENCE)
    assert finding.place.entry == own
    assert f"table at {hexadecimal(tables.main.root, 12)}" in finding.what


@every_mode
def test_two_entries_that_refer_to_one_table_are_a_note(mode: PagingMode) -> None:
    tables = Tables(mode)
    tables.map(LOW, 0x1000, P | XD)
    pde = tables.main.entry_address(LinearAddress(LOW), "PDE")
    tables.memory.write_entry(
        PhysicalAddress(pde + 8 * mode.entry_bytes),
        tables.memory.read_entry(pde, mode.entry_bytes),
        mode.entry_bytes,
    )
    finding = only(tables.report())
    assert (finding.rule, finding.severity) == (Rule.SHARED_TABLE, Severity.NOTE)
    assert finding.other is not None
    assert (finding.place.entry, finding.other.entry) == (pde, pde + 8 * mode.entry_bytes)


def test_what_lies_below_a_shared_table_is_not_shared_itself() -> None:
    tables = Tables()
    tables.map(LOW, 0x1000, P | XD)
    pdpte = tables.main.entry_address(LinearAddress(LOW), "PDPTE")
    value = tables.memory.read_entry(pdpte, 8)
    tables.memory.write_entry(PhysicalAddress(pdpte + 8), value & ~RW, 8)
    finding = only(tables.report())
    assert (finding.rule, finding.place.level) == (Rule.SHARED_TABLE, "PDPTE")


@every_mode
@pytest.mark.parametrize(("flags", "expected"), [(US, [Rule.SHARED_TABLE]), (0, [])])
def test_address_spaces_may_share_tables_that_user_mode_cannot_reach_and_others_with_a_note(
    mode: PagingMode, flags: int, expected: list[Rule]
) -> None:
    tables = Tables(mode)
    second = tables.another()
    tables.map(LOW, 0x1000, P | flags | XD)
    value = tables.memory.read_entry(tables.main.entry_address(LinearAddress(LOW), mode.levels[0].name), 8)
    at = tables.main.entry_address(LinearAddress(LOW), mode.levels[0].name) - tables.main.root
    value &= mask(0, 8 * mode.entry_bytes - 1)
    tables.memory.write_entry(PhysicalAddress(second.root + at), value, mode.entry_bytes)
    report = tables.report(spaces={"a": tables.main, "b": second})
    assert rules(report) == expected
    assert report.pages == 1


def test_what_several_address_spaces_share_is_found_once_and_names_them_all() -> None:
    tables = Tables()
    others = [tables.another(), tables.another()]
    tables.map(LOW, 0x1000, P | RW)
    tables.change(tables.main.root, turn_off=US)
    for other in others:
        tables.memory.write_entry(other.root, tables.memory.read_entry(tables.main.root, 8), 8)
    finding = only(tables.report(spaces={"a": tables.main, "b": others[0], "c": others[1]}))
    assert finding.place.spaces == ("a", "b", "c")
    assert "in a and 2 other address spaces" in str(finding)


def test_two_names_for_one_root_are_one_address_space() -> None:
    tables = Tables()
    tables.map(LOW, 0x1000, P | RW)
    assert only(tables.report(spaces={"a": tables.main, "b": tables.main})).place.spaces == ("a", "b")


# -- A and D


@every_mode
@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        (P | XD | A | D, Rule.DIRTY_BUT_READ_ONLY),
        (P | XD | RW | D, Rule.DIRTY_BUT_NOT_ACCESSED),
        (P | XD | RW | A, Rule.ACCESSED_BELOW_NOT_ABOVE),
    ],
)
def test_a_and_d_bits_that_no_cpu_leaves_so_are_notes(mode: PagingMode, flags: int, rule: Rule) -> None:
    tables = Tables(mode)
    entry = tables.map(LOW, 0x1000, flags)
    if rule is not Rule.ACCESSED_BELOW_NOT_ABOVE:
        for level in mode.levels[:-1]:
            if level.table.accessed:
                tables.change(tables.main.entry_address(LinearAddress(LOW), level.name), turn_on=A)
    found = tables.report().findings
    assert {(f.rule, f.severity) for f in found} == {(rule, Severity.NOTE)}
    assert entry in [place.entry for f in found for place in (f.place, f.other) if place]


def test_a_table_that_was_accessed_through_another_entry_is_fine() -> None:
    tables = Tables()
    second = tables.another()
    tables.map(LOW, 0x1000, P | XD | A)
    for level in ("PDPTE", "PDE"):
        tables.change(tables.main.entry_address(LinearAddress(LOW), level), turn_on=A)
    tables.change(tables.main.root, turn_off=US)
    tables.memory.write_entry(second.root, tables.memory.read_entry(tables.main.root, 8) | A, 8)
    assert rules(tables.report()) == [Rule.ACCESSED_BELOW_NOT_ABOVE]
    assert rules(tables.report(spaces={"a": tables.main, "b": second})) == []


# -- G


@every_mode
def test_global_user_pages_are_a_warning_and_supervisor_pages_that_are_not_global_a_note(
    mode: PagingMode,
) -> None:
    tables = Tables(mode, PGE=True)
    tables.map(LOW, 0x1000, P | US | XD | G)
    tables.map(LOW + 0x1000, 0x2000, P | US | XD)
    tables.map(NEXT, 0x3000, P | XD)
    tables.map(NEXT + 0x1000, 0x4000, P | XD | G)
    found = [(f.rule, f.severity, f.place.linear, f.place.entries) for f in tables.report().findings]
    assert found == [
        (Rule.GLOBAL_USER_PAGE, Severity.WARNING, LOW, 1),
        (Rule.KERNEL_PAGE_NOT_GLOBAL, Severity.NOTE, NEXT, 1),
    ]
    tables.controls = replace(tables.controls, PGE=False)
    assert tables.report().findings == ()


# -- the TLB

PAGE = P | RW | US | XD


def cached(
    flags: int = PAGE, kind: int = READ, size: int = PAGE_BYTES, **controls: bool
) -> tuple[Bench, int]:
    """A page at 4 MiB that was just accessed, and the address of its entry."""
    bench = Bench(tlbs(array(serves="both", sizes="4K 2M", entries=8)))
    bench.set(PGE=False, **controls)
    entry = bench.map(LOW, 0, flags, size)
    bench.access(LOW, kind, user=bool(flags & US))
    return bench, entry


def test_what_the_tlb_holds_and_memory_says_too_is_fine() -> None:
    bench, _ = cached(kind=WRITE)
    assert check(bench.mmu).findings == ()


@every_mode
def test_in_every_mode_an_access_leaves_nothing_to_find_and_a_lost_page_is_stale(mode: PagingMode) -> None:
    tables = Tables(mode)
    entry = tables.map(NEXT, 0x1000, PAGE)
    controls = tables.controls
    if mode is PAE:
        pdptes = load_pdptes(tables.memory.read_entry, controls.root, controls.maxphyaddr)
        controls = replace(controls, pdptes=pdptes or ())
    mmu = Mmu(tables.memory, tlbs(array()), Journal())
    mmu.set_controls(controls)
    mmu.translate(NEXT // PAGE_BYTES, WRITE, True)
    assert [f for f in check(mmu).findings if f.rule is not Rule.NOTHING_FORBIDS_FETCHES] == []
    tables.change(entry, turn_off=P)
    assert rules(check(mmu)) == [Rule.STALE_GRANTS_MORE]


def test_a_translation_held_in_several_places_is_one_finding_that_names_them() -> None:
    bench = Bench(tlbs(array(), array(2, "both", entries=8)))
    entry = bench.map(LOW, 0, PAGE)
    bench.access(LOW)
    bench.set_entry(entry, 0)
    assert [f.slots for f in check(bench.mmu).findings] == [("L1D 4K 0.0", "L2 4K 0.0")]


def test_of_a_stale_translation_a_and_d_are_not_asked_for() -> None:
    bench, entry = cached(kind=WRITE)
    bench.set_entry(entry, (bench.entry(entry) ^ 0x9000) & ~(A | D))
    assert [f.rule for f in check(bench.mmu).findings if f.slots] == [Rule.STALE_GRANTS_MORE]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda value: value ^ P, "an entry on the way is not present"),
        (lambda value: value ^ 0x9000, "memory leads to 0x0000_0000_9000"),
        (lambda value: value ^ RW, "memory forbids writes"),
        (lambda value: value ^ US, "memory forbids user-mode accesses"),
        (lambda value: value | 1 << 51, "a reserved bit is set in a present entry"),
    ],
)
def test_a_cached_translation_that_grants_more_than_memory_is_an_error(
    change: Callable[[int], int], says: str
) -> None:
    bench, entry = cached()
    bench.set_entry(entry, change(bench.entry(entry)))
    (finding,) = check(bench.mmu).of(Rule.STALE_GRANTS_MORE)
    assert finding.severity is Severity.ERROR
    assert says in finding.what
    assert finding.slots == ("L1 4K/2M 0.0",)
    assert (finding.place.linear, finding.place.entry) == (LOW, entry)


def test_a_cached_right_to_fetch_that_memory_took_is_an_error() -> None:
    bench, entry = cached(P | US)
    bench.set_entry(entry, bench.entry(entry) | XD)
    (finding,) = check(bench.mmu).of(Rule.STALE_GRANTS_MORE)
    assert "memory forbids fetches" in finding.what


def test_the_entry_that_a_stale_translation_ends_at_may_be_an_upper_one() -> None:
    bench, _ = cached()
    pde = bench.tables.entry_address(LinearAddress(LOW), "PDE")
    bench.set_entry(pde, 0)
    assert [(f.rule, f.place.level, f.place.entry) for f in check(bench.mmu).errors] == [
        (Rule.STALE_GRANTS_MORE, "PDE", pde)
    ]


@pytest.mark.parametrize(
    ("flags", "added", "says"),
    [
        (P | US | XD, RW, "memory allows writes"),
        (P | XD, US, "memory allows user-mode accesses"),
        (P | US | XD | A, 0, "memory allows fetches"),
    ],
)
def test_a_cached_translation_that_grants_less_is_a_note(flags: int, added: int, says: str) -> None:
    bench, entry = cached(flags)
    bench.set_entry(entry, (bench.entry(entry) | added) & (~XD if not added else -1))
    (finding,) = check(bench.mmu).of(Rule.STALE_DIFFERS)
    assert finding.severity is Severity.NOTE
    assert finding.what.endswith(says)
    assert check(bench.mmu).errors == ()


def test_a_global_bit_that_differs_is_a_note() -> None:
    bench, entry = cached()
    bench.set(PGE=True)
    bench.set_entry(entry, bench.entry(entry) | G)
    (finding,) = check(bench.mmu).of(Rule.STALE_DIFFERS)
    assert finding.what.endswith("G is set in memory")


def test_a_cached_d_that_memory_lost_is_a_warning_and_a_lost_a_a_note() -> None:
    bench, entry = cached(kind=WRITE)
    bench.set_entry(entry, bench.entry(entry) & ~D)
    assert [(f.rule, f.severity) for f in check(bench.mmu).findings] == [
        (Rule.CACHED_DIRTY, Severity.WARNING)
    ]
    bench.set_entry(entry, bench.entry(entry) & ~A)
    assert (Rule.CACHED_ACCESSED, Severity.NOTE) in [(f.rule, f.severity) for f in check(bench.mmu).findings]


@pytest.mark.parametrize(
    ("frame", "expected"), [(0x7000, Rule.STALE_DIFFERS), (0x9000, Rule.STALE_GRANTS_MORE)]
)
def test_a_cached_large_page_is_compared_with_each_of_the_small_ones_in_its_place(
    frame: int, expected: Rule
) -> None:
    bench, entry = cached(size=2 << 20)
    bench.set_entry(entry, 0)
    for page in range(512):
        physical = frame if page == 7 else page * PAGE_BYTES
        bench.map(LOW + page * PAGE_BYTES, physical, PAGE | A)
    found = [f for f in check(bench.mmu).findings if f.slots and f.rule is not Rule.CACHED_ACCESSED]
    assert [f.rule for f in found] == [expected]


def test_what_many_small_pages_differ_in_is_said_once() -> None:
    bench, entry = cached(P | US | XD, size=2 << 20)
    bench.set_entry(entry, 0)
    for page in range(512):
        bench.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, PAGE | A)
    (finding,) = check(bench.mmu).of(Rule.STALE_DIFFERS)
    assert finding.what.endswith("but memory allows writes; memory maps smaller pages")


def test_a_translation_of_another_pcid_is_compared_with_the_tables_it_came_from() -> None:
    high = 0xFFFF_8880_1234_5000
    bench = Bench()
    entry = bench.map(high, 0, PAGE)
    bench.access(high)
    other = TableBuilder(bench.memory, lambda: PhysicalAddress(0x60_0000), FOUR_LEVEL)
    controls = bench.mmu.controls
    assert controls is not None
    bench.mmu.set_controls(replace(controls, root=other.root), 5)
    assert check(bench.mmu).findings == ()
    bench.set_entry(entry, 0)
    (finding,) = check(bench.mmu).errors
    assert finding.place.spaces == ("PCID 0x0",)
    assert finding.place.entry == entry


@pytest.mark.parametrize(
    ("had", "has", "rule"),
    [
        (1, 2, Rule.STALE_GRANTS_MORE),
        (2, 1, Rule.STALE_DIFFERS),
        (2, 3, Rule.STALE_DIFFERS),
        (0, 4, Rule.STALE_DIFFERS),
    ],
)
def test_a_protection_key_that_differs_grants_more_only_if_the_new_one_denies_more(
    had: int, has: int, rule: Rule
) -> None:
    bench = Bench(tlbs(array()))
    bench.set(PGE=False)
    controls = bench.mmu.controls
    assert controls is not None
    bench.mmu.set_controls(replace(controls, PKE=True, PKRU=0b1010 << 4))  # keys 2 and 3 may not be written
    entry = bench.map(LOW, 0, PAGE | had << 59)
    bench.access(LOW)
    bench.set_entry(entry, bench.entry(entry) ^ (had ^ has) << 59)
    (finding,) = check(bench.mmu).findings
    assert finding.rule is rule
    assert f"memory gives protection key {has}, not {had}" in finding.what


# -- the paging-structure caches


def with_structure_caches() -> tuple[Bench, int, int]:
    """A page that was just accessed, its PDPTE and PDE in caches, and the addresses of the two."""
    geometry = replace(tlbs(array()), structure_caches=StructureCaches(pdpte=2, pde=2))
    bench = Bench(geometry)
    bench.set(PGE=False)
    bench.map(LOW, 0, PAGE)
    bench.access(LOW)
    pdpte, pde = (bench.tables.entry_address(LinearAddress(LOW), name) for name in ("PDPTE", "PDE"))
    return bench, pdpte, pde


def test_paging_structure_caches_that_agree_with_memory_are_fine() -> None:
    bench, _, _ = with_structure_caches()
    assert any(place.entry for place in bench.mmu.tlb.structures)
    assert check(bench.mmu).findings == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda value: value ^ P, "in memory the PDE ends the walk: an entry on the way is not present"),
        (lambda value: value & 0xFFF | 0x1000 | P, "memory leads to the table at 0x0000_0000_1000"),
        (lambda value: value ^ RW, "memory forbids writes"),
        (lambda value: value | XD, "memory forbids fetches"),
        (lambda value: RW | US | P | A | PS, "in memory the PDE maps a page"),
    ],
)
def test_a_cached_upper_entry_that_grants_more_than_memory_is_an_error(
    change: Callable[[int], int], says: str
) -> None:
    bench, _, pde = with_structure_caches()
    bench.set_entry(pde, change(bench.entry(pde)) & ~A)
    (finding,) = (f for f in check(bench.mmu).findings if f.slots == ("PDE cache 0.0",))
    assert finding.rule is Rule.STALE_STRUCTURE_GRANTS_MORE
    assert (finding.severity, finding.slots) == (Severity.ERROR, ("PDE cache 0.0",))
    assert (finding.place.level, finding.place.entry, finding.place.size_bytes) == ("PDE", pde, 2 << 20)
    assert finding.what.endswith(says)


def test_a_changed_upper_entry_makes_every_cached_way_through_it_stale() -> None:
    bench, pdpte, _ = with_structure_caches()
    bench.set_entry(pdpte, 0)
    found = check(bench.mmu).of(Rule.STALE_STRUCTURE_GRANTS_MORE)
    assert {(f.slots, f.place.entry) for f in found} == {
        (("PDPTE cache 0.0",), pdpte),
        (("PDE cache 0.0",), pdpte),
    }


def test_a_cached_upper_entry_that_grants_less_is_a_note_and_so_is_a_lost_a() -> None:
    bench = Bench(replace(tlbs(array()), structure_caches=StructureCaches(pde=2)))
    bench.set(PGE=False)
    bench.map(LOW, 0, PAGE)
    pde = bench.tables.entry_address(LinearAddress(LOW), "PDE")
    bench.set_entry(pde, bench.entry(pde) & ~RW)
    bench.access(LOW)
    bench.set_entry(pde, (bench.entry(pde) | RW) & ~A)
    found = [(f.rule, f.severity) for f in check(bench.mmu).findings if f.slots == ("PDE cache 0.0",)]
    assert found == [(Rule.STALE_STRUCTURE_DIFFERS, Severity.NOTE), (Rule.CACHED_ACCESSED, Severity.NOTE)]


def test_a_way_cached_under_another_pcid_is_compared_with_the_tables_it_came_from() -> None:
    bench, _, pde = with_structure_caches()
    other = TableBuilder(bench.memory, lambda: PhysicalAddress(0x60_0000), FOUR_LEVEL)
    controls = bench.mmu.controls
    assert controls is not None
    bench.mmu.set_controls(replace(controls, root=other.root), 5)
    assert check(bench.mmu).findings == ()
    bench.set_entry(pde, 0)
    (finding,) = check(bench.mmu).of(Rule.STALE_STRUCTURE_GRANTS_MORE)
    assert finding.place.spaces == ("PCID 0x0",)


def test_a_pdpte_register_that_differs_from_memory_is_a_warning() -> None:
    tables = Tables(PAE)
    tables.map(LOW, 0x1000, P | XD)
    pdptes = load_pdptes(tables.memory.read_entry, tables.controls.root, 40)
    assert pdptes is not None
    bench = Bench()
    bench.mmu.memory = tables.memory
    bench.mmu.set_controls(replace(tables.controls, pdptes=pdptes))
    assert check(bench.mmu).findings == ()
    tables.memory.write_entry(PhysicalAddress(tables.main.root + 8), 0x1001, 8)
    finding = only(check(bench.mmu))
    assert (finding.rule, finding.severity) == (Rule.PDPTE_REGISTER_DIFFERS, Severity.WARNING)
    assert (finding.place.linear, finding.place.value) == (1 << 30, 0x1001)
    tables.memory.write_entry(tables.main.root, 0, 8)
    assert check(bench.mmu).pages == 1  # the register still maps it


def test_checking_changes_nothing_and_leaves_no_trace() -> None:
    bench, entry = cached(kind=WRITE)
    bench.set_entry(entry, 0)
    before = bytes(bench.memory.buffer), bench.journal.seq, bench.counts()
    held = [slot.entry for array in bench.mmu.tlb.arrays for slot in array if slot.entry]
    suspect = [entry.suspect for entry in held]
    assert check(bench.mmu).errors
    assert (bytes(bench.memory.buffer), bench.journal.seq, bench.counts()) == before
    assert [entry.suspect for entry in held] == suspect


# -- odd tables, and text


@every_mode
def test_tables_whose_entries_all_refer_to_the_root_come_to_an_end(mode: PagingMode) -> None:
    tables = Tables(mode)
    root, width = tables.main.root, mode.entry_bytes
    bits = P if mode is PAE else P | RW | US
    for at in range(0, PAGE_BYTES, width):
        tables.memory.write_entry(PhysicalAddress(root + at), root | bits, width)
    report = tables.report()
    assert report.cut_short == ""
    assert {Rule.SELF_REFERENCE} <= set(rules(report))
    assert (Rule.USER_REACHES_TABLE in rules(report)) is (mode is not PAE)


def test_work_that_grows_too_much_is_cut_short_and_the_report_says_so() -> None:
    tables = Tables()
    for page in range(0, 200, 2):
        tables.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, P | RW)
    report = tables.report(limit=50)
    assert 0 < len(report.findings) < 100
    assert report.lines()[-1] == "cut short after 50 steps: there is more than is reported here"
    assert tables.report(limit=5).findings == ()


def test_a_finding_is_one_sentence_with_entry_range_and_section() -> None:
    tables = Tables()
    for page in range(3):
        tables.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, P | RW)
    assert str(only(tables.report())) == (
        "error: a page can be written and executed: 0x0000_0000_0040_0000 to 0x0000_0000_0040_2fff in here "
        "(PTE at 0x0000_0040_3000 = 0x0000_0000_0000_0003 and 2 behind it): supervisor, write, execute "
        '(SDM vol. 3A, "Determination of Access Rights", 4.6.1)'
    )


def test_of_many_findings_alike_a_text_shows_the_first_and_counts_the_rest() -> None:
    tables = Tables()
    for page in range(0, 40, 2):
        tables.map(LOW + page * PAGE_BYTES, page * PAGE_BYTES, P | RW)
    report = tables.report()
    lines = report.lines()
    assert lines[0] == "1 address space, 4 tables, 20 pages: 20 errors, 0 warnings, 0 notes"
    assert len(lines) == 1 + 8 + 1
    assert lines[-1] == "error: 12 more: a page can be written and executed"
    assert len(report.errors) == 20
