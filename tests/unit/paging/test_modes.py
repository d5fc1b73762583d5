# SPDX-License-Identifier: GPL-2.0-or-later
"""The paging modes as tables of levels."""

import pytest

from emu.paging.formats import PDE, PDE_2M, PDE_4M, PDE_32, PDPTE, PDPTE_1G, PML4E, PS, RW, US
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode, Side, plan


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_indexes_and_the_offset_cover_the_linear_address(mode: PagingMode):
    shifts = [level.shift + level.index_bits for level in mode.levels]
    assert shifts == [mode.linear_bits, *(level.shift for level in mode.levels[:-1])]
    assert mode.levels[-1].shift == 12


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_last_level_has_one_format_for_ps_0_and_1(mode: PagingMode):
    last = mode.levels[-1]
    assert last.table is last.page
    assert last.table.name == "PTE" and last.table.maps_page


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


def test_xd_exists_everywhere_but_in_32_bit_paging():
    assert [mode.name for mode in MODES.values() if not mode.has_xd] == ["32-bit"]


def planned(
    mode: PagingMode, level: int, *, nxe=True, pse=True, page_1g=True, pse36=True
) -> tuple[Side, Side]:
    return plan(mode, 40, nxe, pse, page_1g, pse36)[level].sides


def test_a_planned_level_holds_masks_by_ps():
    table, page = planned(FOUR_LEVEL, 2)
    assert (table.format, page.format) == (PDE, PDE_2M)
    assert (table.reserved, page.reserved) == (PDE.reserved_mask(40, True), PDE_2M.reserved_mask(40, True))
    assert (table.maps_page, page.maps_page) == (False, True)
    assert table.address_mask == PDE.address_mask
    assert planned(PAE, 0)[0].implied == RW | US


def test_ps_in_a_pml4e_is_reserved():
    assert all(side.format is PML4E and side.reserved & PS for side in planned(FOUR_LEVEL, 0))


def test_without_1g_pages_ps_in_a_pdpte_is_reserved():
    assert planned(FOUR_LEVEL, 1)[1].format is PDPTE_1G
    refused = planned(FOUR_LEVEL, 1, page_1g=False)[1]
    assert refused.format is PDPTE and refused.reserved & PS


def test_without_pse_ps_means_nothing_in_32_bit_paging():
    assert planned(TWO_LEVEL, 0)[1].format is PDE_4M
    ignored = planned(TWO_LEVEL, 0, pse=False)[1]
    assert ignored.format is PDE_32 and not ignored.reserved & PS


@pytest.mark.parametrize("mode", [PAE, FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
def test_pse_matters_in_32_bit_paging_alone(mode: PagingMode):
    assert plan(mode, 40, True, True, True, True) == plan(mode, 40, True, False, True, True)


def test_without_pse_36_a_4m_page_lies_below_4_gbytes():
    assert planned(TWO_LEVEL, 0)[1].reserved == 1 << 21
    assert planned(TWO_LEVEL, 0, pse36=False)[1].reserved == 0x3F_E000
