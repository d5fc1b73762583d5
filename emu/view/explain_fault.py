# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an access was refused: the entry and the bits that did it, and where the manual says so."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from emu.bits import PAGE_SIZE_NAMES, size_name
from emu.events import EntryRead, Faulted
from emu.paging.fault import AccessType, ErrorCode, Reason
from emu.paging.formats import RW, US, XD, EntryFormat, Field
from emu.paging.manual import Section
from emu.paging.rights import Controls, check
from emu.view.scene import Scene, physical_text, value_text

EXCEPTIONS: Final = {
    0: "#DE",
    1: "#DB",
    3: "#BP",
    4: "#OF",
    5: "#BR",
    6: "#UD",
    7: "#NM",
    8: "#DF",
    10: "#TS",
    11: "#NP",
    12: "#SS",
    13: "#GP",
    14: "#PF",
    16: "#MF",
    17: "#AC",
    19: "#XM",
}
_PAGE_FAULT: Final = 14
_PREPOSITION: Final = {AccessType.FETCH: "from", AccessType.READ: "of", AccessType.WRITE: "to"}
_OF_THE_PAGE: Final = frozenset(
    reason for reason in Reason if reason.section in (Section.RIGHTS, Section.PROTECTION_KEYS)
)
"""Refusals by rights, which a TLB entry can make as well as memory."""


_LETTERS: Final = {
    Reason.NOT_PRESENT.name: "P",
    Reason.USER_ACCESS_TO_SUPERVISOR_PAGE.name: "US",
    Reason.WRITE_TO_READ_ONLY_PAGE.name: "RW",
    Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE.name: "RW",
    Reason.FETCH_FROM_XD_PAGE.name: "XD",
    Reason.SMEP_FETCH_FROM_USER_PAGE.name: "US",
    Reason.SMAP_ACCESS_TO_USER_PAGE.name: "US",
    Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE.name: "US",
}


def refusing_bit(fault: Faulted) -> tuple[int, str] | None:
    """The bit of memory that refused: (address of its entry, letter); None if none did, or more than one bit."""
    letter = _LETTERS.get(fault.reason)
    return (fault.entry, letter) if fault.entry is not None and letter is not None else None


class Link(NamedTuple):
    """An entry on the way of the refused access; `form` says how it reads, None if the mode is not known."""

    level: str
    address: int
    raw: int
    form: EntryFormat | None

    def __str__(self) -> str:
        return f"the {self.level} at {physical_text(self.address)}"

    @property
    def implied(self) -> int:
        """R/W and U/S where the format has none."""
        return self.form.implied if self.form is not None else 0


def exception(vector: int) -> str:
    """The exception's mnemonic, "vector n" where it has none."""
    return EXCEPTIONS.get(vector, f"vector {vector}")


def fault_sentence(event: Faulted, scene: Scene) -> str:
    """The whole sentence: who was refused, by which bits, with what error code, by which section."""
    if event.vector != _PAGE_FAULT:
        return _other_fault(event)
    error = "" if event.error is None else f", error {event.error:#x} = {event.error_bits}"
    cause, section = _cause(event, scene)
    return f"Refused: {_subject(event, scene)}, but {cause}: #PF{error} ({section})."


def refusal(event: Faulted, scene: Scene) -> str:
    """The cause and its section alone, for a place where access and error code stand already."""
    if event.vector != _PAGE_FAULT:
        return _other_fault(event)
    cause, section = _cause(event, scene)
    return f"{cause} ({section})."


def _other_fault(event: Faulted) -> str:
    name = exception(event.vector)
    if event.reason in Reason.__members__:
        reason = Reason[event.reason]
        why = "its upper bits do not repeat the highest bit that is translated"
        return f"Refused: {name}, {reason.value}: {why} ({reason.section})."
    return f"{name}: {event.reason.replace('_', ' ').removeprefix(name).strip()} ({Section.EXCEPTIONS})."


def _subject(event: Faulted, scene: Scene) -> str:
    kind, user = _access_of(event)
    reason = event.reason
    who = "a user-mode" if user else "a supervisor-mode"
    if reason == Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE.name:
        who = "an implicit supervisor-mode"
    return f"{who} {kind} {_PREPOSITION[kind]} {scene.place(event.cr2 or 0)}"


def _access_of(event: Faulted) -> tuple[AccessType, bool]:
    """The refused access as the error code tells it: its type, and whether it was made in user mode."""
    bits = ErrorCode(event.error or 0)
    fetch = bits & ErrorCode.I or event.reason == Reason.FETCH_FROM_XD_PAGE.name
    kind = AccessType.FETCH if fetch else AccessType.WRITE if bits & ErrorCode.W else AccessType.READ
    return kind, bool(bits & ErrorCode.U)


# -- which entry, which bits ------------------------------------------------------------------------------------------


def _cause(event: Faulted, scene: Scene) -> tuple[str, str]:
    """What stood in the way, in words, and the section that says that it does."""
    reason = Reason[event.reason]
    reads = scene.reads_before(event.seq)
    if reason in _OF_THE_PAGE and scene.step and event.entry not in [read.address for read in reads]:
        return _cached_cause(event, reason, scene)
    links = _links(event, reads, scene)
    return _of_memory(reason, links, scene), reason.section


def _links(event: Faulted, reads: Sequence[EntryRead], scene: Scene) -> list[Link]:
    """The entries of the refused walk, root first; only the one that the event names if the others are not known."""
    found = scene.walk(event.cr2 or 0)
    if found is not None and found.steps and found.steps[-1].address == event.entry:
        return [Link(s.level.name, s.address, s.entry.raw, s.entry.format) for s in found.steps]
    if reads and reads[-1].address == event.entry:
        return [Link(e.level, e.address, e.before, scene.form(e.level, e.before)) for e in reads]
    level, raw = event.level or "entry", event.entry_value or 0
    return [Link(level, event.entry or 0, raw, scene.form(level, raw))]


def _of_memory(reason: Reason, links: Sequence[Link], scene: Scene) -> str:
    leaf = links[-1]
    match reason:
        case Reason.NOT_PRESENT:
            return (
                f"{leaf} has P = 0 (value {value_text(leaf.raw)}), so nothing is mapped {_reach(leaf, scene)}"
            )
        case Reason.RESERVED_BIT_SET:
            return f"{leaf} (value {value_text(leaf.raw)}) has P = 1 and {_reserved(leaf, scene.controls)}"
        case Reason.USER_ACCESS_TO_SUPERVISOR_PAGE:
            return _limit(links, US, "U/S = 0", "the page is supervisor-mode")
        case Reason.WRITE_TO_READ_ONLY_PAGE:
            return _limit(links, RW, "R/W = 0", "the page is read-only")
        case Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE:
            return (
                _limit(links, RW, "R/W = 0", "the page is read-only")
                + ", and CR0.WP = 1 holds supervisor mode to that"
            )
        case Reason.FETCH_FROM_XD_PAGE:
            return (
                _limit(links, XD, "XD = 1", "nothing in the page is executed", refuses_if_set=True)
                + " while EFER.NXE = 1"
            )
        case Reason.SMEP_FETCH_FROM_USER_PAGE:
            return f"{_user_page(links)}, and CR4.SMEP = 1 lets supervisor mode fetch from no such page"
        case Reason.SMAP_ACCESS_TO_USER_PAGE:
            return f"{_user_page(links)}, CR4.SMAP = 1, and EFLAGS.AC = 0 makes no exception"
        case Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE:
            return f"{_user_page(links)} and CR4.SMAP = 1, from which EFLAGS.AC frees no implicit access"
        case Reason.PROTECTION_KEY_DENIES_ACCESS | Reason.PROTECTION_KEY_DENIES_WRITE:
            return _key(reason, leaf, scene)
        case _:
            return reason.value


def _limit(links: Sequence[Link], bit: int, said: str, so: str, refuses_if_set: bool = False) -> str:
    """The uppermost entry whose `bit` takes the right away, for all that lies below it."""
    for link in links:
        if bool(link.raw & bit) is refuses_if_set and not link.implied & bit:
            below = links[-1].level if link is not links[-1] else ""
            whatever = f" whatever the {below} says" if below else ""
            return f"{link} has {said} (value {value_text(link.raw)}), so {so}{whatever}"
    return f"{links[-1]} or one above it has {said}, so {so}"


def _user_page(links: Sequence[Link]) -> str:
    leaf = links[-1]
    every = "every entry of its walk" if len(links) > 1 else "its walk"
    return f"{every} has U/S = 1, down to {leaf} (value {value_text(leaf.raw)})"


def _key(reason: Reason, leaf: Link, scene: Scene) -> str:
    key = leaf.raw >> 59 & 15
    denied, bit = ("AD", 2 * key) if reason is Reason.PROTECTION_KEY_DENIES_ACCESS else ("WD", 2 * key + 1)
    controls = scene.controls
    value = f", PKRU = {value_text(controls.PKRU)}" if controls is not None and scene.now else ""
    effect = "no data access" if denied == "AD" else "no write"
    return (
        f"{leaf} gives the page protection key {key} (bits 62:59), and {denied}{key} = 1 in PKRU (bit {bit}{value}) "
        f"allows {effect}"
    )


def _reach(link: Link, scene: Scene) -> str:
    """What goes unmapped with the entry: "there", or all that the entry covers."""
    if scene.controls is None:
        return "there"
    *upper, _ = scene.controls.mode.levels
    level = next((level for level in upper if level.name == link.level), None)
    if level is None:
        return "there"
    return f"in the whole {size_name(level.page_bytes)} that it covers"


# -- rights out of a TLB ----------------------------------------------------------------------------------------------


def _cached_cause(event: Faulted, reason: Reason, scene: Scene) -> tuple[str, str]:
    """A TLB entry refused, with rights from an earlier walk; memory may allow the access by now."""
    level, raw = event.level or "entry", event.entry_value or 0
    link = Link(level, event.entry or 0, raw, scene.form(level, raw))
    held = f"a TLB entry answered, made when {link} was {value_text(raw)}: {reason.value}"
    kind, user = _access_of(event)
    found, controls = scene.walk(event.cr2 or 0), scene.controls
    if found is None or controls is None:
        return f"{held}; no walk was made", reason.section
    implicit = reason is Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE
    if found.complete and check(found.rights, kind, user, implicit, False, controls) is None:
        return (
            f"{held}; memory allows it by now, but a hit asks no memory: a spurious fault, which comes once because "
            "it drops the entry",
            Section.OPTIONAL_INVALIDATION,
        )
    return f"{held}; no walk was made, and memory says the same", reason.section


# -- reserved bits ----------------------------------------------------------------------------------------------------


def _reserved(link: Link, controls: Controls | None) -> str:
    """Which of the entry's bits must be 0, and why."""
    if controls is None or link.form is None:
        return "a reserved bit set"
    planned = next(level for level in controls.levels if level.level.name == link.level)
    wrong = link.raw & planned.sides[link.raw >> 7 & 1].reserved
    words = [_reserved_field(f, wrong & f.mask, link, controls) for f in link.form.fields if wrong & f.mask]
    return " and ".join(words) or "a reserved bit set"


def _reserved_field(field: Field, wrong: int, link: Link, controls: Controls) -> str:
    bits = _bits(wrong)
    if field.name == "XD":
        return f"XD ({bits}) set, which is reserved while EFER.NXE = 0"
    if field.name == "PS":
        if field.reserved:
            return f"PS ({bits}) set, which is reserved: a {link.level} maps no page"
        return (
            f"PS ({bits}) set, which is reserved: this CPU has no 1-GByte pages (CPUID.80000001H:EDX.Page1GB)"
        )
    if field.address_bit is not None:
        if field.address_bit == 32 and not controls.pse36:
            return f"{bits} set, reserved because this CPU has no PSE-36 (CPUID.01H:EDX)"
        return f"{bits} set, reserved because physical addresses have {controls.maxphyaddr} bits (MAXPHYADDR)"
    return f"{bits} set, reserved in {_kind_of(link)}"


def _kind_of(link: Link) -> str:
    assert link.form is not None
    if not link.form.maps_page:
        return f"a {link.level}"
    size = {"PDPTE": "1G", "PTE": "4K"}.get(link.level) or ("4M" if link.form.entry_bytes == 4 else "2M")
    assert size in PAGE_SIZE_NAMES.values()
    return f"a {link.level} that maps a {size} page"


def _bits(mask: int) -> str:
    """The set bits of `mask` by number, the highest first: "bit 21", "bits 51:40", "bits 20, 13"."""
    numbers = [n for n in range(mask.bit_length()) if mask >> n & 1]
    if len(numbers) == 1:
        return f"bit {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"bits {numbers[-1]}:{numbers[0]}"
    return "bits " + ", ".join(map(str, reversed(numbers)))
