# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches" (4.10.4.1): which must drop what.

Real instructions run in 64-bit code, after accesses have filled translations under two PCIDs. The manual lets a CPU
drop more at any time: a row says what must be gone, and what this model drops beyond that by choice. The rest stays
here, because lessons show what an operation spares.
"""

from typing import Final

import pytest

from emu.bits import PAGE_SHIFT
from emu.cpu.registers import CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_SMAP, CR4_SMEP, CR4_TSD
from emu.events import Invalidated
from emu.mmu import Mmu
from tests.helpers.bench import Bench, array, tlbs
from tests.helpers.stub import CODE, CODE_FRAME, DATA, DATA_END, DATA_FRAME, STACK, STACK_FRAME, TABLES, Guest
from tests.helpers.stub32 import Guest32
from tests.sdm.machine_code import (
    END,
    INVLPG,
    INVPCID,
    TO_CR0,
    TO_CR3,
    TO_CR4,
    TOUCH,
    count32,
    load32,
    load64,
)

ONE_ARRAY = tlbs(array(serves="both", entries=64), pml4e=8, pdpte=8, pde=8)
NO_FLUSH: Final = 1 << 63
CR4: Final = 0x620 | CR4_PGE
FIRST_PCID, SECOND_PCID = 1, 2
"""Pages are touched under the first, then under the second, which stays the current one."""

GLOBAL_PAGE = 0x107 | 4
GLOBALS = 0x80_0000
"""Where pages with G = 1 lie."""

OURS, NEIGHBOUR, THEIRS, TWICE = (DATA + n * 0x1000 for n in range(4))
OUR_GLOBAL, THEIR_GLOBAL = GLOBALS, GLOBALS + 0x1000
DESCRIPTOR = GLOBALS + 0x2000
"""Where INVPCID's descriptor lies: of no interest itself."""
NOT_CANONICAL = 1 << 57
"""On any CPU, in any mode."""

EVERYTHING: Final = {
    "ours": (OURS, SECOND_PCID),
    "our neighbour": (NEIGHBOUR, SECOND_PCID),
    "our global": (OUR_GLOBAL, SECOND_PCID),
    "our view of the page both have": (TWICE, SECOND_PCID),
    "theirs": (THEIRS, FIRST_PCID),
    "their global": (THEIR_GLOBAL, FIRST_PCID),
    "their view of the page both have": (TWICE, FIRST_PCID),
}
"""What is held before an operation: translations, by page and by the PCID under which they were filled."""
STRUCTURES: Final = {"our structures": SECOND_PCID, "their structures": FIRST_PCID}
"""And paging-structure-cache entries, by PCID."""

OUR_PAGES = {"ours", "our neighbour", "our view of the page both have"}
THEIR_PAGES = {"theirs", "their view of the page both have"}
ALL_GLOBAL = {"our global", "their global"}
ALL_PAGES, ALL_STRUCTURES = set(EVERYTHING), set(STRUCTURES)


def touch(*pages: int) -> bytes:
    return b"".join(load64(page) + TOUCH for page in pages)


def set_cr3(pcid: int, keep: bool) -> bytes:
    return load64(TABLES | pcid | keep << 63) + TO_CR3


PREPARE: Final = (
    load64(CR4 | CR4_PCIDE)
    + TO_CR4
    + set_cr3(FIRST_PCID, keep=True)
    + touch(THEIRS, TWICE, THEIR_GLOBAL)
    + set_cr3(SECOND_PCID, keep=True)
    + touch(OURS, NEIGHBOUR, TWICE, OUR_GLOBAL)
)


def descriptor(pcid: int, linear: int = 0) -> dict[int, bytes]:
    return {DATA_FRAME + 0x6000: pcid.to_bytes(8, "little") + linear.to_bytes(8, "little")}


def run(operation: bytes, data: dict[int, bytes] | None = None, prepare: bytes = PREPARE) -> Guest:
    """Runs `operation` after the accesses; the guest ends in the handler of what came of it.

    Code and stack are the supervisor's: neither SMEP nor SMAP stops them.
    """
    pages: dict[int, tuple[int, int]] = {CODE: (CODE_FRAME, 3), STACK - 0x1000: (STACK_FRAME + 0x1000, 3)}
    pages |= {GLOBALS + n * 0x1000: (DATA_FRAME + 0x4000 + n * 0x1000, GLOBAL_PAGE) for n in range(3)}
    guest = Guest(prepare + operation + END, tlb=ONE_ARRAY, pages=pages, data=data)
    guest.run()
    return guest


def held(mmu: Mmu) -> set[str]:
    """The names of what the TLB and the paging-structure caches hold."""
    entries = {(slot.entry.page << PAGE_SHIFT, slot.entry.pcid) for slot in mmu.tlb.arrays[0] if slot.entry}
    covering = DATA >> 21
    structures = {
        place.entry.pcid
        for place in mmu.tlb.structures
        if place.entry is not None and place.cache.level == "PDE" and place.entry.page == covering
    }
    names = {name for name, what in EVERYTHING.items() if what in entries}
    return names | {name for name, pcid in STRUCTURES.items() if pcid in structures}


def test_before_any_operation_everything_is_held():
    guest = run(b"")
    assert guest.vector == 3
    assert held(guest.machine.mmu) == ALL_PAGES | ALL_STRUCTURES


def invlpg(linear: int) -> bytes:
    return load64(linear) + INVLPG


def invpcid(kind: int) -> bytes:
    return count32(kind) + load64(DESCRIPTOR) + INVPCID


def set_cr4(value: int) -> bytes:
    return load64(value) + TO_CR4


NOTHING: set[str] = set()
STAYS = CR4 | CR4_PCIDE

ROWS = [
    # INVLPG
    pytest.param(
        invlpg(OURS), {}, {"ours", "our structures"}, NOTHING,
        id="INVLPG drops the page in the current PCID, and all structure-cache entries of that PCID",
    ),
    pytest.param(
        invlpg(OURS + 0xFFF), {}, {"ours", "our structures"}, NOTHING,
        id="INVLPG of any address in a page drops the page",
    ),
    pytest.param(
        invlpg(TWICE), {}, {"our view of the page both have", "our structures"}, NOTHING,
        id="INVLPG need not drop the page in another PCID",
    ),
    pytest.param(
        invlpg(OUR_GLOBAL), {}, {"our global", "our structures"}, NOTHING,
        id="INVLPG drops a global page",
    ),
    pytest.param(
        invlpg(THEIR_GLOBAL), {}, {"their global", "our structures"}, NOTHING,
        id="INVLPG drops a global page whatever PCID it was filled under",
    ),
    pytest.param(
        invlpg(NOT_CANONICAL), {}, NOTHING, NOTHING,
        id="INVLPG of a non-canonical address does nothing",
    ),
    # INVPCID
    pytest.param(
        invpcid(0), descriptor(FIRST_PCID, THEIRS), {"theirs", "their structures"}, NOTHING,
        id="INVPCID type 0 drops one address of the PCID it names",
    ),
    pytest.param(
        invpcid(0), descriptor(SECOND_PCID, TWICE), {"our view of the page both have", "our structures"}, NOTHING,
        id="INVPCID type 0 need not drop the address in another PCID",
    ),
    pytest.param(
        invpcid(0), descriptor(SECOND_PCID, OUR_GLOBAL), NOTHING, {"our structures"},
        id="INVPCID type 0 need not drop a global page, nor what leads to other addresses",
    ),
    pytest.param(
        invpcid(1), descriptor(FIRST_PCID), THEIR_PAGES | {"their structures"}, NOTHING,
        id="INVPCID type 1 drops one PCID but global pages",
    ),
    pytest.param(
        invpcid(1), descriptor(SECOND_PCID), OUR_PAGES | {"our structures"}, NOTHING,
        id="INVPCID type 1 drops the current PCID as any other",
    ),
    pytest.param(
        invpcid(2), descriptor(0), ALL_PAGES | ALL_STRUCTURES, NOTHING,
        id="INVPCID type 2 drops everything, global pages too",
    ),
    pytest.param(
        invpcid(3), descriptor(0), OUR_PAGES | THEIR_PAGES | ALL_STRUCTURES, NOTHING,
        id="INVPCID type 3 drops everything but global pages",
    ),
    # MOV to CR3
    pytest.param(
        set_cr3(SECOND_PCID, keep=False), {}, OUR_PAGES | {"our structures"}, NOTHING,
        id="MOV to CR3 with bit 63 = 0 drops the PCID it loads, but global pages",
    ),
    pytest.param(
        set_cr3(FIRST_PCID, keep=False), {}, THEIR_PAGES | {"their structures"}, NOTHING,
        id="MOV to CR3 need not drop the PCID it leaves",
    ),
    pytest.param(
        set_cr3(FIRST_PCID, keep=True), {}, NOTHING, NOTHING,
        id="MOV to CR3 with bit 63 = 1 need not drop anything",
    ),
    # MOV to CR4
    pytest.param(
        set_cr4(STAYS & ~CR4_PGE), {}, ALL_PAGES | ALL_STRUCTURES, NOTHING,
        id="MOV to CR4 that clears PGE drops everything",
    ),
    pytest.param(
        set_cr3(0, keep=True) + set_cr4(CR4), {}, ALL_PAGES | ALL_STRUCTURES, NOTHING,
        id="MOV to CR4 that clears PCIDE drops everything",
    ),
    pytest.param(
        set_cr4(STAYS | CR4_SMEP), {}, OUR_PAGES | {"our global", "our structures"}, NOTHING,
        id="MOV to CR4 that sets SMEP drops the current PCID",
    ),
    pytest.param(set_cr4(STAYS), {}, NOTHING, NOTHING, id="MOV to CR4 that changes nothing need not drop anything"),
    pytest.param(set_cr4(STAYS | CR4_SMAP), {}, NOTHING, NOTHING, id="nor one that changes SMAP"),
    pytest.param(set_cr4(STAYS | CR4_PKE), {}, NOTHING, NOTHING, id="nor one that changes PKE"),
    pytest.param(set_cr4(STAYS | CR4_TSD), {}, NOTHING, NOTHING, id="nor one that changes TSD"),
    # a page fault
    pytest.param(
        touch(DATA_END), {}, {"our structures"}, NOTHING,
        id="a page fault drops the structure-cache entries for its address in the current PCID",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "data", "must_go", "by_choice"), ROWS)
def test_what_must_be_gone_is_gone(
    operation: bytes, data: dict[int, bytes], must_go: set[str], by_choice: set[str]
):
    guest = run(operation, data)
    assert guest.vector == (14 if operation == touch(DATA_END) else 3)
    after = held(guest.machine.mmu)
    assert not after & must_go
    assert after == (ALL_PAGES | ALL_STRUCTURES) - must_go - by_choice


@pytest.mark.parametrize("sets", [True, False], ids=["sets", "clears"])
def test_mov_to_cr4_that_changes_pge_drops_everything_either_way(sets: bool):
    before, after = (CR4 & ~CR4_PGE, CR4) if sets else (CR4, CR4 & ~CR4_PGE)
    guest = run(set_cr4(after), prepare=set_cr4(before) + touch(OURS, OUR_GLOBAL))
    dropped = " ".join(dropped_by(guest, "MOV_CR4"))
    assert "0x0000_0000_0060_0000" in dropped and "0x0000_0000_0080_0000" in dropped


def dropped_by(guest: Guest, operation: str) -> list[str]:
    """What the last invalidation by `operation` dropped."""
    events = [event for event in guest.events if isinstance(event, Invalidated)]
    return next(list(event.dropped) for event in reversed(events) if event.operation == operation)


def test_mov_to_cr4_that_clears_smep_need_not_drop_anything():
    guest = run(set_cr4(CR4), prepare=set_cr4(CR4 | CR4_SMEP) + touch(OURS))
    assert (OURS, 0) in entries_of(guest)


def entries_of(guest: Guest) -> set[tuple[int, int]]:
    slots = guest.machine.mmu.tlb.arrays[0]
    return {(slot.entry.page << PAGE_SHIFT, slot.entry.pcid) for slot in slots if slot.entry}


def test_without_pcide_mov_to_cr3_drops_all_but_global_pages_and_all_structure_caches():
    guest = run(load64(TABLES) + TO_CR3, prepare=set_cr4(CR4) + touch(OURS, OUR_GLOBAL))
    assert (OURS, 0) not in entries_of(guest)
    assert (OUR_GLOBAL, 0) in entries_of(guest)
    dropped = dropped_by(guest, "MOV_CR3")
    assert any("PML4E cache" in what for what in dropped)


def test_mov_to_cr4_that_changes_pae_drops_the_current_pcid():
    """32-bit paging becomes PAE paging: CR3 leads to a directory for the one, to PDPTEs for the other."""
    root, pdpt, directory = 0x1_0000, 0x1_0800, 0x1_1000
    guest = Guest32(
        load32(pdpt) + TO_CR3 + load32(DATA) + TOUCH + load32(0x630) + TO_CR4 + END,
        tlb=tlbs(array(serves="both", sizes="4K 2M 4M", entries=64)),
        rip=0x10_0000,
        data={
            root: (directory | 3).to_bytes(4, "little"),
            root + 4: (DATA & -0x40_0000 | 0x83).to_bytes(4, "little"),
            pdpt: (directory | 1).to_bytes(8, "little"),
            directory: (0x83).to_bytes(8, "little"),
            directory + 4 * 0x100: (0x10_0003).to_bytes(4, "little"),
        },
    )
    guest.run()
    assert guest.vector == 3
    assert any("0x0000_0000_0040_0000" in what for what in dropped_by(guest, "MOV_CR4"))


def test_mov_to_cr0_that_clears_pg_drops_everything():
    global_pages = {DATA: (DATA_FRAME, GLOBAL_PAGE)}
    code = load32(DATA) + TOUCH + load32(0x1_0011) + TO_CR0 + END
    guest = Guest32(
        code,
        tlb=tlbs(array(serves="both", entries=64)),
        cr4=CR4_PGE,
        pages=global_pages | {0x10_0000: (0x10_0000, 3)},
        rip=0x10_0000,
    )
    guest.run()
    assert any("0x0000_0000_0060_0000" in what for what in dropped_by(guest, "MOV_CR0"))
    assert not any(slot.entry for slot in guest.machine.mmu.tlb.arrays[0])


def test_one_invlpg_is_enough_for_a_large_page_that_is_kept_in_pieces():
    bench = Bench(tlbs(array(entries=16, _2M="4K")), 16 << 20)
    bench.map(8 << 20, 4 << 20, page_bytes=2 << 20)
    for piece in range(5):
        bench.access((8 << 20) + (piece << PAGE_SHIFT))
    assert sum(slot.entry is not None for slot in bench.mmu.tlb.arrays[0]) == 5
    bench.mmu.invlpg((8 << 20) + 0x1F_F000)
    assert not any(slot.entry for slot in bench.mmu.tlb.arrays[0])


@pytest.mark.parametrize(
    ("kind", "words", "cr4", "vector"),
    [
        pytest.param(4, descriptor(1), STAYS, 13, id="a type above 3"),
        pytest.param(0, descriptor(1 | 1 << 12, DATA), STAYS, 13, id="a reserved bit of the descriptor"),
        pytest.param(3, descriptor(1 << 63), STAYS, 13, id="a reserved bit of the descriptor in type 3 too"),
        pytest.param(0, descriptor(1, DATA), CR4, 13, id="a PCID in type 0 with CR4.PCIDE = 0"),
        pytest.param(1, descriptor(1), CR4, 13, id="a PCID in type 1 with CR4.PCIDE = 0"),
        pytest.param(0, descriptor(1, NOT_CANONICAL), STAYS, 13, id="a non-canonical address in type 0"),
        pytest.param(1, descriptor(1, NOT_CANONICAL), STAYS, 3, id="but not in type 1, which has no address"),
        pytest.param(0, descriptor(0, DATA), CR4, 3, id="nor PCID 0 with CR4.PCIDE = 0"),
    ],
)
def test_invpcid_raises_a_general_protection_fault_for(
    kind: int, words: dict[int, bytes], cr4: int, vector: int
):
    guest = run(invpcid(kind), words, prepare=set_cr4(cr4))
    assert guest.vector == vector


def test_invpcid_raises_a_general_protection_fault_above_cpl_0():
    guest = Guest(count32(2) + load64(DATA) + INVPCID + END, ring=3)
    guest.run()
    assert guest.vector == 13


def test_invalidation_is_each_cpu_s_own_business():
    """SDM vol. 3A, "Propagation of Paging-Structure Changes to Multiple Processors", 4.10.5: the shootdown."""
    bench = Bench()
    entry = bench.map(0x40_0000, 0x10_0000)
    other = Mmu(bench.memory, bench.mmu.geometry, bench.journal)
    other.set_controls(bench.mmu.controls)
    for mmu in (bench.mmu, other):
        mmu.translate(0x400, 1, True)
    bench.set_entry(entry, 0x20_0000 | 7)
    bench.mmu.invlpg(0x40_0000)
    here, there = (mmu.translate(0x400, 1, True) for mmu in (bench.mmu, other))
    assert (here.frame, there.frame) == (0x200, 0x100)
    other.invlpg(0x40_0000)
    assert other.translate(0x400, 1, True).frame == 0x200
