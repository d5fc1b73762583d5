# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario can show: plain data that knows its own lines of text, at most 80 columns wide."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any, Final

from emu.bits import PAGE_SHIFT, hexadecimal
from emu.events import Event, Kind
from emu.guest.c_types import Member, Structure
from emu.view.counters import is_modelled
from emu.view.inspector import Area, Frame, Inspector
from emu.view.scene import entry_tags, linear_text
from emu.view.tlb import age_word, ago, filler_text, structure_lines

_ROW: Final = 16
_WIDTH: Final = 80


def harmless(text: str) -> str:
    """A line of untrusted text with its control characters shown, not sent."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Shown:
    """Anything with lines of text: a string for print, preformatted text for a notebook."""

    def lines(self) -> list[str]:
        """The view as lines of text."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True)
class Text(Shown):
    """Lines as they are, under a title: a console's output, a table of one's own."""

    title: str
    rows: tuple[str, ...]

    def lines(self) -> list[str]:
        """The title and the rows, indented; control characters are shown, not sent."""
        indent = "" if all(row.startswith("  ") for row in self.rows) else "  "
        return [self.title, *(text for row in self.rows for text in _fitted(indent + harmless(row)))]


def _fitted(row: str) -> list[str]:
    """A row, and where it goes on if it is wider than a page."""
    return (
        wrap(row, _WIDTH, subsequent_indent="      ", drop_whitespace=False) if len(row) > _WIDTH else [row]
    )


@dataclass(frozen=True)
class MemoryView(Shown):
    """Bytes of memory. `before`: the same bytes at an earlier moment; rows that differ are shown twice."""

    linear: int
    name: str
    data: bytes
    before: bytes | None = None

    def lines(self) -> list[str]:
        """Sixteen bytes a line, in hexadecimal and as text."""
        named = "" if self.name.startswith("0x") else f"  {self.name}"
        rows = [f"{hexadecimal(self.linear)}{named}"]
        for start in range(0, len(self.data), _ROW):
            now = self.data[start : start + _ROW]
            old = self.before[start : start + _ROW] if self.before is not None else now
            if old == now:
                rows.append(f"  {' ' if self.before is None else '='} +{start:04x}  {dump(now)}")
            else:
                rows += [f"  - +{start:04x}  {dump(old)}", f"  + +{start:04x}  {dump(now)}"]
        return rows


def dump(data: bytes) -> str:
    """Up to sixteen bytes in hexadecimal, then as text with dots for what does not print."""
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f"{data.hex(' '):<47}  {text}"


@dataclass(frozen=True, slots=True)
class FieldBytes:
    """One member of a structure: its bytes at two moments, and their meaning."""

    name: str
    offset: int
    before: bytes
    after: bytes
    meaning_before: str
    meaning_after: str

    @property
    def lost(self) -> int:
        """How many of its bytes are no longer what they were."""
        return sum(a != b for a, b in zip(self.before, self.after, strict=True))


@dataclass(frozen=True)
class StructureView(Shown):
    """A structure in memory at two moments, member by member, byte by byte."""

    title: str
    linear: int
    fields: tuple[FieldBytes, ...]

    @property
    def lost(self) -> int:
        """How many bytes of the whole structure changed."""
        return sum(field.lost for field in self.fields)

    @property
    def damaged(self) -> tuple[str, ...]:
        """The names of the members that changed."""
        return tuple(field.name for field in self.fields if field.lost)

    def lines(self) -> list[str]:
        """Each member once if it is the same, else as it was (-) and as it is (+)."""
        rows = [f"{self.title} at {hexadecimal(self.linear)}"]
        for field in self.fields:
            if not field.lost:
                rows += _member("=", field, field.before, field.meaning_before)
            else:
                rows += _member("-", field, field.before, field.meaning_before)
                rows += _member("+", field, field.after, field.meaning_after)
        return rows


def _member(mark: str, field: FieldBytes, data: bytes, meaning: str) -> Iterator[str]:
    for start in range(0, len(data), 8):
        name = field.name if not start else ""
        told = f"  {meaning}" if not start else ""
        yield f"  {mark} +{field.offset + start:02x} {name:<9} {data[start : start + 8].hex(' '):<23}{told}"[
            :80
        ]


def structure_view(title: str, linear: int, kind: Structure, before: bytes, after: bytes) -> StructureView:
    """`kind` laid over the bytes of two moments."""
    return StructureView(title, linear, tuple(_field(member, before, after) for member in kind.members))


def _field(member: Member, before: bytes, after: bytes) -> FieldBytes:
    end = member.offset + member.type.size
    one, other = before[member.offset : end], after[member.offset : end]
    return FieldBytes(member.name, member.offset, one, other, _meaning(member, one), _meaning(member, other))


def _meaning(member: Member, raw: bytes) -> str:
    value = member.type.decode(raw)
    if member.type.kind in ("pointer", "string") and isinstance(value, int):
        return hexadecimal(value)
    return f'"{harmless(value)}"' if isinstance(value, str) else str(value) if isinstance(value, int) else ""


@dataclass(frozen=True)
class AreasView(Shown):
    """The areas of one process, in order of address."""

    process: str
    areas: tuple[Area, ...]

    def lines(self) -> list[str]:
        """One line an area: where, how many pages, rights, what it is."""
        rows = [f"address space of {self.process}"]
        for area in self.areas:
            pages = area.end - area.start >> PAGE_SHIFT
            size = f"{pages} page{'s' * (pages != 1)}"
            rows.append(f"  {hexadecimal(area.start)} {size:>9}  {area.rights:<5} {area.kind}")
        return rows


class Spaces(dict[str, tuple[Area, ...]], Shown):
    """The areas of every process, by "name(pid)"."""

    def lines(self) -> list[str]:
        """Each process's areas."""
        return [text for process, areas in self.items() for text in AreasView(process, areas).lines()]

    def __str__(self) -> str:
        return "\n".join(self.lines())


class Frames(list[Frame], Shown):
    """Frames of the guest's table; all of them, or a part."""

    def owned_by(self, owner: str, pid: int | None = None) -> "Frames":
        """Those of an owner ("free", "kernel", "table", "user", "shared", ...), of one process if `pid` says so."""
        return Frames(f for f in self if f.owner == owner and pid in (None, f.pid))

    def part(self, first: int, end: int) -> "Frames":
        """Those with numbers from `first` up to `end` - 1."""
        return Frames(self[max(0, first) : end])

    def lines(self) -> list[str]:
        """One line a frame if they are few, else how many each owner has."""
        if len(self) <= 16:
            return [frame_line(frame) for frame in self]
        owners = sorted({frame.owner for frame in self})
        return [f"{len(self.owned_by(owner)):>6} frames  {owner}" for owner in owners]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def frame_line(frame: Frame) -> str:
    """A frame in words."""
    whose = f" of process {frame.pid}" if frame.pid else ""
    exempt = ", never swapped" if frame.swap_exempt else ""
    return f"  frame {frame.number:#x} at {hexadecimal(frame.number << PAGE_SHIFT, 8)}  {frame.owner}{whose}{exempt}"


class Counters(dict[str, int], Shown):
    """Every counter by its PMU name."""

    def lines(self) -> list[str]:
        """One line a counter; what comes from the cost model is marked ~."""
        return [f"{'~' * is_modelled(name) + str(value):>12}  {name}" for name, value in self.items()]

    def __str__(self) -> str:
        return "\n".join(self.lines())


class Memory(bytes, Shown):
    """Bytes as memory has them."""

    def lines(self) -> list[str]:
        """Sixteen bytes a line."""
        return [f"  +{start:04x}  {dump(self[start : start + _ROW])}" for start in range(0, len(self), _ROW)]

    def __str__(self) -> str:
        return "\n".join(self.lines())


class Console(str, Shown):
    """What the guest has printed. As a string it is just that; as lines its control characters are shown."""

    __slots__ = ()

    def lines(self) -> list[str]:
        """The lines printed so far."""
        return ["  " + harmless(line) for line in self.split("\n") if line]

    def __str__(self) -> str:
        return str.__str__(self)


class Events(list[Event], Shown):
    """A list of events, oldest first."""

    def of(self, *kinds: Kind, **fields: Any) -> "Events":
        """Those of any of `kinds` (all, if none is given) whose fields have the given values."""
        return Events(
            event
            for event in self
            if (not kinds or event.kind in kinds)
            and all(getattr(event, name, None) == value for name, value in fields.items())
        )

    def since(self, seq: int) -> "Events":
        """Those with a number of `seq` or more."""
        return Events(event for event in self if event.seq >= seq)

    def touching(self, linear: int) -> "Events":
        """Accesses to, faults at, and fills and evictions of the 4 KiB page of `linear`."""
        return Events(event for event in self if _page_of(event) == linear >> PAGE_SHIFT)

    def lines(self) -> list[str]:
        """One line an event, with plain numbers; `Lab.told` gives them names."""
        from emu.trace.show import describe

        return [f"  {event.kind:<12} {describe(event)}" for event in self]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _page_of(event: Event) -> int | None:
    page_bytes = getattr(event, "page_bytes", None)
    if page_bytes is not None:
        page: int = getattr(event, "page", -1)
        return page * (page_bytes >> PAGE_SHIFT)
    for name in ("linear", "cr2"):
        value: int | None = getattr(event, name, None)
        if value is not None:
            return value >> PAGE_SHIFT
    return None


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event in words, and why it happened."""

    seq: int
    insn: int
    cpl: int
    kind: str
    why: str


@dataclass(frozen=True)
class EventsView(Shown):
    """Events with the guest's names and the sentence for each."""

    title: str
    events: tuple[EventLine, ...]

    def lines(self) -> list[str]:
        """The title, then each event and its sentence."""
        rows = [self.title]
        for event in self.events:
            head = f"  ring {event.cpl}  {event.kind:<12} "
            rows += wrap(event.why, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
        return rows


@dataclass(frozen=True, slots=True)
class TlbSlot:
    """What one place of a TLB holds. `frame` is the 4 KiB frame of the page's first byte.

    `address` is `linear` in hexadecimal, as wide as the mode's addresses. `tags` are what is not usual: page size, of
    what it is a piece, PCID. `age` counts uses of the array since it was used (under FIFO: filled), `age_text` says
    so; `filled_insn` and `filler` name the instruction that made the walk.
    """

    array: str
    set: int
    way: int
    linear: int
    address: str
    name: str
    frame: int
    page_bytes: int
    rights: str
    pcid: int
    is_global: bool
    key: int
    piece_of: int | None
    tags: str
    age: int
    age_text: str
    filled_insn: int
    filler: str
    stale: bool

    def line(self) -> str:
        """Where it is held, page, frame, rights, and what the page is."""
        name = self.name.removesuffix("+0x0")
        words = (self.rights, self.tags, "≠ stale" * self.stale, "" if name.startswith("0x") else name)
        said = " ".join(filter(None, words))
        return f"  {self.array:<8} {self.set:>3}.{self.way} {self.address} -> {self.frame:#x} {said}"


@dataclass(frozen=True)
class TlbView(Shown):
    """Everything that the TLBs hold, or a part of it; the paging-structure caches too, while nothing is left out.

    `detailed`: with a second line for each entry, about its age and who filled it.
    """

    slots: tuple[TlbSlot, ...]
    structures: tuple[str, ...] = ()
    detailed: bool = False

    def reaching(self, frame: int) -> "TlbView":
        """The entries whose page holds `frame`."""
        return self.where(lambda s: 0 <= frame - s.frame < s.page_bytes >> PAGE_SHIFT)

    def of(self, array: str) -> "TlbView":
        """The entries of the arrays whose names begin so ("L1D", "L2")."""
        return self.where(lambda slot: slot.array.startswith(array))

    def within(self, start: int, end: int) -> "TlbView":
        """The entries of pages that have a byte from linear address `start` up to `end` - 1."""
        return self.where(lambda slot: slot.linear < end and start < slot.linear + slot.page_bytes)

    def under(self, pcid: int) -> "TlbView":
        """The entries that answer while `pcid` is the current one: its own, and the global ones."""
        return self.where(lambda slot: slot.is_global or slot.pcid == pcid)

    def where(self, wanted: Callable[[TlbSlot], bool]) -> "TlbView":
        """The entries that `wanted` accepts."""
        return TlbView(tuple(slot for slot in self.slots if wanted(slot)), (), self.detailed)

    @property
    def stale(self) -> "TlbView":
        """The entries that memory contradicts by now."""
        return self.where(lambda slot: slot.stale)

    @property
    def details(self) -> "TlbView":
        """The same with ages and fillers."""
        return replace(self, detailed=True)

    @property
    def pages(self) -> set[int]:
        """The linear addresses of the pages held, each once."""
        return {slot.linear for slot in self.slots}

    def lines(self) -> list[str]:
        """One line an entry, or two with details; then the paging-structure caches."""
        rows: list[str] = []
        for slot in self.slots:
            rows += wrap(slot.line(), _WIDTH, subsequent_indent=" " * len("  L2 4K/2M  12.3 "))
            if self.detailed:
                rows.append(f"                 {slot.age_text}; walked by {slot.filler}"[:_WIDTH])
        rows += [f"  {row}"[:_WIDTH].rstrip() for row in self.structures]
        return rows or ["  no TLB holds anything"]


def tlb_view(inspector: Inspector) -> TlbView:
    """What the TLBs of `inspector`'s machine hold, array by array, set by set."""
    mmu = inspector.machine.mmu
    process = inspector.process()
    slots = tuple(
        TlbSlot(
            array=array.name,
            set=slot.set,
            way=slot.way,
            linear=slot.entry.linear,
            address=linear_text(slot.entry.linear, mmu.controls),
            name=inspector.name(slot.entry.linear, process),
            frame=slot.entry.frame >> PAGE_SHIFT,
            page_bytes=slot.entry.page_bytes,
            rights=slot.entry.rights,
            pcid=slot.entry.pcid,
            is_global=slot.entry.is_global,
            key=slot.entry.key,
            piece_of=slot.entry.piece_of,
            tags=entry_tags(slot.entry),
            age=array.age(slot),
            age_text=f"{age_word(array)} {ago(array.age(slot))}",
            filled_insn=slot.entry.filled_insn,
            filler=filler_text(slot.entry, inspector, lambda at: inspector.name(at, process)),
            stale=mmu.is_stale(slot.entry),
        )
        for array in mmu.tlb.arrays
        for slot in array
        if slot.entry is not None
    )
    return TlbView(slots, tuple(structure_lines(mmu.tlb.structures, inspector)))
