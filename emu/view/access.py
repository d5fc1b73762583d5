# SPDX-License-Identifier: GPL-2.0-or-later
"""The access that a step was about: its walk, entry by entry, what the TLB answered, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emu.bits import LinearAddress, hexadecimal
from emu.events import Accessed, EntryWritten, Event, Faulted
from emu.paging.walk import Source
from emu.view.explain import explain
from emu.view.explain_fault import exception, refusal, refusing_bit
from emu.view.inspector import Inspector
from emu.view.scene import NameOf, Scene
from emu.view.spans import COVER, Line, Span, line, linked, wrap
from emu.view.walk import WalkRow, WalkView, walk_view

OUTCOMES: Final = {"l1_hit": "●", "l2_hit": "◐", "miss": "○"}
OUTCOME_WORDS: Final = {"●": "TLB hit", "◐": "level-2 hit", "○": "TLB miss", "✗": "refused", "": ""}
TYPE_GLYPHS: Final = {"fetch": "x", "read": "r", "write": "w"}
LETTERS: Final = ("P", "RW", "US", "A", "D", "PS", "G", "XD")
_INDEX_NAMES: Final = {"PML5E": "PML5", "PML4E": "PML4", "PDPTE": "PDPT", "PDE": "PD", "PTE": "PT"}
NONE: Final = frozenset[int]()


@dataclass(frozen=True, slots=True)
class Other:
    """Another access of the same instruction."""

    glyph: str
    text: str


@dataclass(frozen=True, slots=True)
class AccessView:
    """What the last instruction did to memory, seen from one of its accesses."""

    headline: str
    outcome: str
    walk: WalkView | None
    read: frozenset[int]
    """Addresses of entries the walker read for this access."""
    written: frozenset[int]
    cached: frozenset[int]
    """Addresses of entries that a paging-structure cache knew, so that the walk began below them."""
    error: str
    why: str
    others: tuple[Other, ...]
    lit: tuple[int, str] | None = None
    """The bit that refused: the address of its entry, and its letter."""

    def lines(
        self, width: int, height: int = 99, covered: bool = False, entry: int | None = None
    ) -> list[Line]:
        """The panel. `covered` hides results; `entry` shows the walk only as far as its n-th entry."""
        rows = [self._head(width, covered or entry is not None)]
        if self.walk is not None:
            rows += [_indices(self.walk), *walk_lines(self, width, covered, entry)]
        if entry is None:
            rows += self._results(width, covered)
        return rows[:height]

    def _head(self, width: int, covered: bool) -> Line:
        outcome = COVER if covered else f"{self.outcome} {OUTCOME_WORDS[self.outcome]}".strip()
        role = (
            {"✗": "bad", "○": "miss", "●": "hit", "◐": "hit"}.get(self.outcome, "")
            if not covered
            else "cover"
        )
        text = self.headline
        gap = max(1, width - len(text) - len(outcome))
        return line(Span(text, "name"), " " * gap, Span(outcome, role))

    def _results(self, width: int, covered: bool) -> list[Line]:
        if covered:
            return [line(Span(COVER, "cover"), Span("  predict first", "dim"))]
        rows: list[Line] = []
        if self.walk is not None and not self.error:
            rows += [line(text) for text in wrap(f"→ {self.walk.result}", width, "  ")]
        if self.error:
            rows += [line(Span(text, "bad")) for text in wrap(self.error, width, "  ")]
        lead = "why: " if self.outcome else "TLB: "
        for number, text in enumerate(wrap(self.why, width - len(lead)) if self.why else []):
            rows.append(line(Span(lead if not number else " " * len(lead), "dim"), text))
        rows += [line(Span(f"{o.glyph} {o.text}", "dim")) for o in self.others]
        return rows


def _indices(walk: WalkView) -> Line:
    """The address drawn above its walk: the index it holds for each level, and the offset."""
    parts: list[Span] = [Span(walk.address, "number"), Span(" =")]
    for row in walk.rows:
        parts.append(Span(f" {_INDEX_NAMES.get(row.level, row.level)} ", "dim"))
        parts.append(Span(f"{row.index:03x}", "number"))
    parts += [Span(" + ", "dim"), Span(walk.offset, "number")]
    return tuple(parts)


def walk_lines(view: AccessView, width: int, covered: bool, entry: int | None) -> list[Line]:
    """One line for each entry of the walk."""
    assert view.walk is not None
    rows: list[Line] = []
    for number, row in enumerate(view.walk.rows):
        hidden = covered or (entry is not None and number > entry)
        here = entry is not None and number == entry
        rows.append(linked(_entry_line(view, row, width, hidden, here), f"entry:{number}"))
    return rows


def _entry_line(view: AccessView, row: WalkRow, width: int, hidden: bool, here: bool) -> Line:
    read, written = row.address in view.read, row.address in view.written
    mark = "▸" if here else " "
    did = "·" if hidden else row.mark or _did(view, row)
    role = "bad" if row.mark else "changed" if written else "" if read else "dim"
    head = f"{mark}{did} {row.level:<5} "
    if hidden:
        return line(Span(head, "dim"), Span(f"{COVER}  {COVER}", "cover"))
    parts = [Span(head, role)]
    if width >= 66:
        parts += [Span("at ", "dim"), Span(f"{hexadecimal(row.address, 8)}  ", "number")]
    parts.append(Span(f"{hexadecimal(row.entry, 8):<21} ", "number", written))
    for letter in LETTERS:
        is_set = letter in row.flags
        if (row.address, letter) == view.lit:
            text = letter if is_set else f"{'✗':<{len(letter)}}"
            parts += [Span(text, "bad", True), Span(" ")]
            continue
        new = written and letter in ("A", "D") and is_set
        parts += [Span(letter if is_set else "·" * len(letter), "flag" if is_set else "dim", new), Span(" ")]
    return tuple(parts)


def _did(view: AccessView, row: WalkRow) -> str:
    """What the walk did with an entry: wrote it, read it, had it from a register or a structure cache, or nothing."""
    if row.address in view.written:
        return "w"
    if row.address in view.read:
        return "r"
    if view.read and row.source == Source.REGISTER.value:
        return "R"
    return "c" if row.address in view.cached else "·"


def access_view(inspector: Inspector, step: Sequence[Event], name: NameOf) -> AccessView:
    """What `step`, the events of one instruction, was about: its refused access, else its slowest data access."""
    fault = next((e for e in step if isinstance(e, Faulted)), None)
    accesses = [e for e in step if isinstance(e, Accessed)]
    main = max(accesses, key=_weight) if accesses else None
    written = frozenset(e.address for e in step if isinstance(e, EntryWritten))
    scene = Scene(name, step, inspector.machine.mmu, now=True)
    if fault is not None and fault.cr2 is not None:
        found = walk_view(inspector, LinearAddress(fault.cr2))
        read = frozenset(e.address for e in scene.reads_before(fault.seq))
        others = _others(accesses, None, name)
        return AccessView(
            _refused_headline(fault, name),
            "✗",
            found,
            read,
            written,
            _known(found, read),
            _error(fault, name),
            refusal(fault, scene),
            others,
            refusing_bit(fault),
        )
    if fault is not None:
        text = explain(fault, scene)
        return AccessView(
            f"{exception(fault.vector)} at {name(fault.rip)}", "✗", None, NONE, written, NONE, text, "", ()
        )
    if main is None:
        return AccessView("no access yet", "", None, NONE, written, NONE, "", "", ())
    found = walk_view(inspector, LinearAddress(main.linear))
    read = frozenset(e.address for e in scene.reads_of(main))
    headline = f"{main.type} {main.size} byte{'s' * (main.size != 1)} at {name(main.linear)}"
    outcome = "≠" if main.stale else OUTCOMES.get(main.tlb, "?")
    if outcome == "≠":
        headline += " (stale)"
        outcome = OUTCOMES.get(main.tlb, "?")
    why = explain(main, scene)
    others = _others(accesses, main, name)
    return AccessView(headline, outcome, found, read, written, _known(found, read), "", why, others)


def shown_view(view: WalkView) -> AccessView:
    """A walk that a lesson shows, in the same form: nobody accessed anything."""
    held = ", ".join(f"● {row.slot}{' ≠ stale' * row.stale}" for row in view.tlb) or "○ no TLB holds it"
    held += "".join(f", ● {row.place}{' ≠ stale' * row.stale}" for row in view.known)
    return AccessView(f"look: {view.name}", "", view, NONE, NONE, NONE, "", held, ())


def _known(walk: WalkView, read: frozenset[int]) -> frozenset[int]:
    """The entries above the first one read, which came out of a paging-structure cache if not out of a register."""
    first = next((n for n, row in enumerate(walk.rows) if row.address in read), 0)
    return frozenset(row.address for row in walk.rows[:first] if row.source == Source.MEMORY.value)


def _weight(access: Accessed) -> tuple[bool, bool, bool, int]:
    return not access.implicit, access.type != "fetch", access.tlb != "l1_hit", access.seq


def _others(accesses: Sequence[Accessed], main: Accessed | None, name: NameOf) -> tuple[Other, ...]:
    return tuple(
        Other(
            f"{TYPE_GLYPHS[a.type]}{OUTCOMES.get(a.tlb, '?')}",
            f"{'implicit ' * a.implicit}{a.type} {a.size} at {name(a.linear)}",
        )
        for a in accesses
        if a is not main
    )


def _refused_headline(fault: Faulted, name: NameOf) -> str:
    verb = fault.error_bits.split(" ")[0] or "access"
    return f"{verb} at {name(fault.cr2 or 0)}"


def _error(fault: Faulted, name: NameOf) -> str:
    error = "" if fault.error is None else f" error {fault.error:#x} = {fault.error_bits}"
    return f"{exception(fault.vector)}{error}  CR2 = {name(fault.cr2 or 0)}"
