# SPDX-License-Identifier: GPL-2.0-or-later
"""CR0, CR3, CR4, EFER and RFLAGS by the names of their bits, and what may be written to them.

SDM vol. 3A, "Control Registers", 2.5; "Extended Feature Enable Register", 2.2.1; vol. 1, "EFLAGS Register", 3.4.3.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from emu.bits import PhysicalAddress, mask
from emu.cpu.model import CpuModel
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls

CR0_PE: Final = 1 << 0
CR0_ET: Final = 1 << 4
CR0_WP: Final = 1 << 16
CR0_NW: Final = 1 << 29
CR0_CD: Final = 1 << 30
CR0_PG: Final = 1 << 31

CR3_PCID: Final = 0xFFF
CR3_NO_FLUSH: Final = 1 << 63

CR4_TSD: Final = 1 << 2
CR4_PSE: Final = 1 << 4
CR4_PAE: Final = 1 << 5
CR4_PGE: Final = 1 << 7
CR4_LA57: Final = 1 << 12
CR4_PCIDE: Final = 1 << 17
CR4_SMEP: Final = 1 << 20
CR4_SMAP: Final = 1 << 21
CR4_PKE: Final = 1 << 22
_CR4_OF_EVERY_MODEL: Final = CR4_TSD | 1 << 3 | 1 << 8 | 1 << 9 | 1 << 10
"""TSD, DE, PCE, OSFXSR, OSXMMEXCPT. VME, PVI and MCE are not offered, and so reserved."""
_CR4_FEATURES: Final = {
    CR4_PSE: "pse",
    CR4_PAE: "pae",
    CR4_PGE: "pge",
    CR4_LA57: "la57",
    CR4_PCIDE: "pcid",
    CR4_SMEP: "smep",
    CR4_SMAP: "smap",
    CR4_PKE: "pku",
}

EFER_SCE: Final = 1 << 0
EFER_LME: Final = 1 << 8
EFER_LMA: Final = 1 << 10
EFER_NXE: Final = 1 << 11

FLAG_TF: Final = 1 << 8
FLAG_IF: Final = 1 << 9
FLAG_DF: Final = 1 << 10
FLAG_IOPL: Final = 3 << 12
FLAG_NT: Final = 1 << 14
FLAG_RF: Final = 1 << 16
FLAG_VM: Final = 1 << 17
FLAG_AC: Final = 1 << 18


class ControlRegisters(NamedTuple):
    """The registers that choose and steer paging, at one moment."""

    cr0: int
    cr3: int
    cr4: int
    efer: int

    @property
    def pcid(self) -> int:
        """The current process-context identifier: 0 while CR4.PCIDE = 0."""
        return self.cr3 & CR3_PCID if self.cr4 & CR4_PCIDE else 0

    @property
    def mode(self) -> PagingMode | None:
        """The paging mode that is in use, None for none (SDM vol. 3A, "Paging-Mode Enabling", 4.1.2)."""
        if not self.cr0 & CR0_PG:
            return None
        if self.efer & EFER_LMA:
            return FIVE_LEVEL if self.cr4 & CR4_LA57 else FOUR_LEVEL
        return PAE if self.cr4 & CR4_PAE else TWO_LEVEL

    @property
    def linear_bits(self) -> int:
        """How wide canonical addresses are in 64-bit code."""
        return 57 if self.cr4 & CR4_LA57 else 48


def cr0_refusal(now: ControlRegisters, new: int, cs_l: bool, tss_is_16_bit: bool) -> str | None:
    """Why MOV to CR0 of `new` raises #GP(0), or None. `cs_l`: the L bit of the current code segment.

    SDM vol. 2B, "MOV: Move to/from Control Registers"; vol. 3A, "Initializing IA-32e Mode", 9.8.5.
    """
    if new >> 32:
        return "CR0 bits 63:32 are reserved"
    if new & CR0_PG and not new & CR0_PE:
        return "PG = 1 needs PE = 1"
    if new & CR0_NW and not new & CR0_CD:
        return "NW = 1 needs CD = 1"
    if new & CR0_PG and not now.cr0 & CR0_PG and now.efer & EFER_LME:
        return _long_mode_refusal(now, cs_l, tss_is_16_bit)
    if not new & CR0_PG and now.cr0 & CR0_PG:
        if now.cr4 & CR4_PCIDE:
            return "PG cannot be cleared while CR4.PCIDE = 1"
        if now.efer & EFER_LMA and cs_l:
            return "PG cannot be cleared in 64-bit mode"
    return None


def _long_mode_refusal(now: ControlRegisters, cs_l: bool, tss_is_16_bit: bool) -> str | None:
    if not now.cr4 & CR4_PAE:
        return "long mode needs CR4.PAE before PG"
    if cs_l:
        return "long mode cannot be entered from a code segment with L = 1"
    if tss_is_16_bit:
        return "long mode cannot be entered with a 16-bit TSS"
    return None


def cr3_refusal(now: ControlRegisters, new: int, model: CpuModel) -> str | None:
    """Why MOV to CR3 of `new` raises #GP(0), or None: bits from MAXPHYADDR up are reserved.

    But for bit 63 with CR4.PCIDE = 1, which asks that nothing be invalidated (SDM vol. 2B, "MOV: Move to/from Control
    Registers"). In 32-bit code there are no such bits.
    """
    if now.cr4 & CR4_PCIDE:
        new &= ~CR3_NO_FLUSH
    return "reserved bits of CR3" if new >> model.maxphyaddr else None


def cr4_offered(model: CpuModel) -> int:
    """The bits of CR4 that `model` has; all others are reserved."""
    return _CR4_OF_EVERY_MODEL | sum(bit for bit, feature in _CR4_FEATURES.items() if model.has(feature))


def cr4_refusal(now: ControlRegisters, new: int, model: CpuModel) -> str | None:
    """Why MOV to CR4 of `new` raises #GP(0), or None (SDM vol. 2B, "MOV: Move to/from Control Registers")."""
    if new & ~cr4_offered(model):
        return "a reserved bit of CR4 (one this CPU does not offer)"
    long_mode = bool(now.efer & EFER_LMA)
    if long_mode and not new & CR4_PAE:
        return "PAE cannot be cleared in long mode"
    if long_mode and (now.cr4 ^ new) & CR4_LA57:
        return "LA57 cannot change in long mode"
    if new & ~now.cr4 & CR4_PCIDE:
        if not long_mode:
            return "PCIDE can be set in long mode only"
        if now.cr3 & CR3_PCID:
            return "PCIDE cannot be set unless CR3 bits 11:0 are 0"
    return None


def efer_refusal(now: ControlRegisters, new: int, model: CpuModel) -> str | None:
    """Why WRMSR to EFER of `new` raises #GP(0), or None. LMA follows the CPU; what is written to it is ignored."""
    offered = EFER_LMA
    offered |= EFER_NXE if model.has("nx") else 0
    offered |= EFER_SCE | EFER_LME if model.has("lm") else 0
    if new & ~offered:
        return "a reserved bit of EFER"
    if (now.efer ^ new) & EFER_LME and now.cr0 & CR0_PG:
        return "LME cannot change while paging is on"
    return None


def table_base(cr3: int, mode: PagingMode, maxphyaddr: int) -> PhysicalAddress:
    """Where CR3 says the root table lies: bits 31:12, 31:5 for PAE paging, up to MAXPHYADDR in long mode."""
    low = 5 if mode is PAE else 12
    high = maxphyaddr if mode.sign_extended else 32
    return PhysicalAddress(cr3 & mask(low, high - 1))


@lru_cache(maxsize=256)
def paging_controls(
    now: ControlRegisters, model: CpuModel, pdptes: tuple[int, ...], pkru: int
) -> Controls | None:
    """What the MMU needs to know; None while CR0.PG = 0. `pdptes` matter to PAE paging, PKRU to long mode only.

    Equal registers give the same object, so that the MMU can keep what it found out under them.
    """
    mode = now.mode
    if mode is None:
        return None
    return Controls(
        WP=bool(now.cr0 & CR0_WP),
        SMEP=bool(now.cr4 & CR4_SMEP),
        SMAP=bool(now.cr4 & CR4_SMAP),
        NXE=bool(now.efer & EFER_NXE),
        mode=mode,
        root=table_base(now.cr3, mode, model.maxphyaddr),
        PGE=bool(now.cr4 & CR4_PGE),
        maxphyaddr=model.maxphyaddr,
        page_1g=model.has("pdpe1gb"),
        PSE=bool(now.cr4 & CR4_PSE),
        pse36=model.has("pse36"),
        PKE=bool(now.cr4 & CR4_PKE) and mode in (FOUR_LEVEL, FIVE_LEVEL),
        PKRU=pkru,
        pdptes=pdptes if mode is PAE else (),
    )
