# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker on tables that nobody thought of: it ends, and agrees with walks made one address at a time."""

from itertools import combinations, count

from hypothesis import given, settings
from hypothesis import strategies as st

from emu.bits import PAGE_BYTES, PhysicalAddress, mask
from emu.checker import Finding, Owner, Rule, check_tables
from emu.mem import PhysicalMemory
from emu.paging.build import TableBuilder
from emu.paging.formats import RW, US, XD, A, D, G, P
from emu.paging.modes import MODES, PAE, PagingMode
from emu.paging.rights import Controls, Rights
from emu.paging.walk import load_pdptes, walk

RAM, TABLES, BASE, PAGES = 1 << 20, 0x8_0000, 0x3F_0000, 32
"""The pages lie on both sides of a page directory entry's range."""
KERNEL = range(4, 8)
modes = st.sampled_from(list(MODES.values()))


def owner(frame: int) -> Owner:
    return Owner("kernel", False) if frame in KERNEL else Owner("user", True)


def controls_of(memory: PhysicalMemory, mode: PagingMode, root: int, pge: bool = True) -> Controls:
    pdptes = load_pdptes(memory.read_entry, PhysicalAddress(root), 40) if mode is PAE else ()
    return Controls(
        True, True, True, mode.has_xd, mode, PhysicalAddress(root), pge, pdptes=pdptes if pdptes else ()
    )


def built(
    mode: PagingMode, pages: dict[int, tuple[int, int]]
) -> tuple[PhysicalMemory, Controls, dict[int, Rights]]:
    """Tables with a page at BASE plus so many pages for each (frame, flags); and what a walk says of each."""
    memory = PhysicalMemory(RAM)
    frames = count(TABLES, PAGE_BYTES)
    builder = TableBuilder(memory, lambda: PhysicalAddress(next(frames)), mode)
    for page, (frame, flags) in pages.items():
        linear, flags = BASE + page * PAGE_BYTES, flags & mask(0, 8 * mode.entry_bytes - 1)
        builder.map(linear, frame * PAGE_BYTES, PAGE_BYTES, P | flags)
    controls = controls_of(memory, mode, builder.root)
    return (
        memory,
        controls,
        {page: walk(memory.read_entry, BASE + page * PAGE_BYTES, controls).rights for page in pages},
    )


def pages_of(findings: tuple[Finding, ...]) -> list[int]:
    """The pages, counted from BASE, of the findings' own places."""
    return sorted(
        (finding.place.linear - BASE) // PAGE_BYTES + number
        for finding in findings
        for number in range(finding.place.size_bytes // PAGE_BYTES)
    )


flags = st.builds(lambda *bits: sum(bits), *(st.sampled_from([0, bit]) for bit in (RW, US, XD, G, A, D)))
some_pages = st.dictionaries(
    st.integers(0, PAGES - 1), st.tuples(st.integers(0, 15), flags), min_size=1, max_size=PAGES
)


@given(modes, some_pages)
def test_single_pages_are_found_exactly_where_walks_find_them(
    mode: PagingMode, pages: dict[int, tuple[int, int]]
) -> None:
    memory, controls, rights = built(mode, pages)
    report = check_tables(memory, controls, {"here": controls.root}, owner)
    user = [page for page in pages if rights[page].US]
    expected = {
        Rule.WRITABLE_AND_EXECUTABLE: [
            page for page in pages if mode.has_xd and rights[page].RW and not rights[page].XD
        ],
        Rule.USER_REACHES_KERNEL: [page for page in user if pages[page][0] in KERNEL],
        Rule.GLOBAL_USER_PAGE: [page for page in user if pages[page][1] & G],
        Rule.KERNEL_PAGE_NOT_GLOBAL: [page for page in pages if page not in user and not pages[page][1] & G],
        Rule.DIRTY_BUT_READ_ONLY: [page for page in pages if pages[page][1] & D and not rights[page].RW],
        Rule.DIRTY_BUT_NOT_ACCESSED: [
            page for page in pages if pages[page][1] & D and not pages[page][1] & A
        ],
        Rule.RESERVED_BIT_SET: [],
        Rule.USER_REACHES_TABLE: [],
        Rule.PAGE_OUTSIDE_RAM: [],
        Rule.SHARED_TABLE: [],
    }
    assert {rule: pages_of(report.of(rule)) for rule in expected} == {
        rule: sorted(found) for rule, found in expected.items()
    }
    assert report.pages == len(pages)


@given(modes, some_pages)
def test_a_frame_that_users_write_and_the_kernel_executes_is_found_exactly_where_a_pair_of_walks_finds_it(
    mode: PagingMode, pages: dict[int, tuple[int, int]]
) -> None:
    memory, controls, rights = built(mode, pages)
    report = check_tables(memory, controls, {"here": controls.root})
    expected: set[int] = set()
    for a, b in combinations(pages, 2):
        for one, other in ((a, b), (b, a)):
            writes = rights[one].US and rights[one].RW
            executes = mode.has_xd and not rights[other].US and not rights[other].XD
            if pages[a][0] == pages[b][0] and writes and executes:
                expected.add(pages[a][0])
    found = report.of(Rule.USER_WRITES_KERNEL_CODE)
    assert {pages[page][0] for page in pages_of(found)} == expected


@given(modes, st.sets(st.integers(0, PAGES - 1), min_size=1), st.booleans())
def test_pages_that_are_writable_or_executable_but_not_both_are_fine(
    mode: PagingMode, at: set[int], user: bool
) -> None:
    who = US if user else G
    pages = {page: (page, who | (RW | XD if page % 2 else 0)) for page in at}
    memory, controls, _ = built(mode, pages)
    report = check_tables(memory, controls, {"here": controls.root}, owner=None)
    assert [f for f in report.findings if f.rule is not Rule.NOTHING_FORBIDS_FETCHES] == []


FRAMES = 6
entries = st.builds(
    lambda low, frame, high: low | frame << 12 | high << 40,
    st.integers(0, 0xFFF),
    st.sampled_from([*range(FRAMES), *range(FRAMES), FRAMES, 0x200, 0xFFFFFFF]),
    st.sampled_from([0] * 8 + [1, 1 << 11, 1 << 23]),
)


@settings(max_examples=200)
@given(
    modes,
    st.lists(
        st.tuples(st.integers(0, FRAMES - 1), st.integers(0, 1023), st.integers(1, 64), entries),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.integers(0, FRAMES), min_size=1, max_size=3),
    st.booleans(),
    st.integers(1, 4000),
)
def test_tables_of_random_entries_come_to_an_end(
    mode: PagingMode, written: list[tuple[int, int, int, int]], roots: list[int], pge: bool, limit: int
) -> None:
    memory = PhysicalMemory(FRAMES * PAGE_BYTES)
    width = mode.entry_bytes
    for frame, index, length, value in written:
        for at in range(index, min(index + length, PAGE_BYTES // width)):
            memory.write_entry(
                PhysicalAddress(frame * PAGE_BYTES + at * width), value & mask(0, 8 * width - 1), width
            )
    controls = controls_of(memory, mode, roots[0] * PAGE_BYTES, pge)
    spaces = {str(root): PhysicalAddress(root * PAGE_BYTES) for root in roots}
    for most in (limit, 1 << 17):
        report = check_tables(memory, controls, spaces, owner, most)
        assert all(str(finding) for finding in report.findings)
        assert str(report) == str(check_tables(memory, controls, spaces, owner, most))
    assert report.cut_short == ""
