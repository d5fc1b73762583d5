# SPDX-License-Identifier: GPL-2.0-or-later
"""The paging modes as tables of levels."""

import pytest

from emu.paging.formats import PDE, PDE_2M, PDPTE, PDPTE_1G, PML4E, PS, PTE
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PagingMode, plan


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_indexes_and_the_offset_cover_the_linear_address(mode: PagingMode):
    shifts = [level.shift + level.index_bits for level in mode.levels]
    assert shifts == [mode.linear_bits, *(level.shift for level in mode.levels[:-1])]
    assert mode.levels[-1].shift == 12


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_last_level_has_one_format_for_ps_0_and_1(mode: PagingMode):
    assert mode.levels[-1].table is mode.levels[-1].page is PTE


def test_a_linear_address_splits_into_its_indexes():
    linear = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x567
    assert [level.index(linear) for level in FOUR_LEVEL.levels] == [1, 2, 3, 4]


def test_page_sizes_derive_from_the_shift():
    sizes = {level.name: level.page_bytes for level in FOUR_LEVEL.levels if level.page}
    assert sizes == {"PDPTE": 1 << 30, "PDE": 2 << 20, "PTE": 4096}


def test_a_level_is_found_by_name_or_refused_by_name():
    assert FOUR_LEVEL.level("PDE").shift == 21
    with pytest.raises(KeyError, match="4-level paging has no level PML5E"):
        FOUR_LEVEL.level("PML5E")


def test_five_level_paging_is_four_level_paging_under_one_more_table():
    assert FIVE_LEVEL.levels[1:] == FOUR_LEVEL.levels
    assert FIVE_LEVEL.level("PML5E").shift == 48


def test_canonical_form_depends_on_the_mode():
    assert not FOUR_LEVEL.is_canonical(1 << 47)
    assert FIVE_LEVEL.is_canonical(1 << 47)
    assert PagingMode("flat", FOUR_LEVEL.levels, 48, sign_extended=False).is_canonical(1 << 47)


def test_xd_exists_where_the_last_level_has_it():
    assert FOUR_LEVEL.has_xd


def test_a_planned_level_holds_formats_and_reserved_bits_by_ps():
    pml4e, pdpte, pde, pte = plan(FOUR_LEVEL, 40, True, True)
    assert pml4e.formats == (PML4E, PML4E)
    assert pdpte.formats == (PDPTE, PDPTE_1G)
    assert pde.formats == (PDE, PDE_2M)
    assert pte.formats == (PTE, PTE)
    assert pde.reserved == (PDE.reserved_mask(40, True), PDE_2M.reserved_mask(40, True))
    assert pml4e.reserved[1] & PS


def test_without_1g_pages_ps_in_a_pdpte_is_reserved():
    offered, refused = (plan(FOUR_LEVEL, 40, True, page_1g)[1] for page_1g in (True, False))
    assert not offered.reserved[1] & PS
    assert refused.formats == (PDPTE, PDPTE) and refused.reserved[1] & PS
