# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be written to CR0, CR3, CR4 and EFER: a row a rule, what it refuses or the nearest it allows."""

import pytest

from emu.cpu import registers as reg
from emu.cpu.model import FULL, MODELS, CpuModel, parse
from emu.cpu.registers import ControlRegisters, paging_controls, table_base
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode

PE, WP, NW, CD, PG = 1 << 0, 1 << 16, 1 << 29, 1 << 30, 1 << 31
PSE, PAE_BIT, PGE, LA57, PCIDE, SMEP, SMAP, PKE = (1 << bit for bit in (4, 5, 7, 12, 17, 20, 21, 22))
SCE, LME, LMA, NXE = 1, 1 << 8, 1 << 10, 1 << 11

OFF = ControlRegisters(PE, 0, 0, 0)
IN_32_BIT = ControlRegisters(PE | PG, 0x1000, 0, 0)
LONG = ControlRegisters(PE | PG, 0x1000, PAE_BIT, LME | LMA)
WITH_PCID = LONG._replace(cr4=PAE_BIT | PCIDE)
READY = ControlRegisters(PE, 0x1000, PAE_BIT, LME)
"""Long mode is one MOV to CR0 away."""


@pytest.mark.parametrize(
    ("now", "new", "cs_l", "task_16", "refused"),
    [
        pytest.param(OFF, PE | PG, False, False, None, id="paging is turned on"),
        pytest.param(OFF, PE | 1 << 32, False, False, "63:32", id="bits 63:32 are reserved"),
        pytest.param(OFF, PG, False, False, "PE", id="PG without PE"),
        pytest.param(OFF, PE | NW, False, False, "CD", id="NW without CD"),
        pytest.param(OFF, PE | NW | CD, False, False, None, id="NW with CD"),
        pytest.param(
            OFF, PE | 1 << 19 | 1 << 28, False, False, None, id="reserved bits below 32 are ignored"
        ),
        pytest.param(READY, PE | PG, False, False, None, id="long mode is entered"),
        pytest.param(
            READY._replace(cr4=0), PE | PG, False, False, "CR4.PAE", id="into long mode without PAE"
        ),
        pytest.param(READY, PE | PG, True, False, "L = 1", id="into long mode from a segment with L = 1"),
        pytest.param(READY, PE | PG, False, True, "16-bit TSS", id="into long mode with a 16-bit TSS"),
        pytest.param(OFF, PE | PG, True, True, None, id="neither matters outside long mode"),
        pytest.param(LONG, PE, True, False, "64-bit mode", id="PG cleared in 64-bit mode"),
        pytest.param(LONG, PE, False, False, None, id="PG cleared in compatibility mode"),
        pytest.param(IN_32_BIT, PE, True, False, None, id="PG cleared in 32-bit paging, whatever L says"),
        pytest.param(WITH_PCID, PE, False, False, "PCIDE", id="PG cleared with PCIDE = 1"),
    ],
)
def test_mov_to_cr0(now: ControlRegisters, new: int, cs_l: bool, task_16: bool, refused: str | None) -> None:
    expect(reg.cr0_refusal(now, new, cs_l, task_16), refused)


@pytest.mark.parametrize(
    ("now", "new", "model", "refused"),
    [
        pytest.param(LONG, 1 << 39, "full", None, id="an address below MAXPHYADDR"),
        pytest.param(LONG, 1 << 40, "full", "reserved", id="a bit from MAXPHYADDR up"),
        pytest.param(LONG, 1 << 40, "full,phys-bits=46", None, id="the same bit of a wider CPU"),
        pytest.param(LONG, 1 << 63, "full", "reserved", id="bit 63 with PCIDE = 0"),
        pytest.param(WITH_PCID, 1 << 63 | 0x1005, "full", None, id="bit 63 with PCIDE = 1"),
        pytest.param(WITH_PCID, 1 << 62, "full", "reserved", id="bit 62 with PCIDE = 1"),
        pytest.param(IN_32_BIT, 0xFFFF_FFFF, "pentium", None, id="32-bit code has no reserved bits"),
    ],
)
def test_mov_to_cr3(now: ControlRegisters, new: int, model: str, refused: str | None) -> None:
    expect(reg.cr3_refusal(now, new, parse(model)), refused)


@pytest.mark.parametrize(
    ("now", "new", "refused"),
    [
        pytest.param(OFF, reg.cr4_offered(FULL) & ~PCIDE, None, id="all that the CPU offers"),
        pytest.param(LONG, LONG.cr4 | 1 << 11, "reserved", id="UMIP is not offered"),
        pytest.param(LONG, LONG.cr4 | 1 << 63, "reserved", id="bits 63:32 are reserved"),
        pytest.param(LONG, PGE, "PAE", id="PAE cleared in long mode"),
        pytest.param(READY, 0, None, id="PAE cleared before long mode"),
        pytest.param(LONG, LONG.cr4 | LA57, "LA57", id="LA57 set in long mode"),
        pytest.param(LONG._replace(cr4=PAE_BIT | LA57), PAE_BIT, "LA57", id="LA57 cleared in long mode"),
        pytest.param(OFF, LA57, None, id="LA57 set while paging is off"),
        pytest.param(LONG, LONG.cr4 | PCIDE, None, id="PCIDE set with CR3 bits 11:0 clear"),
        pytest.param(
            LONG._replace(cr3=0x1008), LONG.cr4 | PCIDE, "CR3", id="PCIDE set with a CR3 bit 11:0 set"
        ),
        pytest.param(OFF, PCIDE, "long mode", id="PCIDE set outside long mode"),
        pytest.param(WITH_PCID._replace(cr3=0x1008), WITH_PCID.cr4 | PGE, None, id="PCIDE kept with a PCID"),
        pytest.param(WITH_PCID._replace(cr3=0x1008), PAE_BIT, None, id="PCIDE cleared"),
    ],
)
def test_mov_to_cr4(now: ControlRegisters, new: int, refused: str | None) -> None:
    expect(reg.cr4_refusal(now, new, FULL), refused)


@pytest.mark.parametrize(
    ("feature", "bit"),
    [("pse", PSE), ("pae", PAE_BIT), ("pge", PGE), ("la57", LA57), ("smep", SMEP), ("smap", SMAP), ("pku", PKE)],
)  # fmt: skip
def test_a_bit_of_cr4_is_reserved_on_a_cpu_without_its_feature(feature: str, bit: int) -> None:
    assert reg.cr4_refusal(OFF, bit, FULL) is None
    expect(reg.cr4_refusal(OFF, bit, parse(f"full,-{feature}")), "reserved")


def test_pcide_is_reserved_on_a_cpu_without_pcid() -> None:
    expect(reg.cr4_refusal(LONG, LONG.cr4 | PCIDE, parse("full,-pcid")), "reserved")


@pytest.mark.parametrize(
    ("now", "new", "model", "refused"),
    [
        pytest.param(OFF, SCE | LME | NXE, "full", None, id="all that the CPU offers"),
        pytest.param(OFF, 1 << 12, "full", "reserved", id="SVME is reserved"),
        pytest.param(OFF, 1 << 32, "full", "reserved", id="bits 63:32 are reserved"),
        pytest.param(OFF, NXE, "full,-nx", "reserved", id="NXE of a CPU without XD"),
        pytest.param(OFF, LME, "full,-lm", "reserved", id="LME of a CPU without long mode"),
        pytest.param(OFF, SCE, "full,-lm", "reserved", id="SCE of a CPU without long mode"),
        pytest.param(LONG, LMA, "full", "LME", id="LME cleared while paging is on"),
        pytest.param(IN_32_BIT, LME, "full", "LME", id="LME set while paging is on"),
        pytest.param(LONG, LME | LMA | NXE, "full", None, id="NXE set while paging is on"),
        pytest.param(OFF, LMA, "full", None, id="LMA is not written"),
    ],
)
def test_wrmsr_to_efer(now: ControlRegisters, new: int, model: str, refused: str | None) -> None:
    expect(reg.efer_refusal(now, new, parse(model)), refused)


def expect(found: str | None, refused: str | None) -> None:
    assert (found is None) == (refused is None), found
    assert (refused or "") in (found or "")


@pytest.mark.parametrize(
    ("now", "mode"),
    [
        (OFF._replace(cr4=PAE_BIT), None),
        (IN_32_BIT, TWO_LEVEL),
        (IN_32_BIT._replace(cr4=PAE_BIT), PAE),
        (IN_32_BIT._replace(cr4=PAE_BIT | LA57, efer=LME), PAE),
        (LONG, FOUR_LEVEL),
        (LONG._replace(cr4=PAE_BIT | LA57), FIVE_LEVEL),
    ],
)
def test_the_control_bits_choose_the_paging_mode(now: ControlRegisters, mode: PagingMode | None) -> None:
    controls = paging_controls(now, FULL, (1, 2, 3, 4), 0)
    assert now.mode is mode
    assert (controls.mode if controls else None) is mode
    assert (controls.pdptes if controls else ()) == ((1, 2, 3, 4) if mode is PAE else ())


@pytest.mark.parametrize(
    ("mode", "base"),
    [
        (TWO_LEVEL, 0xFFFF_F000),
        (PAE, 0xFFFF_FFE0),
        (FOUR_LEVEL, 0xFF_FFFF_F000),
        (FIVE_LEVEL, 0xFF_FFFF_F000),
    ],
)
def test_each_mode_reads_the_table_s_base_from_its_own_bits_of_cr3(mode: PagingMode, base: int) -> None:
    assert table_base((1 << 64) - 1, mode, 40) == base


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        ("full", "pse36", True),
        ("full,-pse36", "pse36", False),
        ("full", "page_1g", True),
        ("full,-pdpe1gb", "page_1g", False),
        ("full", "maxphyaddr", 40),
        ("full,phys-bits=52", "maxphyaddr", 52),
    ],
)
def test_the_walk_knows_what_the_model_offers(model: str, field: str, value: int) -> None:
    controls = paging_controls(LONG, parse(model), (), 0)
    assert getattr(controls, field) == value


@pytest.mark.parametrize(("now", "keys"), [(LONG, True), (IN_32_BIT, False)])
def test_protection_keys_matter_in_long_mode_only(now: ControlRegisters, keys: bool) -> None:
    controls = paging_controls(now._replace(cr4=now.cr4 | PKE), FULL, (), 12)
    assert controls is not None
    assert controls.PKE is keys
    assert controls.PKRU == 12


@pytest.mark.parametrize(("cr4", "pcid"), [(PAE_BIT, 0), (PAE_BIT | PCIDE, 0x234)])
def test_cr3_holds_a_pcid_only_with_pcide(cr4: int, pcid: int) -> None:
    assert LONG._replace(cr3=0x1234, cr4=cr4).pcid == pcid


@pytest.mark.parametrize("model", MODELS.values(), ids=str)
def test_every_model_can_turn_on_what_it_offers_and_nothing_else(model: CpuModel) -> None:
    offered = reg.cr4_offered(model)
    now = LONG if model.has("lm") else OFF
    for bit in range(64):
        wanted = now.cr4 | 1 << bit
        if 1 << bit != LA57:
            assert (reg.cr4_refusal(now, wanted, model) is None) == bool(offered >> bit & 1), f"CR4 bit {bit}"
