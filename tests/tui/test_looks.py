# SPDX-License-Identifier: GPL-2.0-or-later
"""Dark and light, no colour, no UTF-8, another size; the screen as files; Pagewalk's own source; the hint ladder."""

import re
from pathlib import Path

import pytest

from emu.lesson.pages import Question
from emu.lesson.progress import ProgressStore
from emu.tui.ascii import has_utf8, plain_letter
from emu.tui.export import save_screen
from emu.tui.host import text_rows
from emu.tui.page import ladder
from emu.tui.screens.sheet import SheetScreen
from emu.tui.style import STYLES
from emu.tui.themes import variables
from emu.tui.widgets.panel import Panel
from tests.tui.conftest import Sit


async def test_the_theme_is_remembered(sit: Sit, tmp_path: Path) -> None:
    async with sit(boots=False, store=ProgressStore(tmp_path)) as sitting:
        assert sitting.app.theme == "pagewalk-dark"
        await sitting.pilot.press("T")
        assert sitting.app.theme == "pagewalk-light"
    async with sit(boots=False, store=ProgressStore(tmp_path)) as sitting:
        assert sitting.app.theme == "pagewalk-light"
        await sitting.pilot.press("T")
    assert ProgressStore(tmp_path).progress.theme == "dark"


def test_both_themes_know_every_role() -> None:
    assert set(STYLES["dark"]) == set(STYLES["light"])
    assert set(variables("dark")) == set(variables("light"))


async def test_without_colour_the_picture_is_grey(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with sit() as sitting:
        await sitting.press("]", "c")
        inside = sitting.picture().partition('class="terminal-matrix"')[0].rpartition("<style>")[2]
        colours = re.findall(r"-r\d+ \{[^}]*fill: #(\w{6})", inside)
        colours = [c for c in colours if c != "c5c8c6"]  # the picture's own, for cells without a style
        assert len(colours) > 5
        assert all(c[:2] == c[2:4] == c[4:] for c in colours), colours


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
async def test_without_utf8_every_letter_is_plain(
    locale: str, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    async with sit() as sitting:
        await sitting.press("]", "c")
        text = "\n".join(text_rows(sitting.app.screen))
        assert text.isascii()
        assert "X PTE" in text, "the refusal keeps its mark"
        assert "+-" in text and "|" in text


def test_a_locale_that_says_nothing_is_taken_to_have_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert has_utf8()
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert has_utf8()


def test_marks_that_mean_different_things_stay_different_in_plain_letters() -> None:
    marks = "●◐○·≠✗✓−+"
    assert len({plain_letter(mark) for mark in marks}) == len(marks)


async def test_a_terminal_resized_in_the_middle_gets_another_layout_and_loses_nothing(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]")
        for size in ((60, 20), (160, 48), (80, 24), (120, 36)):
            await sitting.pilot.resize_terminal(*size)
            await sitting.pilot.pause()
            shown = [p for p in sitting.screen.query(Panel) if p.display]
            assert bool(shown) is (size != (60, 20))
        told = str(sitting.screen.query_one("#too-small").render())
        assert "at least 80 x 24; this one is 60 x 20" in told
        assert "--plain" in told and "leave with q" in told
        await sitting.press("c")
        assert sitting.screen.steps[1].answers == [2]


async def test_where_the_terminal_is_too_small_no_key_does_what_nobody_sees(sit: Sit) -> None:
    async with sit((70, 20)) as sitting:
        await sitting.press("]", "c", "R", "y", "h")
        assert sitting.app.screen is sitting.screen
        assert (sitting.screen.step, sitting.screen.state.page.hint) == (0, 0)
        await sitting.pilot.resize_terminal(80, 24)
        await sitting.press("]")
        assert sitting.screen.step == 1


# -- the screen as files ----------------------------------------------------------------------------------------------


async def test_x_saves_the_screen_as_picture_and_text_and_says_where(
    sit: Sit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with sit() as sitting:
        await sitting.press("x", "x")
        said = [n.message for n in sitting.app._notifications]
    folder = tmp_path / "pagewalk-screens"
    assert sorted(p.name for p in folder.iterdir()) == [
        "small-1-01.svg",
        "small-1-01.txt",
        "small-1-02.svg",
        "small-1-02.txt",
    ]
    assert str(folder / "small-1-01.svg") in said[0]
    assert "1 lesson" in (folder / "small-1-01.txt").read_text("utf-8")
    assert "<svg" in (folder / "small-1-01.svg").read_text("utf-8")


def test_where_one_may_not_write_the_next_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    folders = (tmp_path / "file" / "screens", tmp_path / "other")
    assert save_screen("a", "<svg/>", ["row"], folders).parent == tmp_path / "other"
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        save_screen("a", "<svg/>", ["row"], folders[:1])


# -- Pagewalk's own source --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "name"),
    [([], "Mmu.translate"), (["]", "c"], "check"), (["]", "c", "E"], "walk")],
    ids=["a hit", "a refusal", "a miss"],
)
async def test_p_shows_the_function_that_decided(keys: list[str], name: str, sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press(*keys)
        await sitting.pilot.press("p")
        await sitting.pilot.pause()
        assert isinstance(sitting.app.screen, SheetScreen)
        title = str(sitting.app.screen.query_one("#sheet").border_title)
        assert title.endswith(f"{name} decided this")
        text = str(sitting.app.screen.query_one("#sheet-text").render())
        assert f"def {name.rpartition('.')[2]}(" in text
        await sitting.pilot.press("p")
        await sitting.pilot.pause()
        assert sitting.app.screen is sitting.screen


# -- hints ------------------------------------------------------------------------------------------------------------


async def test_each_h_is_another_rung_of_the_ladder(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "h")
        assert "hint 1 of 2" in sitting.text("lesson")
        assert "It is not" not in sitting.text("lesson")
        await sitting.press("h", "h")
        assert "hint 2 of 2 It is not b." in sitting.text("lesson")
        assert sitting.screen.state.page.open is not None, "a hint never answers"


@pytest.mark.parametrize(("choices", "answer"), [(2, 0), (3, 0), (4, 3), (5, 2)])
def test_the_ladder_never_leaves_only_the_answer(choices: int, answer: int) -> None:
    question = Question("Which?", tuple("abcde"[:choices]), answer, "Look.\n\nLook again.")
    rungs = ladder(question)
    assert rungs[:2] == ["Look.", "Look again."]
    gone = {rung[-2] for rung in rungs[2:]}
    assert "abcde"[answer] not in gone
    assert len(gone) == choices - 2
