# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen at three sizes, in both themes and in several states. Somebody looked at each of these pictures."""

from collections.abc import Callable

import pytest

from tests.tui.conftest import SIZES, Sit

STATES = {
    "question": ["]"],
    "hint": ["]", "h"],
    "fault": ["]", "c"],
    "rewound": ["]", "c", "S", "S"],
    "entry": ["]", "c", "w", "w"],
    "ended": ["]", "c", "]"],
    "shown": ["v"],
    "selected": ["tab", "tab", "tab", "down", "down"],
    "why": ["]", "c", "up", "y"],
    "until": ["u", "p"],
    "go-to": ["g"],
}


@pytest.mark.parametrize("state", STATES)
async def test_the_screen_looks_as_it_did(
    state: str, sit: Sit, same_picture: Callable[[str, str], None]
) -> None:
    async with sit() as sitting:
        await sitting.press(*STATES[state])
        await sitting.looks_as_it_did(state, same_picture)


async def test_the_text_is_there_before_the_machine(
    sit: Sit, same_picture: Callable[[str, str], None]
) -> None:
    async with sit(boots=False) as sitting:
        await sitting.looks_as_it_did("start", same_picture)


async def test_the_help_names_every_key(sit: Sit, same_picture: Callable[[str, str], None]) -> None:
    async with sit(boots=False) as sitting:
        await sitting.pilot.press("question_mark")
        await sitting.pilot.pause()
        await sitting.looks_as_it_did("help", same_picture)


@pytest.mark.parametrize(
    ("name", "variable", "value"), [("no-colour", "NO_COLOR", "1"), ("ascii", "LC_ALL", "C")]
)
async def test_a_poor_terminal_shows_it_all_the_same(
    name: str,
    variable: str,
    value: str,
    sit: Sit,
    same_picture: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    async with sit() as sitting:
        await sitting.press("]", "c")
        await sitting.looks_as_it_did(name, same_picture)


@pytest.mark.parametrize(
    ("key", "panel"), [("3", "tlb"), ("5", "frames"), ("8", "spaces"), ("9", "registers")]
)
async def test_a_panel_alone_is_whole_on_a_small_terminal(
    key: str, panel: str, sit: Sit, same_picture: Callable[[str, str], None]
) -> None:
    async with sit(SIZES["80x24"]) as sitting:
        await sitting.press("]", "c", key)
        same_picture(f"{panel}-80x24", sitting.picture())


async def test_two_pictures_of_one_state_are_the_same(sit: Sit) -> None:
    pictures: list[str] = []
    for _ in range(2):
        async with sit() as sitting:
            await sitting.press("]")
            pictures.append(sitting.picture())
    assert pictures[0] == pictures[1]
    assert "http" not in pictures[0].replace("http://www.w3.org", "").replace("https://www.textualize.io", "")
