# SPDX-License-Identifier: GPL-2.0-or-later
"""A walk, level by level, and what each TLB holds for the address: rows for a screen, lines for a page of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, PAGE_SIZE_NAMES, LinearAddress, hexadecimal
from emu.mmu import Mmu
from emu.paging.modes import PagingMode
from emu.paging.walk import Source, Walk
from emu.view.inspector import Inspector, Process
from emu.view.scene import entry_tags

_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class WalkRow:
    """One entry of a walk. `entry` is its value, `flags` the names of its set bits; `mark` is "✗" where it refused.

    `source` says where a walk has the entry from: "memory", or "a PDPTE register".
    """

    level: str
    index: int
    address: int
    entry: int
    flags: tuple[str, ...]
    rights: str
    mark: str
    source: str


@dataclass(frozen=True, slots=True)
class TlbRow:
    """What one slot holds for the address. `tags` are what is not usual of it; `stale`: memory now says otherwise."""

    slot: str
    frame: int
    rights: str
    tags: str
    stale: bool


@dataclass(frozen=True, slots=True)
class KnownRow:
    """What a paging-structure cache knows of the way to the address: the table to go on from."""

    place: str
    table: int
    rights: str
    stale: bool


@dataclass(frozen=True, slots=True)
class WalkView:
    """A linear address, how memory translates it now, and what the TLBs hold for it. `mode` is None without paging."""

    linear: int
    name: str
    rows: tuple[WalkRow, ...]
    tlb: tuple[TlbRow, ...]
    known: tuple[KnownRow, ...]
    result: str
    physical: int | None
    page_bytes: int | None
    accessed: bool
    dirty: bool
    mode: PagingMode | None

    @property
    def address(self) -> str:
        """The linear address in hexadecimal, as wide as the mode's addresses are."""
        return hexadecimal(self.linear, 8 if self.mode is not None and self.mode.linear_bits <= 32 else 16)

    @property
    def entry_digits(self) -> int:
        """The hexadecimal digits of an entry."""
        return 2 * self.mode.entry_bytes if self.mode is not None else 16

    @property
    def offset(self) -> str:
        """The address's offset in its page (of 4 KiB if no page was reached), in hexadecimal digits."""
        size = self.page_bytes or PAGE_BYTES
        return f"{self.linear & (size - 1):0{-(-(size.bit_length() - 1) // 4)}x}"

    @property
    def frame(self) -> int | None:
        """The 4 KiB frame number that the address reaches, None if the walk is refused."""
        return None if self.physical is None else self.physical >> 12

    def as_json(self) -> dict[str, Any]:
        """The same as plain values; addresses as numbers."""
        return {
            "linear": self.linear,
            "name": self.name,
            "mode": self.mode.name if self.mode is not None else None,
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
                    "source": row.source,
                }
                for row in self.rows
            ],
            "tlb": [
                {
                    "slot": row.slot,
                    "frame": row.frame,
                    "rights": row.rights,
                    "tags": row.tags,
                    "stale": row.stale,
                }
                for row in self.tlb
            ],
            "structure_caches": [
                {"place": row.place, "table": row.table, "rights": row.rights, "stale": row.stale}
                for row in self.known
            ],
        }

    def lines(self) -> list[str]:
        """The view as lines of text, at most 80 columns for the usual ones."""
        named = "" if self.name.startswith("0x") else f"  {self.name}"
        lines = [f"{self.address}{named}"]
        for row in self.rows:
            flags = " ".join(row.flags) or "nothing set"
            lines.append(
                f"  {row.level:<6} index {row.index:#05x} at {hexadecimal(row.address, 12)}"
                f" = {hexadecimal(row.entry, self.entry_digits)} {row.mark}".rstrip()
            )
            source = "" if row.source == Source.MEMORY.value else f"; out of {row.source}"
            lines.append(f"         {flags}; so far: {row.rights}{source}")
        lines += wrap(f"  -> {self.result}", _WIDTH, subsequent_indent="     ")
        for held in self.tlb:
            said = " ".join(filter(None, (held.rights, held.tags, "≠ stale" * held.stale)))
            lines.append(f"  ● {held.slot:<12} frame {held.frame:#x} {said}")
        if not self.tlb:
            lines.append("  ○ no TLB holds it")
        for row in self.known:
            stale = " ≠ stale" * row.stale
            lines.append(f"  ● {row.place:<12} table at {hexadecimal(row.table, 12)} {row.rights}{stale}")
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
            (),
            "paging is off: the physical address is the linear one",
            linear,
            None,
            False,
            False,
            None,
        )
    leaf = found.leaf.entry if found.complete else None
    return WalkView(
        linear=linear,
        name=name,
        rows=_rows(found),
        tlb=tuple(_holding(mmu, linear)),
        known=tuple(_known(mmu, linear)),
        result=_result(found),
        physical=found.physical if found.complete else None,
        page_bytes=found.page_bytes if found.complete else None,
        accessed=bool(leaf and leaf.A),
        dirty=bool(leaf and leaf.D),
        mode=found.controls.mode,
    )


def _holding(mmu: Mmu, linear: LinearAddress) -> Iterator[TlbRow]:
    for slot in mmu.holding(linear):
        if slot.entry is not None:
            frame = slot.entry.frame_of(linear >> PAGE_SHIFT)
            tags = entry_tags(slot.entry)
            yield TlbRow(slot.name, frame, slot.entry.rights, tags, mmu.is_stale(slot.entry))


def _known(mmu: Mmu, linear: LinearAddress) -> Iterator[KnownRow]:
    """What the paging-structure caches know for the current PCID, the deepest first: a walk begins below that."""
    for cache in reversed(mmu.tlb.structures.caches.values()):
        for place in cache.places:
            entry = place.entry
            if entry is not None and entry.page == linear // entry.page_bytes and entry.usable(mmu.pcid):
                yield KnownRow(place.name, entry.frame, entry.rights, mmu.is_stale(entry))


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
                step.source.value,
            )
        )
    return tuple(rows)


def _result(found: Walk) -> str:
    if found.refusal is not None:
        return f"✗ {found.refusal.reason.name}: {found.refusal.reason.value}"
    size = PAGE_SIZE_NAMES[found.page_bytes]
    offset = found.linear & (found.page_bytes - 1)
    where = f"{hexadecimal(found.physical, 12)} in a {size} page, offset {offset:#05x}"
    return f"{where}; {found.rights}"
