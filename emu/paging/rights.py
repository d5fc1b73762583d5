# SPDX-License-Identifier: GPL-2.0-or-later
"""Access rights: what a walk's entries grant together, and whether an access may have it.

Source: SDM vol. 3A, "Access Rights", 4.6.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from emu.bits import PhysicalAddress
from emu.paging.fault import AccessType, Reason
from emu.paging.formats import RW, US, Entry
from emu.paging.modes import PagingMode

__all__ = ["ALL_RIGHTS", "AccessType", "Controls", "Rights", "check"]


class Rights(NamedTuple):
    """The rights of a translation: R/W and U/S of all its entries ANDed, XD ORed."""

    US: bool
    RW: bool
    XD: bool

    def combine(self, entry: Entry) -> "Rights":
        """These rights, further limited by `entry`."""
        raw = entry.raw | entry.format.implied
        return Rights(self.US and raw & US != 0, self.RW and raw & RW != 0, self.XD or raw >> 63 != 0)

    def __str__(self) -> str:
        """The rights in words: "user, write, no execute"."""
        who = "user" if self.US else "supervisor"
        return f"{who}, {'write' if self.RW else 'read only'}, {'no execute' if self.XD else 'execute'}"


ALL_RIGHTS: Final = Rights(US=True, RW=True, XD=False)
"""What a walk starts with, before any entry limits it."""


@dataclass(frozen=True, slots=True)
class Controls:
    """The registers that steer paging, under the SDM's names, and what this CPU offers.

    WP is in CR0; SMEP, SMAP and PGE in CR4; NXE in IA32_EFER. `root` is the table base in CR3. `maxphyaddr`
    and `page_1g` are what CPUID reports.
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
    if type is AccessType.WRITE and not rights.RW:
        if user:
            return Reason.WRITE_TO_READ_ONLY_PAGE
        if controls.WP:
            return Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE
    if type is AccessType.FETCH and rights.XD and controls.NXE:
        return Reason.FETCH_FROM_XD_PAGE
    return None
