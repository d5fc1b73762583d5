# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 2B, "MOV: Move to/from Control Registers"; vol. 3A, "Control Registers" (2.5), "Process-Context
Identifiers" (4.10.1): what may be written to the registers that steer paging. The id is the statement.
"""

import pytest

from emu.cpu.model import parse
from emu.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR3_NO_FLUSH,
    CR4_LA57,
    CR4_PAE,
    CR4_PCIDE,
    CR4_SMEP,
    EFER_LMA,
    EFER_LME,
    ControlRegisters,
    cr0_refusal,
    cr3_refusal,
    cr4_refusal,
    efer_refusal,
)

FULL = parse("full")
PAGED = CR0_PE | CR0_PG
LONG_MODE = ControlRegisters(PAGED, 0x1000, CR4_PAE, EFER_LME | EFER_LMA)
COMPATIBLE, LONG_CS = False, True
LEGACY = ControlRegisters(PAGED, 0x1000, CR4_PAE, 0)
WITH_PCIDE = LONG_MODE._replace(cr4=CR4_PAE | CR4_PCIDE)

CR4_ROWS = [
    pytest.param(LONG_MODE, CR4_PAE | CR4_PCIDE, True, id="PCIDE may be set in long mode with CR3[11:0] = 0"),
    pytest.param(LEGACY, CR4_PAE | CR4_PCIDE, False, id="PCIDE cannot be set outside long mode"),
    pytest.param(
        LONG_MODE._replace(cr3=0x1018),
        CR4_PAE | CR4_PCIDE,
        False,
        id="PCIDE cannot be set unless CR3[11:0] = 0",
    ),
    pytest.param(
        WITH_PCIDE._replace(cr3=0x1018), CR4_PAE | CR4_PCIDE | CR4_SMEP, True, id="PCIDE that is set may stay"
    ),
    pytest.param(WITH_PCIDE._replace(cr3=0x1018), CR4_PAE, True, id="PCIDE may be cleared at any time"),
    pytest.param(LONG_MODE, CR4_PAE | CR4_LA57, False, id="LA57 cannot be set in long mode"),
    pytest.param(
        LONG_MODE._replace(cr4=CR4_PAE | CR4_LA57), CR4_PAE, False, id="LA57 cannot be cleared in long mode"
    ),
    pytest.param(LEGACY, CR4_PAE | CR4_LA57, True, id="LA57 may change outside long mode"),
    pytest.param(LONG_MODE, 0, False, id="PAE cannot be cleared in long mode"),
    pytest.param(LEGACY, 0, True, id="PAE may be cleared outside long mode"),
    pytest.param(LONG_MODE, CR4_PAE | 1 << 31, False, id="a reserved bit of CR4 cannot be set"),
    pytest.param(LONG_MODE, CR4_PAE | 1 << 32, False, id="the upper half of CR4 is reserved"),
]


@pytest.mark.parametrize(("now", "new", "allowed"), CR4_ROWS)
def test_mov_to_cr4(now: ControlRegisters, new: int, allowed: bool):
    assert (cr4_refusal(now, new, FULL) is None) is allowed


@pytest.mark.parametrize(
    ("now", "new", "cs_l", "allowed"),
    [
        pytest.param(WITH_PCIDE, CR0_PE, COMPATIBLE, False, id="PG cannot be cleared while PCIDE = 1"),
        pytest.param(LONG_MODE, CR0_PE, COMPATIBLE, True, id="PG may be cleared in compatibility mode"),
        pytest.param(LONG_MODE, CR0_PE, LONG_CS, False, id="PG cannot be cleared in 64-bit mode"),
        pytest.param(LEGACY._replace(cr0=CR0_PE), CR0_PG, COMPATIBLE, False, id="PG needs PE"),
        pytest.param(
            ControlRegisters(CR0_PE, 0, 0, EFER_LME), PAGED, COMPATIBLE, False, id="long mode needs CR4.PAE"
        ),
        pytest.param(
            ControlRegisters(CR0_PE, 0, CR4_PAE, EFER_LME),
            PAGED,
            COMPATIBLE,
            True,
            id="PG with LME and PAE is long mode",
        ),
    ],
)
def test_mov_to_cr0(now: ControlRegisters, new: int, cs_l: bool, allowed: bool):
    assert (cr0_refusal(now, new, cs_l, tss_is_16_bit=False) is None) is allowed


@pytest.mark.parametrize(
    ("now", "new", "allowed"),
    [
        pytest.param(WITH_PCIDE, 0x1001 | CR3_NO_FLUSH, True, id="bit 63 may be 1 with PCIDE = 1"),
        pytest.param(LONG_MODE, 0x1000 | CR3_NO_FLUSH, False, id="bit 63 is reserved with PCIDE = 0"),
        pytest.param(LONG_MODE, 1 << 40, False, id="bits from MAXPHYADDR up are reserved"),
        pytest.param(WITH_PCIDE, 1 << 62, False, id="bit 62 is reserved whatever PCIDE is"),
        pytest.param(LONG_MODE, 1 << 39, True, id="bits below MAXPHYADDR are the address"),
        pytest.param(LONG_MODE, 0x1FFF, True, id="the low bits may be anything"),
    ],
)
def test_mov_to_cr3(now: ControlRegisters, new: int, allowed: bool):
    assert FULL.maxphyaddr == 40
    assert (cr3_refusal(now, new, FULL) is None) is allowed


@pytest.mark.parametrize(
    ("now", "new", "allowed"),
    [
        pytest.param(LONG_MODE, 0, False, id="LME cannot be cleared while paging is on"),
        pytest.param(LEGACY, EFER_LME, False, id="LME cannot be set while paging is on"),
        pytest.param(LEGACY._replace(cr0=CR0_PE), EFER_LME, True, id="LME may be set while paging is off"),
        pytest.param(LONG_MODE, EFER_LME, True, id="what is written to LMA is ignored"),
        pytest.param(LONG_MODE, EFER_LME | 1 << 1, False, id="a reserved bit of EFER cannot be set"),
    ],
)
def test_wrmsr_to_efer(now: ControlRegisters, new: int, allowed: bool):
    assert (efer_refusal(now, new, FULL) is None) is allowed


def test_without_pcide_the_current_pcid_is_0_and_the_low_bits_of_cr3_name_none():
    assert LONG_MODE._replace(cr3=0x1018).pcid == 0
    assert WITH_PCIDE._replace(cr3=0x1018).pcid == 0x18


@pytest.mark.parametrize("feature", ["la57", "pcid", "smep", "smap", "pku"])
def test_a_bit_of_cr4_that_cpuid_does_not_offer_is_reserved(feature: str):
    bit = {"la57": 1 << 12, "pcid": 1 << 17, "smep": 1 << 20, "smap": 1 << 21, "pku": 1 << 22}[feature]
    now = LEGACY if feature == "la57" else LONG_MODE
    assert cr4_refusal(now, CR4_PAE | bit, FULL) is None
    assert cr4_refusal(now, CR4_PAE | bit, parse(f"full,-{feature}")) is not None
