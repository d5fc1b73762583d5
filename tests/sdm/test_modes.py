# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 3A, "Paging Modes and Control Bits" (4.1), "32-Bit Paging" (4.3), "PAE Paging" (4.4), "4-Level Paging and
5-Level Paging" (4.5): one row per statement; the id is the statement.
"""

from dataclasses import replace

import pytest

from emu.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR4_LA57,
    CR4_PAE,
    CR4_PSE,
    EFER_LMA,
    EFER_LME,
    ControlRegisters,
)
from emu.paging.fault import Reason
from emu.paging.formats import PS, A, D, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import Source, Walk, accessed_updates, load_pdptes, walk
from tests.helpers.stub import TABLES
from tests.helpers.stub32 import TABLES_AT, Guest32
from tests.sdm.machine_code import END, TO_CR0, TO_CR3, TO_CR4, load32, store32

ROOT = 0x1000
ALL = 7
KB, MB, GB = 1 << 10, 1 << 20, 1 << 30


def controls(mode: PagingMode, **changes: object) -> Controls:
    return replace(Controls(True, False, False, True, mode, ROOT, PGE=False), **changes)


def chain(mode: PagingMode, linear: int, *entries: int) -> dict[int, int]:
    """`entries` from the root down, each where `linear` has its table look; table n is at 0x1000 * (n + 1)."""
    return {
        ROOT * (depth + 1) + level.index(linear) * mode.entry_bytes: raw
        for depth, (level, raw) in enumerate(zip(mode.levels, entries, strict=False))
    }


def walked(memory: dict[int, int], linear: int, under: Controls) -> Walk:
    return walk(lambda address, _: memory[address], linear, under)


# -- which mode, and how it cuts an address ---------------------------------------------------------------------------

LONG = EFER_LME | EFER_LMA


@pytest.mark.parametrize(
    ("cr0", "cr4", "efer", "mode"),
    [
        pytest.param(CR0_PE, CR4_PAE, 0, None, id="without CR0.PG there is no paging"),
        pytest.param(CR0_PG, CR4_PSE, 0, TWO_LEVEL, id="PG without CR4.PAE is 32-bit paging"),
        pytest.param(CR0_PG, CR4_PAE, 0, PAE, id="PG and CR4.PAE without long mode are PAE paging"),
        pytest.param(CR0_PG, CR4_PAE, LONG, FOUR_LEVEL, id="EFER.LMA is 4-level paging"),
        pytest.param(
            CR0_PG, CR4_PAE | CR4_LA57, LONG, FIVE_LEVEL, id="EFER.LMA and CR4.LA57 are 5-level paging"
        ),
        pytest.param(CR0_PG, CR4_PAE | CR4_LA57, 0, PAE, id="LA57 means nothing outside long mode"),
    ],
)
def test_the_mode_follows_from_the_control_bits(cr0: int, cr4: int, efer: int, mode: PagingMode | None):
    assert ControlRegisters(cr0 | CR0_PE, 0, cr4, efer).mode is mode


@pytest.mark.parametrize(
    ("mode", "widths", "entry_bytes"),
    [
        pytest.param(TWO_LEVEL, (10, 10, 12), 4, id="32-bit paging cuts 32 bits into 10, 10 and 12"),
        pytest.param(PAE, (2, 9, 9, 12), 8, id="PAE paging cuts 32 bits into 2, 9, 9 and 12"),
        pytest.param(FOUR_LEVEL, (9, 9, 9, 9, 12), 8, id="4-level paging cuts 48 bits into four 9s and 12"),
        pytest.param(
            FIVE_LEVEL, (9, 9, 9, 9, 9, 12), 8, id="5-level paging cuts 57 bits into five 9s and 12"
        ),
    ],
)
def test_each_mode_cuts_the_linear_address_its_own_way(
    mode: PagingMode, widths: tuple[int, ...], entry_bytes: int
):
    parts = [(0b1010110101 >> n | 1) % (1 << width) for n, width in enumerate(widths)]
    linear = 0
    for part, width in zip(parts, widths, strict=True):
        linear = linear << width | part
    if mode.sign_extended:
        linear |= -1 << sum(widths) & (1 << 64) - 1 if linear >> sum(widths) - 1 else 0
    tables = [ROOT * (depth + 1) for depth in range(len(widths))]
    addresses = [table + part * entry_bytes for table, part in zip(tables, parts[:-1], strict=False)]
    flags = [P if form.table.implied else ALL for form in mode.levels]
    memory = {
        address: below | flag for address, below, flag in zip(addresses, tables[1:], flags, strict=True)
    }
    found = walked(memory, linear, controls(mode))
    assert list(found.addresses) == addresses
    assert found.physical == tables[-1] + parts[-1]


@pytest.mark.parametrize(
    ("mode", "level", "page_bytes", "under"),
    [
        pytest.param(TWO_LEVEL, "PTE", 4 * KB, {}, id="32-bit paging has 4K pages"),
        pytest.param(TWO_LEVEL, "PDE", 4 * MB, {}, id="32-bit paging has 4M pages with CR4.PSE"),
        pytest.param(PAE, "PTE", 4 * KB, {}, id="PAE paging has 4K pages"),
        pytest.param(PAE, "PDE", 2 * MB, {}, id="PAE paging has 2M pages"),
        pytest.param(PAE, "PDE", 2 * MB, {"PSE": False}, id="PAE paging has 2M pages whatever CR4.PSE is"),
        pytest.param(FOUR_LEVEL, "PTE", 4 * KB, {}, id="4-level paging has 4K pages"),
        pytest.param(FOUR_LEVEL, "PDE", 2 * MB, {"PSE": False}, id="4-level paging has 2M pages"),
        pytest.param(FOUR_LEVEL, "PDPTE", GB, {}, id="4-level paging has 1G pages where CPUID offers them"),
        pytest.param(FIVE_LEVEL, "PTE", 4 * KB, {}, id="5-level paging has 4K pages"),
        pytest.param(FIVE_LEVEL, "PDE", 2 * MB, {}, id="5-level paging has 2M pages"),
        pytest.param(FIVE_LEVEL, "PDPTE", GB, {}, id="5-level paging has 1G pages where CPUID offers them"),
    ],
)
def test_a_page_reaches_from_its_first_byte_to_its_last(
    mode: PagingMode, level: str, page_bytes: int, under: dict[str, bool]
):
    depth = mode.levels.index(mode.level(level))
    frame = 0x40_0000_0000 - page_bytes if mode.entry_bytes == 8 else 0xC000_0000
    upper = [ROOT * (n + 2) | (P if mode.levels[n].table.implied else ALL) for n in range(depth)]
    large = PS if level != "PTE" else 0
    for linear in (page_bytes, 2 * page_bytes - 1):
        memory = chain(mode, linear, *upper, frame | ALL | large)
        found = walked(memory, linear, controls(mode, **under))
        assert (found.frame, found.page_bytes, found.physical) == (
            frame,
            page_bytes,
            frame | linear - page_bytes,
        )


# -- 32-bit paging ----------------------------------------------------------------------------------------------------


def refusal_of_4m_page(raw: int, **changes: object) -> Reason | None:
    return walked({ROOT: raw, 0: 0}, 0, controls(TWO_LEVEL, **changes)).reason


def test_32_bit_paging_has_no_xd():
    memory = chain(TWO_LEVEL, 0, 0x2000 | ALL, 0xFFFF_F000 | ALL)
    assert not walked(memory, 0, controls(TWO_LEVEL)).rights.XD
    assert not TWO_LEVEL.has_xd


def test_ps_of_a_32_bit_pde_is_ignored_without_cr4_pse():
    memory = chain(TWO_LEVEL, 0, 0x2000 | ALL | PS, 0x5000 | ALL)
    assert walked(memory, 0, controls(TWO_LEVEL, PSE=False)).frame == 0x5000


@pytest.mark.parametrize(
    ("maxphyaddr", "pse36", "reserved"),
    [
        pytest.param(40, True, {21}, id="bit 21 alone for MAXPHYADDR 40"),
        pytest.param(52, True, {21}, id="bit 21 alone for MAXPHYADDR 52: PSE-36 ends at 40 bits"),
        pytest.param(36, True, {17, 18, 19, 20, 21}, id="bits 21 to 17 for MAXPHYADDR 36"),
        pytest.param(32, True, set(range(13, 22)), id="bits 21 to 13 for MAXPHYADDR 32"),
        pytest.param(40, False, set(range(13, 22)), id="bits 21 to 13 without PSE-36"),
    ],
)
def test_a_pde_that_maps_a_4m_page_reserves(maxphyaddr: int, pse36: bool, reserved: set[int]):
    found = {
        bit
        for bit in range(12, 32)
        if refusal_of_4m_page(ALL | PS | 1 << bit, maxphyaddr=maxphyaddr, pse36=pse36)
        is Reason.RESERVED_BIT_SET
    }
    assert found == reserved


def test_bits_20_to_13_of_a_4m_pde_are_bits_39_to_32_of_the_address():
    found = walked({ROOT: 0xFFC0_0000 | 0xA5 << 13 | ALL | PS}, 0x12_3456, controls(TWO_LEVEL))
    assert found.physical == 0xA5_FFC0_0000 | 0x12_3456


# -- PAE paging -------------------------------------------------------------------------------------------------------

RESERVED_IN_A_PDPTE = [1, 2, 5, 6, 7, 8, *range(40, 64)]


def test_pae_paging_takes_its_pdptes_from_registers():
    memory = {0x2000: 0x3000 | ALL, 0x3000: 0x5000 | ALL}
    under = controls(PAE, pdptes=(0x2000 | P, 0, 0, 0))
    found = walked(memory, 0, under)
    assert found.frame == 0x5000
    assert found.steps[0].source is Source.REGISTER
    assert walked(memory, 1 << 30, under).reason is Reason.NOT_PRESENT


@pytest.mark.parametrize("bit", RESERVED_IN_A_PDPTE)
def test_a_present_pdpte_with_a_reserved_bit_is_not_loaded(bit: int):
    for index in range(4):
        values = {ROOT + 8 * n: 0x2000 | P for n in range(4)}
        values[ROOT + 8 * index] |= 1 << bit
        assert load_pdptes(lambda address, _, values=values: values[address], ROOT, 40) is None


def test_a_pdpte_that_is_not_present_has_no_reserved_bits():
    absent = sum(1 << bit for bit in RESERVED_IN_A_PDPTE)
    assert load_pdptes(lambda _address, _size: absent, ROOT, 40) == (absent,) * 4


@pytest.mark.parametrize("bit", sorted({*range(1, 40)} - {*RESERVED_IN_A_PDPTE}))
def test_any_other_bit_of_a_pdpte_may_be_set(bit: int):
    assert load_pdptes(lambda _address, _size: P | 1 << bit, ROOT, 40) == (P | 1 << bit,) * 4


def test_a_pdpte_of_pae_paging_has_no_a_bit_and_grants_what_it_cannot_refuse():
    memory = {0x2000: 0x3000 | ALL, 0x3000: 0x5000 | ALL}
    found = walked(memory, 0, controls(PAE, pdptes=(0x2000 | P, 0, 0, 0)))
    updates = accessed_updates(found, write=True)
    assert [(update.step.level.name, update.after & ~update.before) for update in updates] == [
        ("PDE", A),
        ("PTE", A | D),
    ]
    assert found.rights.RW and found.rights.US


@pytest.mark.parametrize("bit", [*range(40, 63)])
def test_pae_entries_reserve_what_lies_between_the_address_and_xd(bit: int):
    under = controls(PAE, pdptes=(0x2000 | P, 0, 0, 0))
    for pde, pte in ((1 << bit, 0), (0, 1 << bit), (1 << bit | PS, 0)):
        memory = {0x2000: (0 if pde & PS else 0x3000) | ALL | pde, 0x3000: 0x5000 | ALL | pte}
        assert walked(memory, 0, under).reason is Reason.RESERVED_BIT_SET


CR0, CR4 = 0x8001_0011, 0x620
CR0_CD, CR0_NW, CR0_WP = 1 << 30, 1 << 29, 1 << 16
CR4_TSD, CR4_PGE, CR4_SMEP, CR4_SMAP = 1 << 2, 1 << 7, 1 << 20, 1 << 21
NEW_PDPTE, BAD_PDPTE = 0x5001, 0x5003
PG_OFF = load32((CR0 | CR0_CD) & ~CR0_PG) + TO_CR0

LOADS = [
    pytest.param(load32(TABLES) + TO_CR3, True, id="MOV to CR3"),
    pytest.param(load32(CR0) + TO_CR0, True, id="MOV to CR0 that changes CD"),
    pytest.param(load32(CR0 | CR0_CD | CR0_NW) + TO_CR0, True, id="MOV to CR0 that changes NW"),
    pytest.param(PG_OFF + load32(CR0 | CR0_CD) + TO_CR0, True, id="MOV to CR0 that sets PG"),
    pytest.param(load32(CR4 | CR4_PSE) + TO_CR4, True, id="MOV to CR4 that changes PSE"),
    pytest.param(load32(CR4 | CR4_PGE) + TO_CR4, True, id="MOV to CR4 that changes PGE"),
    pytest.param(load32(CR4 | CR4_SMEP) + TO_CR4, True, id="MOV to CR4 that changes SMEP"),
    pytest.param(load32((CR0 | CR0_CD) & ~CR0_WP) + TO_CR0, False, id="not MOV to CR0 that changes WP"),
    pytest.param(load32(CR4 | CR4_TSD) + TO_CR4, False, id="not MOV to CR4 that changes TSD"),
    pytest.param(load32(CR4 | CR4_SMAP) + TO_CR4, False, id="not MOV to CR4 that changes SMAP"),
]


def run_with_pdpte_2(pdpte: int, change: bytes) -> Guest32:
    """Runs `change` in PAE paging when PDPTE 2 has become `pdpte` in memory alone. CR0.CD is 1 before.

    The code lies at its own physical address, so that it goes on where paging is off.
    """
    code = load32(CR0 | CR0_CD) + TO_CR0 + store32(TABLES_AT + 16, pdpte) + change + END
    guest = Guest32(code, mode=PAE, pages={0x10_0000: (0x10_0000, 3)}, rip=0x10_0000)
    guest.run()
    return guest


@pytest.mark.parametrize(("change", "loads"), LOADS)
def test_the_pdptes_are_loaded_by(change: bytes, loads: bool):
    guest = run_with_pdpte_2(NEW_PDPTE, change)
    assert guest.vector == 3
    assert guest.machine.cpu.pdptes[2] == (NEW_PDPTE if loads else 0)


@pytest.mark.parametrize(("change", "loads"), LOADS)
def test_a_bad_pdpte_is_a_general_protection_fault_of(change: bytes, loads: bool):
    guest = run_with_pdpte_2(BAD_PDPTE, change)
    assert guest.vector == (13 if loads else 3)
    assert guest.machine.cpu.pdptes[2] == 0, "nothing is loaded"


def test_mov_to_cr4_that_changes_pae_loads_the_pdptes():
    """32-bit paging becomes PAE paging: CR3 leads to a directory for the one, to PDPTEs for the other."""
    root, pdpt, directory = 0x1_0000, 0x1_0800, 0x1_1000
    large = 0x83
    code = load32(pdpt) + TO_CR3 + load32(0x610 | CR4_PAE) + TO_CR4 + END
    guest = Guest32(
        code,
        rip=0x10_0000,
        data={
            root: (directory | 3).to_bytes(4, "little"),
            pdpt: (directory | 1).to_bytes(8, "little"),
            directory: large.to_bytes(8, "little"),
            directory + 4 * 0x100: (0x10_0003).to_bytes(4, "little"),
        },
    )
    guest.run()
    assert guest.vector == 3
    assert guest.machine.cpu.pdptes == (directory | 1, 0, 0, 0)


# -- 4-level and 5-level paging ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "linear", "canonical"),
    [
        pytest.param(FOUR_LEVEL, 0x0000_7FFF_FFFF_FFFF, True, id="4-level: the lower half ends below bit 47"),
        pytest.param(FOUR_LEVEL, 0x0000_8000_0000_0000, False, id="4-level: bit 47 alone is not canonical"),
        pytest.param(
            FOUR_LEVEL, 0xFFFF_8000_0000_0000, True, id="4-level: bits 63 to 47 all set are canonical"
        ),
        pytest.param(FOUR_LEVEL, 0x7FFF_8000_0000_0000, False, id="4-level: bit 63 must be as bit 47"),
        pytest.param(FIVE_LEVEL, 0x0000_8000_0000_0000, True, id="5-level: bit 47 is an index bit"),
        pytest.param(FIVE_LEVEL, 0x00FF_FFFF_FFFF_FFFF, True, id="5-level: the lower half ends below bit 56"),
        pytest.param(FIVE_LEVEL, 0x0100_0000_0000_0000, False, id="5-level: bit 56 alone is not canonical"),
        pytest.param(
            FIVE_LEVEL, 0xFF00_0000_0000_0000, True, id="5-level: bits 63 to 56 all set are canonical"
        ),
        pytest.param(FIVE_LEVEL, 0x7F00_0000_0000_0000, False, id="5-level: bit 63 must be as bit 56"),
        pytest.param(TWO_LEVEL, 0xFFFF_FFFF, True, id="32-bit: every address can be translated"),
        pytest.param(PAE, 0xFFFF_FFFF, True, id="PAE: every address can be translated"),
    ],
)
def test_what_is_canonical(mode: PagingMode, linear: int, canonical: bool):
    found = walk(lambda _address, _size: 0, linear, controls(mode))
    assert found.reason is (Reason.NOT_PRESENT if canonical else Reason.NON_CANONICAL)


@pytest.mark.parametrize(
    ("mode", "level"), [(FOUR_LEVEL, "PML4E"), (FIVE_LEVEL, "PML4E"), (FIVE_LEVEL, "PML5E")]
)
def test_ps_is_reserved_in_an_entry_above_the_pdpte(mode: PagingMode, level: str):
    depth = mode.levels.index(mode.level(level))
    entries = [ROOT * (n + 2) | ALL for n in range(depth)]
    found = walked(chain(mode, 0, *entries, 0x9000 | ALL | PS), 0, controls(mode))
    assert found.reason is Reason.RESERVED_BIT_SET
    assert found.steps[-1].level.name == level


@pytest.mark.parametrize("mode", [FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
def test_ps_in_a_pdpte_is_reserved_where_cpuid_offers_no_1g_pages(mode: PagingMode):
    depth = mode.levels.index(mode.level("PDPTE"))
    entries = [ROOT * (n + 2) | ALL for n in range(depth)]
    memory = chain(mode, 0, *entries, GB | ALL | PS)
    assert walked(memory, 0, controls(mode, page_1g=False)).reason is Reason.RESERVED_BIT_SET
    assert walked(memory, 0, controls(mode)).frame == GB


@pytest.mark.parametrize(
    ("level", "reserved"),
    [
        pytest.param("PDE", range(13, 21), id="bits 20 to 13 of a PDE that maps a 2M page"),
        pytest.param("PDPTE", range(13, 30), id="bits 29 to 13 of a PDPTE that maps a 1G page"),
    ],
)
def test_a_large_page_reserves_the_address_bits_below_its_own(level: str, reserved: range):
    depth = FOUR_LEVEL.levels.index(FOUR_LEVEL.level(level))
    entries = [ROOT * (n + 2) | ALL for n in range(depth)]
    found = {
        bit
        for bit in range(12, 40)
        if walked(chain(FOUR_LEVEL, 0, *entries, ALL | PS | 1 << bit), 0, controls(FOUR_LEVEL)).reason
    }
    assert found == set(reserved)


@pytest.mark.parametrize("mode", [PAE, FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
@pytest.mark.parametrize("maxphyaddr", [36, 40, 46, 52])
def test_address_bits_from_maxphyaddr_up_to_51_are_reserved(mode: PagingMode, maxphyaddr: int):
    upper = [
        ROOT * (n + 2) | (P if mode.levels[n].table.implied else ALL) for n in range(len(mode.levels) - 1)
    ]
    for bit in range(36, 52):
        memory = chain(mode, 0, *upper, ALL | 1 << bit)
        found = walked(memory, 0, controls(mode, maxphyaddr=maxphyaddr))
        assert found.complete is (bit < maxphyaddr)


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
def test_g_is_of_effect_in_the_entry_that_maps_the_page_and_with_cr4_pge(mode: PagingMode):
    upper = [
        ROOT * (n + 2) | (P if mode.levels[n].table.implied else ALL) for n in range(len(mode.levels) - 1)
    ]
    memory = chain(mode, 0, *upper, 0x5000 | ALL | 1 << 8)
    assert walked(memory, 0, controls(mode, PGE=True)).is_global
    assert not walked(memory, 0, controls(mode, PGE=False)).is_global
    above = chain(mode, 0, *(raw | (0 if mode is PAE else 1 << 8) for raw in upper), 0x5000 | ALL)
    assert not walked(above, 0, controls(mode, PGE=True)).is_global
