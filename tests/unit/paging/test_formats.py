# SPDX-License-Identifier: GPL-2.0-or-later
"""The declared entry formats and what derives from them."""

import pytest

from emu.paging.formats import (
    PAT_LARGE,
    PAT_PTE,
    PDE,
    PDE_2M,
    PDE_2M_PAE,
    PDE_4M,
    PDE_32,
    PDE_PAE,
    PDPTE,
    PDPTE_1G,
    PDPTE_PAE,
    PML4E,
    PTE,
    PTE_32,
    PTE_PAE,
    RW,
    US,
    XD,
    A,
    D,
    EntryFormat,
    Field,
    G,
    P,
)
from emu.paging.modes import FOUR_LEVEL, MODES, PagingMode


def formats_of(*modes: PagingMode) -> dict[str, EntryFormat]:
    """Every format of the modes, by a name to read in a test's id."""
    return {
        f"{mode.name} {form.name}{' that maps a page' * form.maps_page}": form
        for mode in modes
        for level in mode.levels
        for form in (level.table, level.page)
        if form is not None
    }


ALL_FORMATS = pytest.mark.parametrize("form", (f := formats_of(*MODES.values())).values(), ids=f)
FOUR_LEVEL_FORMATS = pytest.mark.parametrize("form", (f := formats_of(FOUR_LEVEL)).values(), ids=f)


@ALL_FORMATS
def test_the_fields_of_a_format_cover_every_bit_exactly_once(form: EntryFormat):
    bits = [bit for f in form.fields for bit in range(f.low, f.high + 1)]
    assert bits == list(range(8 * form.entry_bytes))


@ALL_FORMATS
def test_every_field_has_a_meaning_to_show(form: EntryFormat):
    assert all(f.meaning for f in form.fields)


@pytest.mark.parametrize(
    ("form", "reserved"),
    [
        pytest.param(PML4E, 0x000F_FF00_0000_0080, id="PML4E: PS and the address bits from MAXPHYADDR up"),
        pytest.param(PDPTE, 0x000F_FF00_0000_0000, id="PDPTE: the address bits from MAXPHYADDR up"),
        pytest.param(PDPTE_1G, 0x000F_FF00_3FFF_E000, id="1G PDPTE: bits 13 to 29 too, but not PAT"),
        pytest.param(PDE, 0x000F_FF00_0000_0000, id="PDE: the address bits from MAXPHYADDR up"),
        pytest.param(PDE_2M, 0x000F_FF00_001F_E000, id="2M PDE: bits 13 to 20 too, but not PAT"),
        pytest.param(PTE, 0x000F_FF00_0000_0000, id="PTE: the address bits from MAXPHYADDR up"),
        pytest.param(
            PDPTE_PAE, 0xFFFF_FF00_0000_01E6, id="PAE PDPTE: 1, 2, 5 to 8, and all above the address"
        ),
        pytest.param(PDE_PAE, 0x7FFF_FF00_0000_0000, id="PAE PDE: all between the address and XD"),
        pytest.param(PDE_2M_PAE, 0x7FFF_FF00_001F_E000, id="PAE 2M PDE: bits 13 to 20 too, but not PAT"),
        pytest.param(PTE_PAE, 0x7FFF_FF00_0000_0000, id="PAE PTE: all between the address and XD"),
        pytest.param(PDE_32, 0, id="32-bit PDE: nothing"),
        pytest.param(PDE_4M, 1 << 21, id="4M PDE: bit 21, for PSE-36 and 40 bits"),
        pytest.param(PTE_32, 0, id="32-bit PTE: nothing"),
    ],
)
def test_the_reserved_bits_are_those_of_the_manual(form: EntryFormat, reserved: int):
    assert form.reserved_mask(maxphyaddr=40, nxe=True) == reserved


@FOUR_LEVEL_FORMATS
def test_xd_is_reserved_without_nxe_and_bits_52_to_62_never_are(form: EntryFormat):
    assert form.reserved_mask(40, nxe=False) == form.reserved_mask(40, nxe=True) | XD
    assert not form.reserved_mask(40, nxe=False) & 0x7FF0_0000_0000_0000


def test_with_52_address_bits_none_is_reserved():
    assert PTE.reserved_mask(maxphyaddr=52, nxe=True) == 0


@pytest.mark.parametrize(
    ("maxphyaddr", "reserved"), [(32, 0x3F_E000), (36, 0x3E_0000), (40, 0x20_0000), (52, 0x20_0000)]
)
def test_the_reserved_bits_of_a_4m_page_follow_maxphyaddr_up_to_40(maxphyaddr: int, reserved: int):
    assert PDE_4M.reserved_mask(maxphyaddr, nxe=False) == reserved


def test_address_bits_stored_elsewhere_are_reserved_by_what_they_mean():
    high = Field("address", 13, 20, "bits 32 up", address_bit=32)
    assert high.reserved_mask(maxphyaddr=40, nxe=True) == 0
    assert high.reserved_mask(maxphyaddr=36, nxe=True) == 0x1E_0000
    assert high.reserved_mask(maxphyaddr=32, nxe=True) == high.mask


def test_the_attributes_of_an_entry_are_its_bits():
    entry = PTE.decode(P | RW | PAT_PTE | G | XD)
    assert (entry.P, entry.RW, entry.PAT, entry.G, entry.XD) == (True,) * 5
    assert (entry.US, entry.PWT, entry.PCD, entry.A, entry.D) == (False,) * 5


def test_a_bit_that_the_format_lacks_reads_as_false():
    raw = P | A | D | 0x80 | G
    table = PDE.decode(raw)
    assert table.A and table.PS
    assert not table.D and not table.G and not table.PAT
    assert not PTE.decode(raw).PS


def test_pat_of_a_large_page_is_bit_12():
    assert PDE_2M.decode(PAT_LARGE).PAT
    assert not PDE_2M.decode(PAT_PTE).PAT


@pytest.mark.parametrize(
    ("form", "frame"),
    [(PTE, 0xFF_FFFF_F000), (PDE, 0xFF_FFFF_F000), (PDE_2M, 0xFF_FFE0_0000), (PDPTE_1G, 0xFF_C000_0000)],
    ids=["4K page", "page table", "2M page", "1G page"],
)
def test_the_frame_is_the_address_bits_of_the_format(form: EntryFormat, frame: int):
    raw = 0xFFF0_00FF_FFFF_FFFF
    assert form.decode(raw).frame == frame
    assert form.encode(frame, P) == frame | P


def test_a_frame_survives_being_split_over_two_fields():
    low = Field("address", 22, 31, "bits 22 to 31", address_bit=22)
    high = Field("address", 13, 20, "bits 32 to 39", address_bit=32)
    split = EntryFormat("PDE_4M", 4, (high, low), maps_page=True)
    assert split.decode(split.encode(0xAB_CDC0_0000, P)).frame == 0xAB_CDC0_0000
    assert split.encode(0xAB_CDC0_0000, P) == 0xCDC0_0000 | 0xAB << 13 | P
    assert split.address_mask == low.mask


def test_flags_are_named_from_bit_0_up():
    assert PTE.decode(P | US | D | XD).flags() == ["P", "US", "D", "XD"]
    assert PDE.decode(P | D).flags() == ["P"]


def test_an_entry_in_a_line_shows_value_frame_and_flags():
    assert str(PTE.decode(0x5000 | P | RW)) == "PTE 0x0000_0000_0000_5003 -> 0x0000_0000_0000_5000 P RW"


def test_an_entry_that_is_not_present_has_nothing_but_its_value():
    assert str(PTE.decode(0x5000)) == "PTE 0x0000_0000_0000_5000 not present"


def test_a_format_without_rights_bits_grants_what_it_cannot_refuse():
    assert EntryFormat("PDPTE", 8, (Field("P", 0, 0, "Present"),)).implied == RW | US
    assert PTE.implied == 0
