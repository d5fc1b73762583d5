# SPDX-License-Identifier: GPL-2.0-or-later
"""Who wrote this entry, who filled that one, and why: by keys and by the mouse."""

from collections.abc import Callable

from textual.widgets import Static

from emu.events import Accessed, TlbFilled
from emu.tui.screens.sheet import SheetScreen
from emu.tui.widgets.panel import Panel
from emu.view.spans import link_at
from tests.tui.conftest import Sit, Sitting


def sheet(sitting: Sitting) -> str:
    assert isinstance(sitting.app.screen, SheetScreen)
    return str(sitting.app.screen.query_one("#sheet-text", Static).render())


async def click(sitting: Sitting, panel: str, wanted: Callable[[str], bool]) -> None:
    """Click on the first cell of a panel whose link is wanted."""
    found = sitting.screen.query_one(f"#{panel}", Panel)
    places = (
        (x, y)
        for y, row in enumerate(found._seen)
        for x in range(found.content_size.width)
        if wanted(link_at(row, x))
    )
    x, y = next(places)
    await sitting.pilot.click(found, offset=(x + 2, y + 1))
    await sitting.pilot.pause()
    await sitting.app.settled()


async def test_who_wrote_this_entry_goes_to_the_store_that_mapped_the_page(sit: Sit) -> None:
    async with sit() as sitting:
        window = sitting.screen.steps[0].page.items[0].linear  # type: ignore[union-attr]
        await sitting.press("o")
        past, snapshot = sitting.screen.past, sitting.screen.snapshot
        assert past is not None and snapshot is not None
        stores = [e for e in past.step_events if isinstance(e, Accessed) and e.type == "write"]
        assert len(stores) == 1 and stores[0].size == 8
        assert snapshot.ring == 0
        assert "PTE[" in sitting.title and "written by" in sitting.title
        after = sitting.screen.past.walk(f"{window:#x}")
        assert after.rows[-1].flags[0] == "P" and after.rows[-1].address == stores[0].physical, (
            "it mapped the window"
        )


async def test_asked_again_it_goes_to_the_write_before(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        await sitting.pilot.press("g", *"*window", "enter")
        await sitting.pilot.pause()
        await sitting.press("o")
        past = sitting.screen.past
        assert past is not None
        assert "the page walk set A and D" in sitting.title, "the program's first store did that"
        first = sitting.at
        await sitting.press("o")
        assert sitting.at < first
        assert "written by page_map" in sitting.title
        await sitting.press("o")
        assert "nobody before it" in sitting.title


async def test_an_entry_that_nobody_wrote_says_so_and_stays(sit: Sit) -> None:
    async with sit() as sitting:
        here = sitting.at
        await sitting.pilot.press("g", *"0xffffffff80100000", "enter")
        await sitting.press("down", "o")
        assert "nobody has written it since reset" in sitting.title or sitting.at < here


async def test_who_filled_goes_to_the_walk_behind_a_tlb_entry(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("O")
        past = sitting.screen.past
        assert past is not None
        assert any(isinstance(e, TlbFilled) for e in past.step_events)
        assert "filled here, by" in sitting.title
        assert "▸+" in sitting.text("tlb").replace(" ", ""), "the entry stays selected, and has just come"


async def test_the_arrows_select_tlb_entries_once_the_panel_is_active(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("tab", "tab", "tab")
        assert sitting.screen.active == "tlb"
        assert str(sitting.screen.query_one("#tlb").border_title).startswith("▸3")
        await sitting.press("down")
        first = sitting.screen.slot
        await sitting.press("down")
        assert first is not None and sitting.screen.slot != first
        await sitting.press("up")
        assert sitting.screen.slot == first
        await sitting.press("shift+tab")
        assert sitting.screen.active == "walk"


async def test_up_and_down_select_walk_entries_and_scroll_other_panels(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("down", "down")
        assert sitting.screen.entry == 1
        await sitting.press("up")
        assert sitting.screen.entry == 0
        await sitting.press("4", "down", "down")
        assert sitting.screen.query_one("#counters", Panel).top in (0, 2)


async def test_left_and_right_scrub_the_timeline(sit: Sit) -> None:
    async with sit() as sitting:
        now = sitting.at
        await sitting.press("shift+left")
        far = sitting.at
        for _ in range(10):
            await sitting.press("right")
        assert sitting.at == now
        for _ in range(10):
            await sitting.press("left")
        assert sitting.at == far
        await sitting.press("shift+right", "shift+right")
        assert sitting.at == now


async def test_why_says_a_sentence_for_each_event_of_the_instruction(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        await sitting.pilot.press("y")
        await sitting.pilot.pause()
        assert "#PF" in sheet(sitting) and "P = 0" in sheet(sitting)
        await sitting.pilot.press("y")
        await sitting.pilot.pause()
        assert sitting.app.screen is sitting.screen


async def test_why_of_an_entry_reads_it_bit_by_bit_and_lights_the_one_that_refused(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        assert "✗ PTE" in sitting.text("walk")
        assert "0x0000_0000           ✗ ··" in sitting.text("walk"), "P is lit where the entry refused"
        await sitting.press("up", "y")
        text = sheet(sitting)
        assert "✗      0  P        = 0" in text
        assert "Present: 0 makes every other bit software's own" in " ".join(text.split())


async def test_why_of_a_tlb_entry_says_how_it_came_and_whether_memory_agrees(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("tab", "tab", "tab", "down", "y")
        text = sheet(sitting)
        assert "walked by" in text and "Memory still says the same" in text
        assert "+  Filled" in text or "+  " in text


async def test_nothing_is_told_before_it_is_predicted(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "y")
        assert sitting.app.screen is sitting.screen
        assert "predict first" in sitting.title


async def test_a_click_selects_an_entry_of_the_walk(sit: Sit) -> None:
    async with sit() as sitting:
        await click(sitting, "walk", lambda link: link == "entry:2")
        assert (sitting.screen.active, sitting.screen.entry) == ("walk", 2)


async def test_a_click_selects_a_tlb_entry(sit: Sit) -> None:
    async with sit() as sitting:
        await click(sitting, "tlb", lambda link: link.startswith("slot:"))
        assert sitting.screen.active == "tlb"
        assert "O: who filled it?" in str(sitting.screen.query_one("#tlb").border_subtitle)


async def test_a_click_on_the_timeline_goes_there(sit: Sit) -> None:
    async with sit() as sitting:
        now = sitting.at
        await click(sitting, "timeline", lambda link: link.startswith("event:"))
        assert sitting.at < now
        assert sitting.screen.has_class("rewound")


async def test_a_click_answers(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]")
        await click(sitting, "lesson", lambda link: link == "choice:2")
        assert sitting.screen.steps[1].answers == [2]
