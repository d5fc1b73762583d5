# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an access is refused: reasons in words, and the error code that the CPU gives the handler."""

from dataclasses import dataclass
from enum import Enum, IntFlag, StrEnum
from typing import TYPE_CHECKING, Final

from emu.paging.manual import Section

if TYPE_CHECKING:
    from emu.paging.rights import Controls
    from emu.paging.walk import WalkStep

_FAULTS: Final = Section.PAGE_FAULTS
_RIGHTS: Final = Section.RIGHTS
_KEYS: Final = Section.PROTECTION_KEYS


class AccessType(StrEnum):
    """What an access does."""

    FETCH = "fetch"
    READ = "read"
    WRITE = "write"


class Reason(Enum):
    """Why an access was refused. The value says it in words, `section` where the manual says it."""

    _value_: str
    section: str

    def __new__(cls, words: str, section: str) -> "Reason":
        """A member whose value is its words."""
        member = object.__new__(cls)
        member._value_ = words
        member.section = section
        return member

    NOT_PRESENT = "an entry on the way is not present", _FAULTS
    RESERVED_BIT_SET = "a reserved bit is set in a present entry", _FAULTS
    USER_ACCESS_TO_SUPERVISOR_PAGE = "a user-mode access to a supervisor-mode page", _RIGHTS
    WRITE_TO_READ_ONLY_PAGE = "a user-mode write to a read-only page", _RIGHTS
    SUPERVISOR_WRITE_TO_READ_ONLY_PAGE = (
        "a supervisor-mode write to a read-only page while CR0.WP = 1",
        _RIGHTS,
    )
    FETCH_FROM_XD_PAGE = "a fetch from a page marked execute-disable", _RIGHTS
    SMEP_FETCH_FROM_USER_PAGE = "a supervisor-mode fetch from a user-mode page while CR4.SMEP = 1", _RIGHTS
    SMAP_ACCESS_TO_USER_PAGE = (
        "a supervisor-mode data access to a user-mode page while CR4.SMAP = 1 and EFLAGS.AC = 0",
        _RIGHTS,
    )
    SMAP_IMPLICIT_ACCESS_TO_USER_PAGE = (
        "an implicit supervisor-mode access to a user-mode page while CR4.SMAP = 1 (EFLAGS.AC does not help)",
        _RIGHTS,
    )
    PROTECTION_KEY_DENIES_ACCESS = (
        "a data access to a user-mode page whose protection key has AD = 1 in PKRU",
        _KEYS,
    )
    PROTECTION_KEY_DENIES_WRITE = (
        "a write to a user-mode page whose protection key has WD = 1 in PKRU",
        _KEYS,
    )
    NON_CANONICAL = "the linear address is not canonical", Section.CANONICAL


class ErrorCode(IntFlag):
    """The bits of a page fault's error code (SDM vol. 3A, "Page-Fault Exceptions", 4.7)."""

    P = 1 << 0
    W = 1 << 1
    U = 1 << 2
    RSVD = 1 << 3
    I = 1 << 4  # noqa: E741  the SDM's letter
    PK = 1 << 5
    SS = 1 << 6
    SGX = 1 << 15


_EXTRA_WORDS: Final = (
    (ErrorCode.RSVD, "reserved bit set"),
    (ErrorCode.PK, "protection key"),
    (ErrorCode.SS, "shadow stack"),
    (ErrorCode.SGX, "SGX"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused access: the reason, and the step of the walk that caused it (None if no entry did)."""

    reason: Reason
    step: "WalkStep | None"


def error_code(
    reason: Reason, type: AccessType, user: bool, controls: "Controls", key_denies: bool = False
) -> int:
    """The page fault's error code (SDM vol. 3A, "Page-Fault Exceptions", 4.7).

    `user`: the access was made in user mode (CPL 3 and not implicit). `key_denies`: the page's protection key denies
    the access too, whatever else did first. ValueError for NON_CANONICAL, which is a #GP or #SS and not a page fault.
    """
    if reason is Reason.NON_CANONICAL:
        raise ValueError("a non-canonical address raises #GP or #SS, not a page fault")
    code = 0
    if reason is not Reason.NOT_PRESENT:
        code |= 1
    if reason is Reason.RESERVED_BIT_SET:
        code |= 8
    if type is AccessType.WRITE:
        code |= 2
    if user:
        code |= 4
    if type is AccessType.FETCH and (controls.SMEP or (controls.NXE and controls.mode.has_xd)):
        code |= 16
    if key_denies:
        code |= 32
    return code


def describe_error(code: int) -> str:
    """An error code in words: "write + user + not present".

    "read" includes a fetch on a CPU with neither EFER.NXE nor CR4.SMEP: its error code cannot tell.
    """
    bits = ErrorCode(code)
    words = [
        "fetch" if bits & ErrorCode.I else "write" if bits & ErrorCode.W else "read",
        "user" if bits & ErrorCode.U else "supervisor",
        "protection violation" if bits & ErrorCode.P else "not present",
        *(text for bit, text in _EXTRA_WORDS if bits & bit),
    ]
    return " + ".join(words)
