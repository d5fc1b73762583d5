# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checker can find: rules with their words, places with their entries, and the report of all of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from itertools import groupby
from typing import Final

from emu.bits import PAGE_BYTES, LinearAddress, PhysicalAddress, hexadecimal
from emu.paging.manual import Section


class Severity(IntEnum):
    """How bad: an error breaks protection or every access, a warning weakens it, a note is good to know."""

    ERROR = 0
    WARNING = 1
    NOTE = 2

    def __str__(self) -> str:
        return self.name.lower()


class Rule(Enum):
    """What is wrong or remarkable, in words. `section` is where the manual speaks of it, None if it does not."""

    _value_: str
    section: Section | None

    def __new__(cls, words: str, section: Section | None) -> "Rule":
        """A member whose value is its words."""
        member = object.__new__(cls)
        member._value_ = words
        member.section = section
        return member

    RESERVED_BIT_SET = (
        "a present entry has reserved bits set: every access through it faults",
        Section.PAGE_FAULTS,
    )
    TABLE_OUTSIDE_RAM = "a paging structure lies outside RAM", None
    USER_REACHES_TABLE = "user mode can reach a paging structure", Section.RIGHTS
    USER_REACHES_KERNEL = "user mode can reach a frame that is not a user's", Section.RIGHTS
    USER_REACHES_ANOTHER = (
        "user mode can reach a frame that is private to another address space",
        Section.RIGHTS,
    )
    WRITABLE_AND_EXECUTABLE = "a page can be written and executed", Section.RIGHTS
    USER_WRITES_KERNEL_CODE = "user mode can write a frame that the kernel can execute elsewhere", None
    STALE_GRANTS_MORE = "a TLB entry grants more than memory does now", Section.RECOMMENDED_INVALIDATION
    STALE_STRUCTURE_GRANTS_MORE = (
        "a paging-structure cache grants more than memory does now, whether or not a page below it is in a TLB",
        Section.STRUCTURE_CACHES,
    )
    WRITABLE_HERE_EXECUTABLE_THERE = (
        "a frame is writable at one page and executable at another",
        None,
    )
    WRITABLE_HERE_READ_ONLY_THERE = "a frame is writable at one page and read-only at another", None
    NOTHING_FORBIDS_FETCHES = "every present page can be executed", Section.RIGHTS
    GLOBAL_USER_PAGE = (
        "a user-accessible page is global: it outlives its address space in the TLB",
        Section.GLOBAL_PAGES,
    )
    CACHED_DIRTY = (
        "a TLB entry has D set and memory does not: the next write will not set it",
        Section.RECOMMENDED_INVALIDATION,
    )
    PDPTE_REGISTER_DIFFERS = "a PDPTE register differs from memory", Section.PDPTE_REGISTERS
    PAGE_OUTSIDE_RAM = "a page reaches outside RAM: a device's registers, or nothing", None
    STALE_DIFFERS = "a TLB entry differs from memory but grants no more", Section.OPTIONAL_INVALIDATION
    STALE_STRUCTURE_DIFFERS = (
        "a paging-structure cache differs from memory but grants no more",
        Section.STRUCTURE_CACHES,
    )
    CACHED_ACCESSED = (
        "a translation is cached and A is clear in memory: the next access will not set it",
        Section.OPTIONAL_INVALIDATION,
    )
    DIRTY_BUT_READ_ONLY = "D is set in a page that is read-only by now", Section.ACCESSED_AND_DIRTY
    DIRTY_BUT_NOT_ACCESSED = (
        "D is set and A is not: a CPU sets both, so software cleared A",
        Section.ACCESSED_AND_DIRTY,
    )
    ACCESSED_BELOW_NOT_ABOVE = "A is clear in an entry and set in one below it", Section.ACCESSED_AND_DIRTY
    SELF_REFERENCE = "an entry refers to its own table or to one above it", None
    SHARED_TABLE = "several entries refer to one table", None
    KERNEL_PAGE_NOT_GLOBAL = "a supervisor page is not global although CR4.PGE = 1", Section.GLOBAL_PAGES
    USER_PAGE_KNOWN_TO_KERNEL = (
        "the frame of a user page is mapped for the kernel too, as is usual with a direct map",
        None,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A linear range and the entry that translates its first byte.

    `entries` entries of one `level`, each behind the other, translate the `size_bytes` from `linear`; the first lies
    at physical address `entry` (None: not in memory) and has `value`. `spaces`: the address spaces where this is so.
    """

    spaces: tuple[str, ...]
    linear: LinearAddress
    size_bytes: int
    level: str
    entry: PhysicalAddress | None
    value: int
    entry_bytes: int
    entries: int = 1

    def continues(self, other: "Place") -> bool:
        """Whether this range begins where `other` ends, alike in all but the addresses."""
        return (
            self.linear == other.linear + other.size_bytes
            and self.spaces == other.spaces
            and self.level == other.level
        )

    def joined(self, other: "Place") -> "Place":
        """This range and the one behind it as one."""
        return replace(
            self, size_bytes=self.size_bytes + other.size_bytes, entries=self.entries + other.entries
        )

    def __str__(self) -> str:
        at = "" if self.entry is None else f" at {hexadecimal(self.entry, 12)}"
        more = f" and {self.entries - 1:,} behind it" if self.entries > 1 else ""
        value = hexadecimal(self.value, 2 * self.entry_bytes)
        return f"{self._range()} in {_listed(self.spaces)} ({self.level}{at} = {value}{more})"

    def _range(self) -> str:
        if self.size_bytes <= PAGE_BYTES:
            return hexadecimal(self.linear)
        last = hexadecimal(self.linear + self.size_bytes - 1)
        return f"{hexadecimal(self.linear)} to {last}"


def _listed(spaces: tuple[str, ...]) -> str:
    """A few names, or how many."""
    if len(spaces) <= 2:
        return " and ".join(spaces)
    return f"{spaces[0]} and {len(spaces) - 1} other address spaces"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: how bad, which rule, where, and `what` in words with the actual rights and numbers.

    `other` is the second place of a frame that has two; `slots` names where a TLB holds the translation.
    """

    severity: Severity
    rule: Rule
    place: Place
    what: str
    other: Place | None = None
    slots: tuple[str, ...] = ()

    def __str__(self) -> str:
        other = f"; there: {self.other}" if self.other is not None else ""
        held = f"; held in {', '.join(self.slots)}" if self.slots else ""
        section = f" ({self.rule.section})" if self.rule.section else ""
        return f"{self.severity}: {self.rule.value}: {self.place}: {self.what}{other}{held}{section}"

    def continues(self, before: "Finding") -> bool:
        """Whether this is the same finding about the pages right behind those of `before`."""
        return (
            (self.severity, self.rule, self.what, self.slots)
            == (before.severity, before.rule, before.what, before.slots)
            and self.place.continues(before.place)
            and (
                self.other is before.other
                if self.other is None or before.other is None
                else self.other.continues(before.other)
            )
        )

    def joined(self, behind: "Finding") -> "Finding":
        """This finding, extended over the pages of `behind`."""
        other = self.other.joined(behind.other) if self.other and behind.other else None
        return replace(self, place=self.place.joined(behind.place), other=other)


_SHOWN: Final = {Severity.ERROR: 8, Severity.WARNING: 8, Severity.NOTE: 2}
"""How many findings of one rule a text shows."""
_RULE_ORDER: Final = {rule: number for number, rule in enumerate(Rule)}


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, worst first, those about consecutive pages made one."""
    result: list[Finding] = []
    for finding in sorted(findings, key=_order):
        if result and finding.continues(result[-1]):
            result[-1] = result[-1].joined(finding)
        else:
            result.append(finding)
    return tuple(result)


def _order(finding: Finding) -> tuple[int, int, tuple[str, ...], int, str, int]:
    place, other = finding.place, finding.other
    return (
        finding.severity,
        _RULE_ORDER[finding.rule],
        place.spaces,
        place.linear,
        finding.what,
        other.linear if other else 0,
    )


@dataclass(frozen=True)
class Report:
    """All findings, worst first. `spaces`: the address spaces looked at, none while paging is off.

    `pages`: how many entries map pages, `tables`: how many paging structures there are. `cut_short` says where the
    checker gave up, "" if it saw everything.
    """

    findings: tuple[Finding, ...]
    spaces: tuple[str, ...] = ()
    pages: int = 0
    tables: int = 0
    cut_short: str = ""

    def of(self, rule: Rule) -> tuple[Finding, ...]:
        """The findings of one rule."""
        return tuple(finding for finding in self.findings if finding.rule is rule)

    def at(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return self.at(Severity.ERROR)

    @property
    def summary(self) -> str:
        """One line: what was looked at, and how many findings there are."""
        if not self.spaces:
            return "paging is off: there is nothing to check"
        counts = Counter(finding.severity for finding in self.findings)
        found = ", ".join(_plural(counts[severity], str(severity)) for severity in Severity)
        seen = f"{_plural(len(self.spaces), 'address space')}, {_plural(self.tables, 'table')}"
        return f"{seen}, {_plural(self.pages, 'page')}: {found}"

    def chosen(self) -> list[tuple[Finding, int]]:
        """The first findings of each rule and severity; with the last of them, how many more there are."""
        rows: list[tuple[Finding, int]] = []
        for (severity, _), group in groupby(self.findings, key=lambda found: (found.severity, found.rule)):
            alike = list(group)
            shown = alike[: _SHOWN[severity]]
            rows += [(finding, 0) for finding in shown[:-1]]
            rows.append((shown[-1], len(alike) - len(shown)))
        return rows

    def lines(self) -> list[str]:
        """The summary, then a sentence for each finding; of many alike the first few."""
        rows = [self.summary]
        for finding, more in self.chosen():
            rows.append(str(finding))
            if more:
                rows.append(f"{finding.severity}: {more:,} more: {finding.rule.value}")
        return [*rows, self.cut_short] if self.cut_short else rows

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
