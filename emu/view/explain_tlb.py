# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a TLB answered or did not: hits, stale hits, misses, fills, evictions and invalidations in a sentence each."""

from collections.abc import Sequence
from typing import Final

from emu.bits import PAGE_SHIFT, LinearAddress, parse_number, size_name
from emu.events import Accessed, EntryRead, EntryWritten, Invalidated, TlbEvicted, TlbFilled
from emu.paging.manual import Section
from emu.tlb.counters import TYPE_NAMES
from emu.tlb.entry import Slot, TlbEntry
from emu.view.scene import Scene, entry_size, frame_number, linear_text, physical_text
from emu.view.stale import differences

_MOST_NAMED: Final = 2
_STRUCTURES: Final = " cache"
"""How the names of paging-structure caches end."""
_LEVELS: Final = {"l1_hit": 1, "l2_hit": 2}
_CAUSES: Final = {
    "miss": "an access missed and the walk found it",
    "l2_hit": "level 2 had it when level 1 had not",
    "D": "a store found it with D = 0, walked again and set D",
}
_INVALIDATION_RULES: Final = {
    "INVLPG": "INVLPG drops the page in the current PCID, global or not, and the PCID's paging-structure caches",
    "INVPCID 0x": "INVPCID of type 0 drops one address of one PCID, but nothing global",
    "INVPCID all but global in": "INVPCID of type 1 drops one PCID, but nothing global",
    "INVPCID all": "INVPCID of type 2 drops everything, global or not",
    "INVPCID all but global": "INVPCID of type 3 drops every PCID, but nothing global",
    "MOV_CR3": "MOV CR3 drops everything that is not global",
    "MOV_CR3 all but global in": "MOV CR3 with bit 63 = 0 drops all of the PCID it loads (0 while PCIDE = 0) "
    "that is not global",
    "MOV_CR4": "MOV CR4 that changes PGE, or clears PCIDE, drops everything",
    "MOV_CR4 all in": "MOV CR4 that changes PAE, or sets SMEP, drops what the current PCID has",
    "MOV_CR0": "MOV CR0 that clears PG drops everything",
    "PAGE_FAULT": "a page fault itself drops what is cached for its address, so that a retry walks",
}
"""By operation, and how its scope begins where the operation has several rules: the longest one counts."""


def access_sentence(event: Accessed, scene: Scene) -> str:
    """Why this access hit, hit something stale, or missed."""
    if event.stale:
        return _stale(event, scene)
    if event.tlb == "l1_hit":
        return _hit(event, scene)
    return _level_2_hit(event, scene) if event.tlb == "l2_hit" else _miss(event, scene)


# -- hits -------------------------------------------------------------------------------------------------------------


def _hit(event: Accessed, scene: Scene) -> str:
    slot = _answering(event, scene)
    page = _page(event, scene)
    if slot is None or slot.entry is None:
        return f"Hit: level 1 holds {page}, so nothing is walked ({Section.TLB_USE})."
    held = f"{_place(slot)} holds {page} -> {_translation(slot.entry, scene)}"
    return f"Hit: {held}, so nothing is walked ({Section.TLB_USE})."


def _level_2_hit(event: Accessed, scene: Scene) -> str:
    cycles = f" for ~{scene.mmu.geometry.cost.l2_hit} cycles" if scene.mmu is not None else ""
    slot = _answering(event, scene)
    where = _place(slot) if slot is not None else "level 2"
    fills = [
        f for f in scene.fills_of(event) if (array := scene.array(f.array)) is not None and array.level == 1
    ]
    sets = _list([f"{_set(fill)}{_held(fill, scene)}" for fill in fills])
    filled = f", into {sets}," if sets else ""
    return (
        f"Level-2 hit: level 1 no longer held {_page(event, scene)}; {where} did, and gave it back{filled}{cycles} "
        f"without a walk ({Section.TLB_USE})."
    )


def _stale(event: Accessed, scene: Scene) -> str:
    slot = _answering(event, scene)
    page = _page(event, scene)
    if slot is None or slot.entry is None:
        said = f"the TLB still has an old translation of {page}, to {physical_text(event.physical)}"
    else:
        said = f"{_place(slot)} has {page} -> {_translation(slot.entry, scene)}"
    found = differences(slot.entry, scene.mmu) if slot is not None and slot.entry and scene.mmu else []
    memory = f"in memory {found[0]}" if found else "memory says otherwise"
    return (
        f"Stale hit: {said}; {memory} by now, but nobody has invalidated the entry and a hit reads no memory "
        f"({Section.RECOMMENDED_INVALIDATION})."
    )


def _answering(event: Accessed, scene: Scene) -> Slot | None:
    """The slot that answered, if it can still be seen."""
    if scene.mmu is None or not scene.now:
        return None
    kind = TYPE_NAMES.index(event.type)
    level = _LEVELS.get(event.tlb, 1)
    held = scene.mmu.holding(LinearAddress(event.linear))
    return next((slot for slot in held if slot.array.level == level and kind in slot.array.kinds), None)


def _translation(entry: TlbEntry, scene: Scene) -> str:
    """Where an entry leads, with what rights, and who filled it."""
    kept = f"frame {frame_number(entry.frame):#x} ({entry_size(entry)}, {entry.rights})"
    return f"{kept}, filled at instruction {entry.filled_insn:,} by {scene.place(entry.filled_rip)}"


# -- misses -----------------------------------------------------------------------------------------------------------


def _miss(event: Accessed, scene: Scene) -> str:
    reads = scene.reads_of(event)
    filled = _list([f"{_set(fill)}{_held(fill, scene)}" for fill in _by_array(scene.fills_of(event))])
    return (
        f"Miss: no array held {_page(event, scene)}; {_walked(reads, scene)}{_wrote(reads, event, scene)}"
        f"{f', and filled {filled}' if filled else ''} ({_walk_section(reads, scene)})."
    )


def _walked(reads: Sequence[EntryRead], scene: Scene) -> str:
    """How many entries the walk read, and who knew the rest of the way."""
    count = f"the walk read {len(reads)} entr{'y' if len(reads) == 1 else 'ies'}"
    known = _known_level(reads, scene)
    if known is None:
        return count
    return f"{count} because the {known} cache knew the way to {physical_text(reads[0].table)}"


def _known_level(reads: Sequence[EntryRead], scene: Scene) -> str | None:
    """The level whose paging-structure cache gave the walk its start; None if it began at the root."""
    controls = scene.controls
    if controls is None or not reads:
        return None
    names = [level.name for level in controls.mode.levels]
    first = names.index(reads[0].level) if reads[0].level in names else 0
    return names[first - 1] if first > int(controls.mode.root_in_registers) else None


def _wrote(reads: Sequence[EntryRead], event: Accessed, scene: Scene) -> str:
    """Which A and D bits the walk set."""
    walked = {read.address for read in reads}
    since = reads[0].seq if reads else event.seq
    written: dict[str, list[str]] = {}
    for e in scene.step:
        if isinstance(e, EntryWritten) and since < e.seq < event.seq and e.address in walked:
            written.setdefault(e.why, []).append(e.level)
    return "".join(f", set {flags} in the {_list(levels)}" for flags, levels in written.items())


def _walk_section(reads: Sequence[EntryRead], scene: Scene) -> Section:
    if _known_level(reads, scene) is not None:
        return Section.STRUCTURE_CACHES
    mode = scene.controls.mode.name if scene.controls is not None else ""
    return {"32-bit": Section.WALK_32_BIT, "PAE": Section.WALK_PAE}.get(mode, Section.WALK_LONG)


def _by_array(fills: Sequence[TlbFilled]) -> list[TlbFilled]:
    return sorted(fills, key=lambda fill: fill.array)


def _set(fill: TlbFilled) -> str:
    return f"{fill.array} set {fill.set}"


def _held(fill: TlbFilled, scene: Scene) -> str:
    """What stood, before the step, in the set that was filled: " (it held a and b)"; "" if that cannot be seen."""
    array = scene.array(fill.array) if scene.now else None
    if array is None:
        return ""
    stayed = [s.entry.linear for s in array.slots[fill.set] if s.entry is not None and s.way != fill.way]
    left = [gone.page * gone.page_bytes for gone in scene.evicted_from(fill)]
    names = [scene.place(linear) for linear in left + stayed]
    return f" (it held {_list(names, _MOST_NAMED)})" if names else " (it was empty)"


# -- what came and went -----------------------------------------------------------------------------------------------


def fill_sentence(event: TlbFilled, scene: Scene) -> str:
    """What a place holds now, and why."""
    if event.array.endswith(_STRUCTURES):
        way_to = f"the table at {physical_text(event.frame << PAGE_SHIFT)} for {_span(event, scene)}"
        return (
            f"Filled: {event.array} way {event.way} now knows the way to {way_to}, and walks there begin below it "
            f"({Section.STRUCTURE_FILLS})."
        )
    cause = _CAUSES.get(event.cause, event.cause)
    section = Section.TLB_USE if _piece_of(event, scene) else Section.CACHING
    return f"Filled: {_where(event)} now holds {_entry(event, scene)}, because {cause} ({section})."


def eviction_sentence(event: TlbEvicted, scene: Scene) -> str:
    """Who left, and who chose it."""
    if event.array.endswith(_STRUCTURES):
        forgot = f"{event.array} was full and forgot the way to {_span(event, scene)}"
        return f"Evicted: {forgot}, {_ago(event, 'last used ') or 'unused the longest'} ({Section.STRUCTURE_FILLS})."
    gone = f"{_entry(event, scene)} left {_where(event)}"
    if event.cause == "replaced":
        return f"Replaced: {gone}: a fresh walk found another translation ({Section.CACHING})."
    array = scene.array(event.array)
    if array is None:
        return f"Evicted: {gone}, as the set was full ({Section.TLBS})."
    ways = array.geometry.way_count
    full = f"all {ways} ways of the set were full" if ways > 1 else "the set has no other way"
    return f"Evicted: {gone}; {full}, and {_chosen(array.geometry.policy, event)} ({Section.TLBS})."


def _chosen(policy: str, event: TlbEvicted) -> str:
    """Who the policy gave up, and for what."""
    way = f"way {event.way}"
    match policy:
        case "fifo":
            return f"FIFO chose {way}, filled first{_ago(event, ', ')}"
        case "random":
            return f"the random policy drew {way}{_ago(event, ', last used ')}"
        case "tree-plru":
            return f"the bits of tree-PLRU led to {way}{_ago(event, ', last used ')}"
        case _:
            return f"LRU chose {way}, " + (_ago(event, "last used ") or "unused the longest")


def _ago(event: TlbEvicted, lead: str) -> str:
    """How many uses ago, if the event tells."""
    if event.age is None:
        return ""
    return f"{lead}{event.age:,} use{'s' * (event.age != 1)} ago"


def _where(event: TlbFilled | TlbEvicted) -> str:
    return f"{event.array} set {event.set} way {event.way}"


def _entry(event: TlbFilled | TlbEvicted, scene: Scene) -> str:
    whole = _piece_of(event, scene)
    size = (
        f"a {size_name(event.page_bytes)} piece of a {whole} page" if whole else size_name(event.page_bytes)
    )
    pcid = f", PCID {event.pcid}" if event.pcid else ""
    return f"{scene.place(event.page * event.page_bytes)} -> frame {event.frame:#x} ({size}, {event.rights}{pcid})"


def _span(event: TlbFilled | TlbEvicted, scene: Scene) -> str:
    """What a paging-structure entry covers."""
    pcid = f" in PCID {event.pcid}" if event.pcid else ""
    start = linear_text(event.page * event.page_bytes, scene.controls)
    return f"the {size_name(event.page_bytes)} at {start}{pcid}"


def _piece_of(event: TlbFilled | TlbEvicted, scene: Scene) -> str:
    """The size of the page of which a filled entry is a piece, "" if it is none or that cannot be seen."""
    array = scene.array(event.array) if scene.now else None
    entry = array.slots[event.set][event.way].entry if array is not None else None
    if entry is None or (entry.page, entry.page_bytes) != (event.page, event.page_bytes):
        return ""
    return size_name(entry.piece_of) if entry.piece_of else ""


def invalidation_sentence(event: Invalidated, scene: Scene) -> str:
    """How many went, by which rule."""
    said = f"{event.operation} {event.scope}"
    rules = [rule for rule in _INVALIDATION_RULES if said.startswith(rule)]
    rule = _INVALIDATION_RULES[max(rules, key=len)] if rules else event.operation
    return f"Dropped {_dropped(event)} ({_scope(event, scene)}): {rule} ({Section.INVALIDATION})."


def _dropped(event: Invalidated) -> str:
    """How many translations went, and how many entries of paging-structure caches."""
    ways = sum(_STRUCTURES in line for line in event.dropped)
    pages = len(event.dropped) - ways
    parts = [_count(pages, "translation")] if pages else []
    parts += [_count(ways, "paging-structure-cache entry", "paging-structure-cache entries")] if ways else []
    return " and ".join(parts) or "nothing"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _scope(event: Invalidated, scene: Scene) -> str:
    """The event's scope, an address in it by name."""
    first, space, rest = event.scope.partition(" ")
    linear = parse_number(first) if first.startswith("0x") else None
    return event.scope if linear is None else scene.place(linear) + space + rest


# -- words ------------------------------------------------------------------------------------------------------------


def _page(event: Accessed, scene: Scene) -> str:
    pcid = f" for PCID {scene.mmu.pcid}" if scene.mmu is not None and scene.now and scene.mmu.pcid else ""
    return f"the page of {scene.place(event.linear)}{pcid}"


def _place(slot: Slot) -> str:
    return f"{slot.array.name} set {slot.set} way {slot.way}"


def _list(words: Sequence[str], most: int = 9) -> str:
    """ "a", "a and b", "a, b and 3 more"."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
