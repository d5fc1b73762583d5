# SPDX-License-Identifier: GPL-2.0-or-later
"""CR0, CR3, CR4, EFER and RFLAGS by the names of their bits, and what may be written to them.

SDM vol. 3A, "Control Registers", 2.5; "Extended Feature Enable Register", 2.2.1; vol. 1, "EFLAGS Register", 3.4.3.
"""

from typing import Final

from emu.bits import PhysicalAddress, mask
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls

MAXPHYADDR: Final = 40

CR0_PE: Final = 1 << 0
CR0_ET: Final = 1 << 4
CR0_WP: Final = 1 << 16
CR0_NW: Final = 1 << 29
CR0_CD: Final = 1 << 30
CR0_PG: Final = 1 << 31

CR4_TSD: Final = 1 << 2
CR4_PSE: Final = 1 << 4
CR4_PAE: Final = 1 << 5
CR4_PGE: Final = 1 << 7
CR4_LA57: Final = 1 << 12
CR4_SMEP: Final = 1 << 20
CR4_SMAP: Final = 1 << 21
CR4_OFFERED: Final = 0b11_1111_1111 | CR4_SMEP | CR4_SMAP | 1 << 9 | 1 << 10
"""VME to OSXMMEXCPT, SMEP and SMAP: the bits this CPU's CPUID offers. The rest are reserved."""

EFER_SCE: Final = 1 << 0
EFER_LME: Final = 1 << 8
EFER_LMA: Final = 1 << 10
EFER_NXE: Final = 1 << 11

FLAG_TF: Final = 1 << 8
FLAG_IF: Final = 1 << 9
FLAG_IOPL: Final = 3 << 12
FLAG_NT: Final = 1 << 14
FLAG_RF: Final = 1 << 16
FLAG_VM: Final = 1 << 17
FLAG_AC: Final = 1 << 18


def cr0_refusal(old: int, new: int, cr4: int, efer: int, code_is_64_bit: bool) -> str | None:
    """Why MOV to CR0 of `new` raises #GP(0), or None (SDM vol. 2B, "MOV: Move to/from Control Registers")."""
    if new >> 32:
        return "CR0 bits 63:32 are reserved"
    if new & CR0_PG and not new & CR0_PE:
        return "PG = 1 needs PE = 1"
    if new & CR0_NW and not new & CR0_CD:
        return "NW = 1 needs CD = 1"
    if new & CR0_PG and not old & CR0_PG and efer & EFER_LME and not cr4 & CR4_PAE:
        return "long mode needs CR4.PAE before PG"
    if not new & CR0_PG and old & CR0_PG and code_is_64_bit:
        return "PG cannot be cleared in 64-bit mode"
    return None


def cr4_refusal(new: int, efer: int) -> str | None:
    """Why MOV to CR4 of `new` raises #GP(0), or None."""
    if new & ~CR4_OFFERED:
        return "a reserved bit of CR4 (one this CPU does not offer)"
    if efer & EFER_LMA and not new & CR4_PAE:
        return "PAE cannot be cleared in long mode"
    return None


def cr3_refusal(new: int, efer: int) -> str | None:
    """Why MOV to CR3 of `new` raises #GP(0), or None: bits from MAXPHYADDR up are reserved in long mode."""
    return "reserved bits of CR3" if efer & EFER_LMA and new >> MAXPHYADDR else None


def efer_refusal(old: int, new: int, cr0: int) -> str | None:
    """Why WRMSR to EFER of `new` raises #GP(0), or None."""
    if new & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE):
        return "a reserved bit of EFER"
    if (old ^ new) & EFER_LME and cr0 & CR0_PG:
        return "LME cannot change while paging is on"
    return None


def paging_mode(cr0: int, cr4: int, efer: int) -> PagingMode | None:
    """The paging mode that the control bits choose, None for none (SDM vol. 3A, "Paging-Mode Enabling", 4.1.2)."""
    if not cr0 & CR0_PG:
        return None
    if efer & EFER_LMA:
        return FIVE_LEVEL if cr4 & CR4_LA57 else FOUR_LEVEL
    return PAE if cr4 & CR4_PAE else TWO_LEVEL


def table_base(cr3: int, mode: PagingMode) -> PhysicalAddress:
    """Where CR3 says the root table lies: bits 31:12, 31:5 for PAE paging, up to MAXPHYADDR in long mode."""
    low = 5 if mode is PAE else 12
    high = MAXPHYADDR if mode.sign_extended else 32
    return PhysicalAddress(cr3 & mask(low, high - 1))


def paging_controls(cr0: int, cr3: int, cr4: int, efer: int, pdptes: tuple[int, ...] = ()) -> Controls | None:
    """What the MMU needs of the control registers; None while CR0.PG = 0. `pdptes` matter to PAE paging only."""
    mode = paging_mode(cr0, cr4, efer)
    if mode is None:
        return None
    return Controls(
        WP=bool(cr0 & CR0_WP),
        SMEP=bool(cr4 & CR4_SMEP),
        SMAP=bool(cr4 & CR4_SMAP),
        NXE=bool(efer & EFER_NXE),
        mode=mode,
        root=table_base(cr3, mode),
        PGE=bool(cr4 & CR4_PGE),
        maxphyaddr=MAXPHYADDR,
        page_1g=True,
        PSE=bool(cr4 & CR4_PSE),
        pdptes=pdptes if mode is PAE else (),
    )
