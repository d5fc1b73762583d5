# SPDX-License-Identifier: GPL-2.0-or-later
"""Building page tables."""

import pytest

from emu.paging.build import TABLE_FLAGS, TableBuilder
from emu.paging.formats import PS, RW, P
from emu.paging.modes import FOUR_LEVEL


@pytest.fixture
def builder(memory) -> TableBuilder:
    """An empty four-level hierarchy."""
    return TableBuilder(memory, memory.allocate, FOUR_LEVEL)


def test_a_fresh_builder_has_a_root_and_nothing_mapped(builder):
    assert builder.root == 0x1000
    with pytest.raises(ValueError, match="no table with a PDPTE"):
        builder.unmap(0)


def test_neighbours_share_their_tables(memory, builder):
    first = builder.map(0x5000, 0x9000, flags=P)
    second = builder.map(0x6000, 0xA000, flags=P | RW)
    assert second == first + 8
    assert (memory.entries[first], memory.entries[second]) == (0x9000 | P, 0xA000 | P | RW)
    assert len(memory.entries) == 5


def test_entries_that_refer_to_tables_leave_the_rights_to_the_page(memory, builder):
    builder.map(0x5000, 0x9000, flags=P)
    assert memory.entries[builder.entry_address(0x5000, "PML4E")] == 0x2000 | TABLE_FLAGS


@pytest.mark.parametrize(("page_bytes", "level"), [(4096, "PTE"), (2 << 20, "PDE"), (1 << 30, "PDPTE")])
def test_unmapping_clears_the_entry_of_a_page_of_any_size(memory, builder, page_bytes: int, level: str):
    address = builder.map(page_bytes, page_bytes, page_bytes)
    assert address == builder.entry_address(page_bytes, level)
    assert bool(memory.entries[address] & PS) is (level != "PTE")
    assert builder.unmap(page_bytes + 5) == page_bytes
    assert memory.entries[address] == 0


def test_unmapping_twice_is_an_error(builder):
    builder.map(0x5000, 0x9000)
    builder.unmap(0x5000)
    with pytest.raises(ValueError, match="nothing maps 0x0000_0000_0000_5000"):
        builder.unmap(0x5000)


@pytest.mark.parametrize("page_bytes", [4 << 20, 1 << 39], ids=["4M", "all that a PML4E covers"])
def test_a_size_that_the_mode_lacks_is_an_error(builder, page_bytes: int):
    with pytest.raises(ValueError, match=f"4-level paging has no pages of {page_bytes} bytes"):
        builder.map(0, 0, page_bytes)


@pytest.mark.parametrize(("linear", "physical"), [(0x1000, 0x20_0000), (0x20_0000, 0x1000)])
def test_an_address_that_is_not_aligned_to_its_page_is_an_error(builder, linear: int, physical: int):
    with pytest.raises(ValueError, match="0x0000_0000_0000_1000 is not aligned to 2097152 bytes"):
        builder.map(linear, physical, 2 << 20)


def test_a_small_page_inside_a_large_one_is_an_error(builder):
    builder.map(0, 0, 2 << 20)
    with pytest.raises(ValueError, match="a PDE maps 0x0000_0000_0000_5000"):
        builder.map(0x5000, 0x9000)
