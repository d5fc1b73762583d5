# SPDX-License-Identifier: GPL-2.0-or-later
"""A walk, level by level, and what each TLB holds for the address: rows for a screen, lines for a page of text."""

from dataclasses import dataclass
from typing import Any

from emu.bits import OFFSET_MASK, PAGE_SIZE_NAMES, LinearAddress, hexadecimal
from emu.paging.walk import Walk
from emu.view.inspector import Inspector, Process


@dataclass(frozen=True, slots=True)
class WalkRow:
    """One entry of a walk. `entry` is its value, `flags` the names of its set bits; `mark` is "✗" where it refused."""

    level: str
    index: int
    address: int
    entry: int
    flags: tuple[str, ...]
    rights: str
    mark: str


@dataclass(frozen=True, slots=True)
class TlbRow:
    """What one slot holds for the address. `stale`: memory now says otherwise."""

    slot: str
    frame: int
    rights: str
    stale: bool


@dataclass(frozen=True, slots=True)
class WalkView:
    """A linear address, how memory translates it now, and what the TLBs hold for it."""

    linear: int
    name: str
    rows: tuple[WalkRow, ...]
    tlb: tuple[TlbRow, ...]
    result: str
    physical: int | None
    page_bytes: int | None
    accessed: bool
    dirty: bool

    @property
    def frame(self) -> int | None:
        """The 4 KiB frame number that the address reaches, None if the walk is refused."""
        return None if self.physical is None else self.physical >> 12

    def as_json(self) -> dict[str, Any]:
        """The same as plain values; addresses as numbers."""
        return {
            "linear": self.linear,
            "name": self.name,
            "physical": self.physical,
            "page_bytes": self.page_bytes,
            "result": self.result,
            "steps": [
                {
                    "level": row.level,
                    "index": row.index,
                    "address": row.address,
                    "entry": row.entry,
                    "flags": list(row.flags),
                    "rights": row.rights,
                }
                for row in self.rows
            ],
            "tlb": [
                {"slot": row.slot, "frame": row.frame, "rights": row.rights, "stale": row.stale}
                for row in self.tlb
            ],
        }

    def lines(self) -> list[str]:
        """The view as lines of text, at most 80 columns for the usual ones."""
        named = "" if self.name.startswith("0x") else f"  {self.name}"
        lines = [f"{hexadecimal(self.linear)}{named}"]
        for row in self.rows:
            flags = " ".join(row.flags) or "nothing set"
            lines.append(
                f"  {row.level:<6} index {row.index:#05x} at {hexadecimal(row.address, 12)}"
                f" = {hexadecimal(row.entry)} {row.mark}"
            )
            lines.append(f"         {flags}; so far: {row.rights}")
        lines.append(f"  -> {self.result}")
        for held in self.tlb:
            mark = "  ≠ stale" if held.stale else ""
            lines.append(f"  ● {held.slot:<12} frame {held.frame:#x} {held.rights}{mark}")
        if not self.tlb:
            lines.append("  ○ no TLB holds it")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


def walk_view(inspector: Inspector, linear: LinearAddress, process: Process | None = None) -> WalkView:
    """The walk of `linear` in `process` (the loaded address space if None). TLB contents are those of now."""
    mmu = inspector.machine.mmu
    found = inspector.walk(linear, process.root if process else None)
    name = inspector.name(linear, process)
    if found is None:
        return WalkView(
            linear,
            name,
            (),
            (),
            "paging is off: the physical address is the linear one",
            linear,
            None,
            False,
            False,
        )
    holding = tuple(
        TlbRow(
            slot.name,
            (slot.entry.frame + (linear & (slot.entry.page_bytes - 1))) >> 12,
            slot.entry.rights,
            mmu.is_stale(slot.entry),
        )
        for slot in mmu.holding(linear)
        if slot.entry is not None
    )
    leaf = found.leaf.entry if found.complete else None
    return WalkView(
        linear=linear,
        name=name,
        rows=_rows(found),
        tlb=holding,
        result=_result(found),
        physical=found.physical if found.complete else None,
        page_bytes=found.page_bytes if found.complete else None,
        accessed=bool(leaf and leaf.A),
        dirty=bool(leaf and leaf.D),
    )


def _rows(found: Walk) -> tuple[WalkRow, ...]:
    rows: list[WalkRow] = []
    for step in found.steps:
        refused = found.refusal is not None and found.refusal.step is step
        rows.append(
            WalkRow(
                step.level.name,
                step.index,
                step.address,
                step.entry.raw,
                tuple(step.entry.flags()),
                str(step.rights),
                "✗" if refused else "",
            )
        )
    return tuple(rows)


def _result(found: Walk) -> str:
    if found.refusal is not None:
        return f"✗ {found.refusal.reason.name}: {found.refusal.reason.value}"
    size = PAGE_SIZE_NAMES[found.page_bytes]
    where = f"{hexadecimal(found.physical, 12)} in a {size} page, offset {found.linear & OFFSET_MASK:#05x}"
    return f"{where}; {found.rights}"
