# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames with two addresses, where one page gives what the other denies.

Physical memory is gone through once from the lowest frame up. At any point the pages that reach it are known by their
rights; which pairs of rights are a finding is a table.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple

from emu.checker.findings import Finding, Rule, Severity
from emu.checker.rules import can_forbid_fetches
from emu.checker.survey import Reference, Survey


class Grant(NamedTuple):
    """What a page gives: to user mode, write, execute.

    Where no entry can forbid fetches that every page allows them is a finding of its own, and `execute` is False here.
    """

    user: bool
    write: bool
    execute: bool


class _Conflict(NamedTuple):
    """A finding for a frame with a page that gives `one` and another that gives `other`; None: either will do."""

    severity: Severity
    rule: Rule
    one: tuple[bool | None, bool | None, bool | None]
    other: tuple[bool | None, bool | None, bool | None]


_CONFLICTS: Final = (
    _Conflict(
        Severity.ERROR, Rule.USER_WRITES_KERNEL_CODE, one=(True, True, None), other=(False, None, True)
    ),
    _Conflict(
        Severity.WARNING,
        Rule.WRITABLE_HERE_EXECUTABLE_THERE,
        one=(True, True, False),
        other=(True, False, True),
    ),
    _Conflict(
        Severity.WARNING,
        Rule.WRITABLE_HERE_EXECUTABLE_THERE,
        one=(False, True, False),
        other=(False, False, True),
    ),
    _Conflict(
        Severity.WARNING,
        Rule.WRITABLE_HERE_READ_ONLY_THERE,
        one=(True, True, None),
        other=(False, False, False),
    ),
    _Conflict(
        Severity.WARNING,
        Rule.WRITABLE_HERE_READ_ONLY_THERE,
        one=(False, True, False),
        other=(False, False, False),
    ),
    _Conflict(
        Severity.NOTE,
        Rule.WRITABLE_HERE_READ_ONLY_THERE,
        one=(True, True, False),
        other=(True, False, False),
    ),
)
_USUAL: Final = _Conflict(
    Severity.NOTE, Rule.USER_PAGE_KNOWN_TO_KERNEL, one=(True, None, None), other=(False, None, None)
)
_Held = dict[Grant, list[tuple[int, int, Reference]]]
"""By what they give, the pages around a point as a heap of (order, physical end, run); some may have ended."""


def alias_findings(found: Survey) -> Iterator[Finding]:
    """The findings about frames that several pages reach with different rights."""
    executes = can_forbid_fetches(found.controls)
    runs = sorted(enumerate(found.runs), key=lambda item: (item[1].target, item[0]))
    points = sorted({at for _, run in runs for at in (run.target, run.end)})
    held: _Held = {}
    waiting = 0
    for point, end in pairwise(points):
        while waiting < len(runs) and runs[waiting][1].target == point:
            order, run = runs[waiting]
            rights = run.rights
            grant = Grant(rights.US, rights.RW, executes and not rights.XD)
            heappush(held.setdefault(grant, []), (order, run.end, run))
            waiting += 1
        _forget_ended(held, point)
        if len(held) > 1:
            yield from _conflicts(found, held, point, end)


def _forget_ended(held: _Held, point: int) -> None:
    """Let the first of each heap be one that reaches beyond `point`."""
    for grant in list(held):
        heap = held[grant]
        while heap and heap[0][1] <= point:
            heappop(heap)
        if not heap:
            del held[grant]


def _conflicts(found: Survey, held: _Held, point: int, end: int) -> Iterator[Finding]:
    """The findings about the frames from physical address `point` to `end`."""
    conflicts = [pair for conflict in _CONFLICTS if (pair := _pair(conflict, held)) is not None]
    if not conflicts:
        usual = _pair(_USUAL, held)
        conflicts = [usual] if usual is not None else []
    for conflict, one, other in conflicts:
        first, second = held[one][0][2], held[other][0][2]
        yield Finding(
            conflict.severity,
            conflict.rule,
            found.place(first, point - first.target, end - point),
            f"{first.rights} here and {second.rights} there",
            found.place(second, point - second.target, end - point),
        )


def _pair(conflict: _Conflict, held: _Held) -> tuple[_Conflict, Grant, Grant] | None:
    """The rights of two pages that make up `conflict`, if there are such pages."""
    one = next((grant for grant in sorted(held) if _gives(grant, conflict.one)), None)
    other = next((grant for grant in sorted(held) if _gives(grant, conflict.other)), None)
    return (conflict, one, other) if one is not None and other is not None else None


def _gives(grant: Grant, wanted: tuple[bool | None, bool | None, bool | None]) -> bool:
    return all(want is None or want == has for has, want in zip(grant, wanted, strict=True))
