# SPDX-License-Identifier: GPL-2.0-or-later
"""Access rights: what a walk's entries grant together, and whether an access may have it.

Source: SDM vol. 3A, "Access Rights", 4.6.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from emu.bits import PhysicalAddress
from emu.paging.fault import AccessType, Reason
from emu.paging.formats import RW, US
from emu.paging.modes import PagingMode, PlannedLevel, plan

__all__ = ["AccessType", "Controls", "Rights", "check", "key_refusal"]


class Rights(NamedTuple):
    """The rights of a translation: R/W and U/S of all its entries ANDed, XD ORed; the protection key of the leaf."""

    US: bool
    RW: bool
    XD: bool
    key: int = 0

    @classmethod
    def of(cls, granted: int, denied: int, leaf: int = 0) -> "Rights":
        """From entries' values: `granted` ANDed over the levels, `denied` ORed, the `leaf` for its key."""
        return cls(granted & US != 0, granted & RW != 0, denied >> 63 != 0, leaf >> 59 & 15)

    def __str__(self) -> str:
        """The rights in words: "user, write, no execute"; the key where it is not 0."""
        who = "user" if self.US else "supervisor"
        key = f", key {self.key}" if self.key else ""
        return f"{who}, {'write' if self.RW else 'read only'}, {'no execute' if self.XD else 'execute'}{key}"


@dataclass(frozen=True, slots=True)
class Controls:
    """The registers that steer paging, under the SDM's names, and what this CPU offers.

    WP is in CR0; SMEP, SMAP, PGE, PSE and PKE in CR4; NXE in IA32_EFER. `root` is the table base in CR3, `pdptes` are
    the PDPTE registers of PAE paging. `maxphyaddr`, `page_1g` and `pse36` are what CPUID reports. `levels` is the
    mode's plan under all of these.
    """

    WP: bool
    SMEP: bool
    SMAP: bool
    NXE: bool
    mode: PagingMode
    root: PhysicalAddress
    PGE: bool
    maxphyaddr: int = 40
    page_1g: bool = True
    PSE: bool = True
    pse36: bool = True
    PKE: bool = False
    PKRU: int = 0
    pdptes: tuple[int, ...] = ()
    levels: tuple[PlannedLevel, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the masks of a walk, once."""
        levels = plan(self.mode, self.maxphyaddr, self.NXE, self.PSE, self.page_1g, self.pse36)
        object.__setattr__(self, "levels", levels)


def key_refusal(rights: Rights, type: AccessType, user: bool, controls: Controls) -> Reason | None:
    """Why the page's protection key denies a data access, or None (SDM vol. 3A, "Protection Keys", 4.6.2).

    Keys speak of user-mode pages in long mode only, and never of fetches. AD stops every access, WD writes: those of
    supervisor mode only with CR0.WP = 1.
    """
    if type is AccessType.FETCH or not (controls.PKE and rights.US and controls.mode.has_keys):
        return None
    denied = controls.PKRU >> 2 * rights.key
    if denied & 1:
        return Reason.PROTECTION_KEY_DENIES_ACCESS
    if denied & 2 and type is AccessType.WRITE and (user or controls.WP):
        return Reason.PROTECTION_KEY_DENIES_WRITE
    return None


def check(
    rights: Rights, type: AccessType, user: bool, implicit: bool, ac: bool, controls: Controls
) -> Reason | None:
    """Why an access with these `rights` is refused, or None.

    `user`: made in user mode (CPL 3 and not implicit). `implicit`: made by the CPU on its own behalf
    (descriptor tables, event delivery), always supervisor-mode. `ac` is EFLAGS.AC.
    Source: SDM vol. 3A, "Determination of Access Rights", 4.6.1.
    """
    if user and not rights.US:
        return Reason.USER_ACCESS_TO_SUPERVISOR_PAGE
    if rights.US and not user:
        if type is AccessType.FETCH:
            if controls.SMEP:
                return Reason.SMEP_FETCH_FROM_USER_PAGE
        elif controls.SMAP:
            if implicit:
                return Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE
            if not ac:
                return Reason.SMAP_ACCESS_TO_USER_PAGE
    if controls.PKE and (denied := key_refusal(rights, type, user, controls)):
        return denied
    if type is AccessType.WRITE and not rights.RW:
        if user:
            return Reason.WRITE_TO_READ_ONLY_PAGE
        if controls.WP:
            return Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE
    if type is AccessType.FETCH and rights.XD and controls.NXE:
        return Reason.FETCH_FROM_XD_PAGE
    return None
