# SPDX-License-Identifier: GPL-2.0-or-later
"""A walk is shown truly in every paging mode: widths, fields, registers, structure caches, page sizes."""

import pytest

from emu.bits import LinearAddress
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, PagingMode
from emu.view.access import AccessView, access_view
from emu.view.scene import linear_text
from emu.view.spans import plain
from emu.view.walk import walk_view
from tests.helpers.bench import PAGE, WRITE, XD, array, tlbs
from tests.unit.view.rig import Rig

HERE = 0x40_2000
PANELS = [(76, 10), (78, 9)]
"""Columns and rows inside the walk panel at 120x36 and at 80x24."""


def seen(rig: Rig) -> AccessView:
    """What the walk panel shows of the step."""
    return access_view(rig.inspector, rig.events, lambda at: linear_text(at, rig.mmu.controls))


def panel(view: AccessView, width: int = 76) -> list[str]:
    return [plain(row).rstrip() for row in view.lines(width)]


def test_32_bit_paging_has_two_entries_of_eight_digits() -> None:
    rig = Rig(TWO_LEVEL)
    rig.map(HERE, 0x5000)
    assert walk_view(rig.inspector, LinearAddress(HERE + 0x123)).lines() == [
        "0x0040_2123",
        "  PDE    index 0x001 at 0x0000_0040_0004 = 0x0040_1007",
        "         P RW US; so far: user, write, execute",
        "  PTE    index 0x002 at 0x0000_0040_1008 = 0x0000_5007",
        "         P RW US; so far: user, write, execute",
        "  -> 0x0000_0000_5123 in a 4K page, offset 0x123; user, write, execute",
        "  ○ no TLB holds it",
    ]


def test_a_4m_page_has_an_offset_of_22_bits() -> None:
    rig = Rig(TWO_LEVEL)
    rig.map(0x40_0000, 0x40_0000, PAGE, 1 << 22)
    rig.step(0x51_2345, WRITE)
    rows = panel(seen(rig))
    assert rows[1] == "0x0051_2345 = PD 001 + 112345"
    assert "0x0000_0051_2345 in a 4M page, offset 0x112345" in rows[3]


def test_a_pdpte_of_pae_paging_comes_out_of_a_register() -> None:
    rig = Rig(PAE)
    rig.map(HERE, 0x5000)
    view = walk_view(rig.inspector, LinearAddress(HERE))
    assert [row.source for row in view.rows] == ["a PDPTE register", "memory", "memory"]
    assert [row.index for row in view.rows] == [0, 2, 2]
    assert view.lines()[2] == "         P; so far: user, write, execute; out of a PDPTE register"
    assert view.lines()[0] == "0x0040_2000"
    rig.step(HERE)
    assert [row.split()[0] for row in panel(seen(rig))[2:5]] == ["R", "w", "w"]


def test_another_pae_address_space_is_walked_from_its_own_32_byte_root() -> None:
    rig = Rig(PAE)
    rig.map(HERE, 0x5000)
    other = rig.new_tables()
    other.map(LinearAddress(HERE), 0x7000)  # type: ignore[arg-type]
    found = rig.inspector.walk(LinearAddress(HERE), other.root)
    assert found is not None
    assert found.physical == 0x7000
    assert rig.inspector.walk(LinearAddress(HERE)).physical == 0x5000  # type: ignore[union-attr]


@pytest.mark.parametrize(("width", "height"), PANELS)
def test_five_levels_fit_the_walk_panel_with_what_came_of_them(width: int, height: int) -> None:
    rig = Rig(FIVE_LEVEL)
    high = 0xFF80_1234_5678_9000
    rig.map(high, 0x5000, PAGE | XD)
    rig.step(high, WRITE)
    rows = panel(seen(rig), width)
    assert all(len(row) <= width for row in rows)
    assert rows[1].startswith("0xff80_1234_5678_9000 = PML5 180 PML4 024 PDPT 0d1 PD 0b3 PT 189 + 000")
    assert [row.split()[1] for row in rows[2:7]] == ["PML5E", "PML4E", "PDPTE", "PDE", "PTE"]
    assert rows[7].startswith("→ 0x0000_0000_5000 in a 4K page")
    assert rows[8].startswith("why: Miss:") or height > 9


def test_what_a_structure_cache_knew_is_not_read() -> None:
    rig = Rig(FOUR_LEVEL, tlbs(array(), pde=2))
    rig.map(HERE, 0x5000)
    rig.map(HERE + 0x1000, 0x6000)
    rig.step(HERE)
    assert [row.split()[0] for row in panel(seen(rig))[2:6]] == ["w", "w", "w", "w"]
    rig.step(HERE + 0x1000)
    assert [row.split()[0] for row in panel(seen(rig))[2:6]] == ["c", "c", "c", "w"]
    rig.step(HERE + 0x1000)
    assert [row.split()[0] for row in panel(seen(rig))[2:6]] == ["·", "·", "·", "·"]
    view = walk_view(rig.inspector, LinearAddress(HERE))
    assert view.lines()[-1] == "  ● PDE cache 0.0 table at 0x0000_0040_3000 UWX"
    assert view.as_json()["structure_caches"][0]["table"] == 0x40_3000
    rig.set(pcid=2)
    assert walk_view(rig.inspector, LinearAddress(HERE)).known == ()


@pytest.mark.parametrize(("mode", "size"), [(FOUR_LEVEL, 1 << 30), (PAE, 1 << 21), (FIVE_LEVEL, 1 << 21)])
def test_large_pages_end_the_walk_early(mode: PagingMode, size: int) -> None:
    rig = Rig(mode)
    rig.map(1 << 30, 0, PAGE, size)
    view = walk_view(rig.inspector, LinearAddress((1 << 30) + 0x12_3456))
    assert view.physical == 0x12_3456
    assert view.page_bytes == size
    assert view.rows[-1].level in ("PDPTE", "PDE")
    assert view.as_json()["mode"] == mode.name


def test_a_key_is_among_the_rights() -> None:
    rig = Rig()
    rig.map(HERE, 0x5000, PAGE | 5 << 59)
    assert walk_view(rig.inspector, LinearAddress(HERE)).result.endswith("user, write, execute, key 5")


def test_a_held_translation_says_size_pcid_and_stale() -> None:
    rig = Rig(of=tlbs(array(sizes="4K 2M", _1G="2M")))
    rig.map(1 << 30, 0, PAGE, 1 << 30)
    rig.set(pcid=3)
    rig.step(1 << 30)
    rig.set_entry(rig.tables.entry_address(LinearAddress(1 << 30), "PDPTE"), 0)
    view = walk_view(rig.inspector, LinearAddress((1 << 30) + 0x1000))
    assert view.lines()[-1] == "  ● L1D 4K/2M 0.0 frame 0x1 UWX 2M of 1G PCID 3 ≠ stale"
