# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page-table checker says of a guest, with the guest's own names for address spaces, frames and places."""

from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from emu.bits import PhysicalAddress
from emu.checker import Finding, Owner, OwnerOf, Place, Report, Rule, Severity, check
from emu.view.inspector import FORKED, FrameTable, Inspector, Process
from emu.view.spans import harmless

_WIDTH: Final = 80
_USERS: Final = ("user", "shared", "file")
"""The owners whose frames user mode may reach."""
_EVERYBODYS: Final = "file"
"""The owner whose frames are for every process that maps the file, or the shared memory."""


@dataclass(frozen=True, slots=True)
class CheckView:
    """A report, and the guest's name for the first address of each finding, "" where it has none."""

    report: Report
    names: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, worst first."""
        return self.report.findings

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return self.report.errors

    def of(self, rule: Rule) -> tuple[Finding, ...]:
        """The findings of one rule."""
        return self.report.of(rule)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values, every finding included; addresses as numbers."""
        report = self.report
        return {
            "spaces": list(report.spaces),
            "tables": report.tables,
            "pages": report.pages,
            **{f"{severity}s": len(report.at(severity)) for severity in Severity},
            "cut_short": report.cut_short,
            "findings": [
                _finding_json(finding, name)
                for finding, name in zip(report.findings, self.names, strict=True)
            ],
        }

    def lines(self) -> list[str]:
        """The view as lines of text, at most 80 columns for the usual ones."""
        names = dict(zip(map(id, self.report.findings), self.names, strict=True))
        rows = wrap(self.report.summary, _WIDTH)
        for finding, more in self.report.chosen():
            rows += _sentence(finding, names[id(finding)])
            if more:
                rows.append(f"  {more:,} more of these")
        return rows + wrap(self.report.cut_short, _WIDTH)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def _sentence(finding: Finding, name: str) -> list[str]:
    text = harmless(f"{finding} [{name}]" if name else str(finding))
    return wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False)


def _finding_json(finding: Finding, name: str) -> dict[str, Any]:
    other = finding.other
    return {
        "severity": str(finding.severity),
        "rule": finding.rule.name,
        "section": finding.rule.section,
        **_place_json(finding.place),
        "name": name,
        "what": finding.what,
        "other": None if other is None else _place_json(other),
        "slots": list(finding.slots),
        "text": str(finding),
    }


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "spaces": list(place.spaces),
        "linear": place.linear,
        "size_bytes": place.size_bytes,
        "level": place.level,
        "entry": place.entry,
        "value": place.value,
        "entries": place.entries,
    }


def check_view(inspector: Inspector, process: Process | None = None) -> CheckView:
    """Check every address space of the guest, or that of `process`, and the TLB, as all is now."""
    processes = inspector.processes()
    report = check(
        inspector.machine.mmu, _roots(inspector, processes, process), _owners(inspector, processes)
    )
    by_name = {str(p): p for p in processes}
    return CheckView(report, tuple(_name(inspector, finding.place, by_name) for finding in report.findings))


def _roots(
    inspector: Inspector, processes: list[Process], process: Process | None
) -> dict[str, PhysicalAddress] | None:
    """The root tables to look at by name; None: only that of CR3 is known."""
    if process is not None:
        return {str(process): PhysicalAddress(process.root)}
    roots = {str(p): PhysicalAddress(p.root) for p in processes}
    controls = inspector.machine.mmu.controls
    if roots and controls is not None and controls.root not in roots.values():
        roots["CR3's own"] = controls.root
    return roots or None


def _owners(inspector: Inspector, processes: list[Process]) -> OwnerOf | None:
    """Who has a frame, by the guest kernel's frame table; None if it has none."""
    table = inspector.frame_table()
    if table is None:
        return None
    by_pid = {p.pid: str(p) for p in processes}
    known: dict[tuple[int, int, bool], Owner] = {}

    def owner(frame: int) -> Owner | None:
        if frame >= len(table.owners):
            return None
        key = table.owners[frame], table.pids[frame], bool(table.flags[frame] & FORKED)
        if key not in known:
            known[key] = _owner(table, *key, by_pid)
        return known[key]

    return owner


def _owner(table: FrameTable, number: int, pid: int, is_forked: bool, by_pid: dict[int, str]) -> Owner:
    name = table.names.get(number, "?")
    if name not in _USERS:
        return Owner(name, False)
    private = name != _EVERYBODYS and not is_forked
    return Owner(name, True, by_pid.get(pid, f"process {pid}") if private else "")


def _name(inspector: Inspector, place: Place, by_name: dict[str, Process]) -> str:
    name = inspector.name(place.linear, by_name.get(place.spaces[0]))
    return "" if name.startswith("0x") else name.removesuffix("+0x0")
