# SPDX-License-Identifier: GPL-2.0-or-later
"""What if a bit or a switch were otherwise: two copies run on, and the first difference stands side by side."""

from collections.abc import Callable

import pytest

from emu.lesson import parting
from emu.tui.screens.sheet import SheetScreen
from emu.tui.screens.what_if import WhatIfScreen
from tests.tui.conftest import Sit, Sitting, held
from tests.tui.test_who_why import sheet


async def suppose(sitting: Sitting, change: str, span: str = "") -> None:
    """Ask what if, for `span` instructions, and wait for the answer."""
    await sitting.pilot.press("f", *change)
    if span:
        await sitting.pilot.press("tab", "end", *["backspace"] * 8, *span)
    await sitting.press("enter")
    await sitting.press()


async def test_a_flipped_bit_is_refused_where_the_run_was_not(sit: Sit) -> None:
    async with sit() as sitting:
        here = sitting.at
        await suppose(sitting, "rw", "9000")
        text = " ".join(sheet(sitting).split())
        assert "What if RW of PTE[003] were turned over now?" in text
        assert "events alike, then they part" in text
        assert "✗" in text and "has R/W = 0" in text
        await sitting.press("escape")
        assert sitting.at == here, "the machine in view was left alone"


async def test_a_bit_by_its_number_is_the_same_bit(sit: Sit) -> None:
    async with sit() as sitting:
        await suppose(sitting, "1", "9000")
        assert "What if RW of PTE[003]" in sheet(sitting)


async def test_a_switch_of_the_kernel_changes_the_run_from_the_boot_on(sit: Sit) -> None:
    async with sit() as sitting:
        await suppose(sitting, "ukshm.guard=off", "end")
        text = " ".join(sheet(sitting).split())
        assert "What if ukshm.guard had been off, not on?" in text
        assert "then they part" in text
        assert "the console, from the first line that differs" in text


async def test_what_changes_nothing_says_so(sit: Sit) -> None:
    async with sit() as sitting:
        await suppose(sitting, "9", "2")
        assert "No difference in what happened" in sheet(sitting)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("nonsense", "is no bit"),
        ("64", "is no bit"),
        ("ukshm.guard=maybe", "has no value"),
        ("ukshm.gard=on", "ukshm.guard"),
    ],
)
async def test_what_cannot_be_otherwise_is_one_line(change: str, said: str, sit: Sit) -> None:
    async with sit() as sitting:
        await suppose(sitting, change)
        assert not isinstance(sitting.app.screen, SheetScreen)
        assert said in sitting.title


async def test_a_span_that_is_no_number_is_refused_in_the_dialogue(sit: Sit) -> None:
    async with sit() as sitting:
        await suppose(sitting, "rw", "soon")
        assert isinstance(sitting.app.screen, WhatIfScreen)
        assert "give a number, or end" in str(sitting.app.screen.query_one("#what-if-error").render())
        await sitting.press("escape")
        assert sitting.app.screen is sitting.screen


async def test_nothing_is_supposed_before_it_is_predicted(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "f")
        assert sitting.app.screen is sitting.screen
        assert "predict first" in sitting.title


async def test_a_long_what_if_ends_with_escape(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = held(monkeypatch, parting, "part")
    async with sit() as sitting:
        await sitting.pilot.press("f", "r", "w", "enter")
        await sitting.pilot.pause()
        assert sitting.screen.busy
        await sitting.pilot.press("escape")
        pressed.set()
        await sitting.app.settled()
        await sitting.pilot.pause()
        assert sitting.app.screen is sitting.screen
        assert "stopped" in sitting.title


async def test_the_parting_looks_as_it_did(sit: Sit, same_picture: Callable[[str, str], None]) -> None:
    async with sit() as sitting:
        await suppose(sitting, "rw", "9000")
        await sitting.looks_as_it_did("parting", same_picture)


async def test_the_dialogue_looks_as_it_did(sit: Sit, same_picture: Callable[[str, str], None]) -> None:
    async with sit() as sitting:
        await sitting.pilot.press("f", *"ukshm.g")
        await sitting.pilot.pause(0.3)
        await sitting.looks_as_it_did("what-if", same_picture)
