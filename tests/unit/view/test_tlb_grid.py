# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLB panel: grids and tables tell page size, PCID, pieces, age, filler and staleness; structure caches too."""

from emu.bits import LinearAddress
from emu.lesson.views import tlb_view
from emu.tlb.geometry import Geometry
from emu.view.scene import linear_text
from emu.view.spans import plain
from emu.view.tlb import STRUCTURES, ArrayGrid, Names, tlb_grids
from tests.helpers.bench import GLOBAL, PAGE, array, tlbs
from tests.unit.view.rig import CODE, Rig

A, B = 0x20_0000, 0x20_1000
BIG = 1 << 30
ONE = tlbs(array(entries=4, ways=2), pde=2, pdpte=1)


def grids(rig: Rig, before: tuple[ArrayGrid, ...] = ()) -> tuple[ArrayGrid, ...]:
    names = Names(lambda at: f"page {at >> 12:x}", lambda at: linear_text(at, rig.mmu.controls))
    return tlb_grids(rig.inspector, rig.events, names, before)


def rig_with(of: Geometry = ONE) -> Rig:
    rig = Rig(of=of)
    rig.map(A, 0x5000)
    rig.map(B, 0x6000, PAGE | GLOBAL)
    return rig


def rows(grid: ArrayGrid, width: int) -> list[str]:
    return [plain(row).rstrip() for row in grid.lines(width, 20)]


def test_a_wide_panel_has_a_line_for_each_entry_with_all_that_is_known_of_it() -> None:
    rig = rig_with()
    rig.journal.insn = 1203
    rig.step(A)
    rig.step(B)
    assert rows(grids(rig)[0], 90) == [
        "where   page     → frame  rights   last use walked by (instruction)",
        "  0.0  ·page 200 → 5      UWX      2 ago    0x0000_0000_0040_0000 (1,204)",
        "  1.0  +page 201 → 6      UWXG     now      0x0000_0000_0040_0000 (1,205)",
    ]


def test_a_narrow_panel_is_a_grid_of_sets_and_ways() -> None:
    rig = rig_with()
    rig.step(A)
    assert rows(grids(rig)[0], 43) == ["  0 +page 200           ·"]


def test_under_fifo_the_age_counts_from_the_fill() -> None:
    rig = rig_with(tlbs(array(entries=4, ways=2, policy="fifo")))
    for _ in range(3):
        rig.step(A)
    grid = grids(rig)[0]
    assert grid.shape == "4 = 2x2 fifo"
    head, row = rows(grid, 90)
    assert "filled" in head
    assert "3 ago" in row


def test_what_is_not_usual_is_tagged_size_piece_and_pcid() -> None:
    rig = Rig(of=tlbs(array(sizes="4K 2M", _1G="2M")))
    rig.map(BIG, 0, PAGE, BIG)
    rig.set(pcid=3)
    rig.step(BIG)
    assert grids(rig)[0].sets[0][0].tags == "2M of 1G PCID 3"
    assert "UWX 2M of 1G PCID 3" in rows(grids(rig)[0], 90)[1]
    assert "2M of 1G PCID 3" in str(tlb_view(rig.inspector))


def test_a_stale_entry_is_marked_when_somebody_looks() -> None:
    rig = rig_with()
    rig.step(A)
    rig.set_entry(rig.tables.entry_address(LinearAddress(A), "PTE"), 0)
    assert grids(rig)[0].sets[0][0].glyph == "≠"
    assert "≠ stale" in str(tlb_view(rig.inspector))
    assert len(tlb_view(rig.inspector).stale.slots) == 1


def test_the_structure_caches_are_a_grid_of_their_own_a_row_each() -> None:
    rig = rig_with()
    rig.step(A)
    grid = grids(rig)[-1]
    assert (grid.name, grid.shape) == (STRUCTURES, "1 + 2")
    assert [label.strip() for label in grid.labels] == ["PDPTE", "PDE"]
    assert rows(grid, 90)[1:] == [
        "PDPTE.0  +page 0   → 402    UWX 1G   now      0x0000_0000_0040_0000 (1)",
        "PDE.0    +page 200 → 403    UWX 2M   now      0x0000_0000_0040_0000 (1)",
    ]
    assert all("1G" in row or "2M" in row for row in rows(grid, 43))


def test_a_narrow_grid_of_structure_caches_has_room_for_addresses() -> None:
    rig = rig_with()
    rig.map(A + 0x20_0000, 0x7000)
    rig.step(A)
    rig.step(A + 0x20_0000)
    names = Names(lambda at: linear_text(at, rig.mmu.controls), hex)
    caches = tlb_grids(rig.inspector, [], names, ())[-1]
    assert [row.split("→")[0].split() for row in rows(caches, 43)[1:]] == [
        ["PDE", "·0x0000_0000_0020_0000", "2M"],
        ["·0x0000_0000_0040_0000", "2M"],
    ]


def test_a_geometry_without_structure_caches_has_no_such_grid() -> None:
    rig = rig_with(tlbs(array()))
    assert [grid.name for grid in grids(rig)] == ["L1D 4K"]


def test_only_what_changed_is_inverted_and_age_is_no_change() -> None:
    rig = rig_with()
    rig.step(A)
    first = grids(rig)
    rig.step(A)
    second = grids(rig, first)
    assert not any(cell.changed for grid in second for row in grid.sets for cell in row)
    rig.step(B)
    third = grids(rig, second)
    assert [cell.name for row in third[0].sets for cell in row if cell.changed] == ["page 201"]
    assert third[0].sets[1][0].glyph == "+"


def test_user_code_of_another_pcid_has_no_name() -> None:
    rig = rig_with()
    rig.set(pcid=3)
    rig.step(A)
    rig.set(pcid=4)
    names = Names(lambda at: "page", lambda at: "named")
    cells = tlb_grids(rig.inspector, [], names, ())[0].sets[0]
    assert cells[0].filler == f"{linear_text(CODE, rig.mmu.controls)} (1)"
    rig.set(pcid=3)
    assert tlb_grids(rig.inspector, [], names, ())[0].sets[0][0].filler == "named (1)"


def test_the_labs_view_is_narrowed_to_a_range_a_pcid_an_array() -> None:
    rig = rig_with(tlbs(array(), array(level=2, serves="both")))
    rig.set(pcid=2)
    rig.step(A)
    rig.step(B)
    view = tlb_view(rig.inspector)
    assert view.within(A, A + 1).pages == {A}
    assert view.within(A + 0xFFF, B + 1).pages == {A, B}
    assert view.within(0, A).pages == set()
    assert view.under(7).pages == {B}
    assert {slot.array for slot in view.of("L2").slots} == {"L2 4K"}
    assert view.where(lambda slot: slot.age == 0).pages == {B}


def test_details_tell_age_and_filler_and_the_structure_caches_stand_below() -> None:
    rig = rig_with()
    rig.step(A)
    lines = tlb_view(rig.inspector).details.lines()
    assert lines == [
        "  L1D 4K     0.0 0x0000_0000_0020_0000 -> 0x5 UWX",
        "                 last use now; walked by 0x0000_0000_0040_0000 (1)",
        "  PDPTE cache 0.0 0x0000_0000_0000_0000 (1G) -> table at 0x0040_2000 UWX",
        "  PDE cache 0.0 0x0000_0000_0020_0000 (2M) -> table at 0x0040_3000 UWX",
    ]
