# SPDX-License-Identifier: GPL-2.0-or-later
"""The page-table checker: is what the tables, the frames and the TLB say together what anybody can have meant?

It can be called at any step; it changes nothing and leaves no trace. Tables may be as odd as they like: the work is
bounded, and the report says when that cut it short.
"""

from collections.abc import Iterable, Mapping
from itertools import chain

from emu.bits import PhysicalAddress
from emu.checker.aliases import alias_findings
from emu.checker.cached import cached_findings
from emu.checker.findings import Finding, Place, Report, Rule, Severity, merged
from emu.checker.rules import Owner, OwnerOf, table_findings
from emu.checker.survey import LIMIT, Budget, survey
from emu.mem import PhysicalMemory
from emu.mmu import Mmu
from emu.paging.rights import Controls

__all__ = [
    "Finding",
    "Owner",
    "OwnerOf",
    "Place",
    "Report",
    "Rule",
    "Severity",
    "check",
    "check_tables",
]

CURRENT = "the loaded address space"


def check(
    mmu: Mmu,
    roots: Mapping[str, PhysicalAddress] | None = None,
    owner: OwnerOf | None = None,
    limit: int = LIMIT,
) -> Report:
    """Check the page tables and the TLB of one CPU as they are now.

    `roots`: the root table of each address space, by its name; without it the one that CR3 has. `owner` says who has
    a frame. `limit`: how many steps the work may take. While paging is off the report is empty.
    """
    controls = mmu.controls
    if controls is None:
        return Report(())
    roots = {CURRENT: controls.root} if roots is None else roots
    loaded = [space for space, root in roots.items() if root == controls.root]
    cached = cached_findings(mmu, controls, loaded[0] if loaded else CURRENT)
    return check_tables(mmu.memory, controls, roots, owner, limit, cached)


def check_tables(
    memory: PhysicalMemory,
    controls: Controls,
    roots: Mapping[str, PhysicalAddress],
    owner: OwnerOf | None = None,
    limit: int = LIMIT,
    more: Iterable[Finding] = (),
) -> Report:
    """Check the page tables under `roots` alone, with no TLB; `more` findings go into the same report."""
    budget = Budget(limit)
    found = survey(memory, controls, roots, budget)
    findings = merged(chain(table_findings(found, memory, owner), alias_findings(found), more))
    return Report(
        findings,
        tuple(roots),
        sum(run.count for run in found.runs),
        len(found.tables),
        f"cut short after {limit:,} steps: there is more than is reported here" if budget.spent else "",
    )
