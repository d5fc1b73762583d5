# SPDX-License-Identifier: GPL-2.0-or-later
"""What one entry, one table or one frame's owner can tell: everything but frames with two addresses and the TLB."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from emu.bits import PAGE_SHIFT, PhysicalAddress, hexadecimal
from emu.checker.findings import Finding, Place, Rule, Severity
from emu.checker.survey import Reference, Survey
from emu.mem import PhysicalMemory
from emu.paging.formats import A, D, G
from emu.paging.rights import Controls

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Owner(NamedTuple):
    """Who has a frame: `name` in a word or two, `user` whether user mode may reach it at all.

    `space`: the one address space that may, "" if any may.
    """

    name: str
    user: bool
    space: str = ""


OwnerOf = Callable[[int], Owner | None]
"""The owner of a 4 KiB frame, by number; None if nobody knows."""


def table_findings(found: Survey, memory: PhysicalMemory, owner: OwnerOf | None) -> Iterator[Finding]:
    """The findings about entries, tables and owners."""
    yield from _reserved_bits(found)
    yield from _outside_ram(found, memory.size_bytes)
    yield from _writable_and_executable(found)
    yield from _frames_of_others(found, memory.frames, owner)
    yield from _global_bits(found)
    yield from _dirty_bits(found)
    yield from _accessed_bits(found)
    yield from _shared_tables(found)


def can_forbid_fetches(controls: Controls) -> bool:
    """Whether an entry can have XD set at all."""
    return controls.NXE and controls.mode.has_xd


# -- single entries ---------------------------------------------------------------------------------------------------


def _reserved_bits(found: Survey) -> Iterator[Finding]:
    for entry in found.broken:
        bits = ", ".join(str(bit) for bit in range(64) if entry.reserved >> bit & 1)
        plural = "s" if "," in bits else ""
        yield Finding(ERROR, Rule.RESERVED_BIT_SET, found.place(entry), f"reserved bit{plural} {bits}")


def _outside_ram(found: Survey, ram_bytes: int) -> Iterator[Finding]:
    where = f"RAM ends at {hexadecimal(ram_bytes, 8)}"
    for link in found.links:
        if link.target >= ram_bytes:
            what = f"it refers to a table at {hexadecimal(link.target, 12)}, {where}"
            yield Finding(ERROR, Rule.TABLE_OUTSIDE_RAM, found.place(link), what)
    for run in found.runs:
        if run.end > ram_bytes:
            inside = max(0, ram_bytes - run.target)
            severity = WARNING if run.rights.US else NOTE
            what = f"{run.rights}, and {where}"
            yield Finding(severity, Rule.PAGE_OUTSIDE_RAM, found.place(run, inside), what)


def _writable_and_executable(found: Survey) -> Iterator[Finding]:
    """Pages with both rights; where no entry can forbid fetches, one finding says so for all."""
    if not can_forbid_fetches(found.controls):
        yield from _nothing_forbids_fetches(found)
        return
    for run in found.runs:
        if run.rights.RW and not run.rights.XD:
            severity = WARNING if run.rights.US else ERROR
            yield Finding(severity, Rule.WRITABLE_AND_EXECUTABLE, found.place(run), str(run.rights))


def _nothing_forbids_fetches(found: Survey) -> Iterator[Finding]:
    writable = [run for run in found.runs if run.rights.RW]
    if not writable:
        return
    count = sum(run.count for run in writable)
    if found.controls.mode.has_xd:
        severity, why = WARNING, "IA32_EFER.NXE = 0"
    else:
        severity, why = NOTE, f"{found.controls.mode.name} paging has no XD bit"
    what = f"{why}, so all {count:,} writable pages can be executed, these first"
    yield Finding(severity, Rule.NOTHING_FORBIDS_FETCHES, found.place(writable[0]), what)


def _global_bits(found: Survey) -> Iterator[Finding]:
    if not found.controls.PGE:
        return
    for run in found.runs:
        if run.value & G and run.rights.US:
            yield Finding(WARNING, Rule.GLOBAL_USER_PAGE, found.place(run), str(run.rights))
        elif not (run.value & G or run.rights.US):
            what = f"{run.rights}; every load of CR3 drops it from the TLB"
            yield Finding(NOTE, Rule.KERNEL_PAGE_NOT_GLOBAL, found.place(run), what)


def _dirty_bits(found: Survey) -> Iterator[Finding]:
    for run in found.runs:
        if not run.value & D:
            continue
        if not run.rights.RW:
            what = f"{run.rights}; it was written before it was read-only, or CR0.WP was 0, or software set D"
            yield Finding(NOTE, Rule.DIRTY_BUT_READ_ONLY, found.place(run), what)
        if not run.value & A:
            yield Finding(NOTE, Rule.DIRTY_BUT_NOT_ACCESSED, found.place(run), str(run.rights))


# -- tables -----------------------------------------------------------------------------------------------------------


def _links_by_target(found: Survey) -> dict[PhysicalAddress, list[Reference]]:
    """The entries that refer to each table, each once."""
    groups: dict[PhysicalAddress, dict[PhysicalAddress, Reference]] = {}
    for link in found.links:
        groups.setdefault(link.target, {}).setdefault(link.entry, link)
    return {target: list(links.values()) for target, links in groups.items()}


def _accessed_bits(found: Survey) -> Iterator[Finding]:
    """Tables that something was accessed through although no entry that refers to them has A set."""
    below: dict[PhysicalAddress, Reference] = {}
    for child in (*found.links, *found.runs):
        if child.side.format.accessed & child.value:
            below.setdefault(child.table.address, child)
    for target, links in _links_by_target(found).items():
        child = below.get(target)
        if child is None or any(not link.side.format.accessed or link.value & A for link in links):
            continue
        what = "the CPU sets A from the root down, so software cleared it here or set it there"
        yield Finding(NOTE, Rule.ACCESSED_BELOW_NOT_ABOVE, found.place(links[0]), what, found.place(child))


def _shared_tables(found: Survey) -> Iterator[Finding]:
    """Tables with two references. That address spaces share what user mode cannot reach is what every kernel does."""
    open_to_user = {
        table for run in found.runs if run.rights.US for table in (*run.table.above, run.table.address)
    }
    for target, links in _links_by_target(found).items():
        others: list[Reference] = []
        for link in links:
            if target in (*link.table.above, link.table.address):
                what = f"through it the table at {hexadecimal(target, 12)} can be reached as pages, {link.rights}"
                yield Finding(NOTE, Rule.SELF_REFERENCE, found.place(link), what)
            else:
                others.append(link)
        if len(others) > 1 and (target in open_to_user or _meet(others)):
            what = f"{len(others)} entries refer to the table at {hexadecimal(target, 12)}, this one here"
            yield Finding(NOTE, Rule.SHARED_TABLE, found.place(others[0]), what, found.place(others[1]))


def _meet(links: list[Reference]) -> bool:
    """Whether two of them belong to one address space."""
    spaces = [space for link in links for space in link.table.spaces]
    return len(spaces) > len(set(spaces))


# -- frames -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Frames from `first` to `end` - 1 that user mode should not reach, or one address space alone may."""

    first: int
    end: int
    owner: Owner
    is_table: bool


def _frames_of_others(found: Survey, frames: int, owner: OwnerOf | None) -> Iterator[Finding]:
    """Pages that user mode can access and that lead to a paging structure or to somebody else's frame."""
    stretches = _stretches(found, frames, owner)
    starts = [stretch.first for stretch in stretches]
    for run in found.runs:
        if not run.rights.US:
            continue
        first, end = run.target >> PAGE_SHIFT, min(frames, run.end >> PAGE_SHIFT)
        at = max(0, bisect_right(starts, first) - 1)
        while at < len(stretches) and stretches[at].first < end and found.budget.spend():
            stretch = stretches[at]
            at += 1
            low, high = max(first, stretch.first), min(end, stretch.end)
            if low < high:
                place = found.place(run, (low - first) << PAGE_SHIFT, (high - low) << PAGE_SHIFT)
                yield from _reached(run, place, stretch)


def _reached(run: Reference, place: Place, stretch: _Stretch) -> Iterator[Finding]:
    owner = stretch.owner
    what = f"owner: {owner.name}; {run.rights}"
    if stretch.is_table:
        yield Finding(ERROR, Rule.USER_REACHES_TABLE, place, str(run.rights))
    elif not owner.user:
        yield Finding(ERROR, Rule.USER_REACHES_KERNEL, place, what)
    elif any(space != owner.space for space in place.spaces):
        yield Finding(ERROR, Rule.USER_REACHES_ANOTHER, place, f"{what}; private to {owner.space}")


_TABLE: Final = Owner("paging structure", False)


def _stretches(found: Survey, frames: int, owner: OwnerOf | None) -> list[_Stretch]:
    """The frames that not every user may reach, in order, in stretches of one owner."""
    tables = {table >> PAGE_SHIFT for table in found.tables}
    result: list[_Stretch] = []
    for frame in range(frames) if owner is not None else sorted(tables):
        whose = owner(frame) if owner is not None else None
        is_table = frame in tables
        if not is_table and (whose is None or (whose.user and not whose.space)):
            continue
        whose = _TABLE if is_table or whose is None else whose
        last = result[-1] if result else None
        if last and (last.end, last.owner, last.is_table) == (frame, whose, is_table):
            result[-1] = _Stretch(last.first, frame + 1, whose, is_table)
        else:
            result.append(_Stretch(frame, frame + 1, whose, is_table))
    return result
