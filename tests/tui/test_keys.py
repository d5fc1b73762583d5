# SPDX-License-Identifier: GPL-2.0-or-later
"""Each key, pressed: forwards, back, to events, to lines, to lesson steps, and out."""

from dataclasses import replace
from pathlib import Path

import pytest

from emu.lesson.model import LessonError, load_lesson
from emu.lesson.pages import Question
from emu.tui.app import PagewalkApp, svg_pictures
from emu.tui.screens.address import AddressScreen
from emu.tui.screens.help import HelpScreen
from emu.tui.screens.stage import Stage
from tests.tui.conftest import HERE, Sit


async def test_a_step_back_and_a_step_forward_end_where_they_began(sit: Sit) -> None:
    async with sit() as sitting:
        start = sitting.at
        await sitting.press("S")
        assert sitting.at < start
        assert "REWOUND" in str(sitting.text("timeline")) or sitting.screen.has_class("rewound")
        await sitting.press("s")
        assert sitting.at == start
        assert not sitting.screen.has_class("rewound")


async def test_b_goes_back_while_no_question_is_open(sit: Sit) -> None:
    async with sit() as sitting:
        start = sitting.at
        await sitting.press("b", "b")
        assert sitting.at[0] == start[0] - 2


async def test_stepping_back_over_the_fault_stops_before_and_at_it(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        fault = sitting.at
        assert "refused" in sitting.text("walk")
        await sitting.press("S")
        assert sitting.at[0] == fault[0], "the refused instruction is not done: only the delivery was undone"
        assert sitting.at[1] < fault[1]
        assert "refused" not in sitting.text("walk")
        await sitting.press("s")
        assert sitting.at == fault
        assert "refused" in sitting.text("walk")


async def test_nobody_steps_past_what_the_lesson_has_run(sit: Sit) -> None:
    async with sit() as sitting:
        start = sitting.at
        await sitting.press("s", "n", "e")
        assert sitting.at == start


async def test_lines_go_forwards_and_back_in_the_ring_of_the_cursor(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c", "S")
        lines: list[int] = []
        for key in ("N", "N", "n"):
            await sitting.press(key)
            snapshot = sitting.screen.snapshot
            assert snapshot is not None
            assert snapshot.ring == 3
            lines.append(snapshot.code.number)
        assert lines == [27, 26, 27]
        await sitting.press("n")
        assert "refused" in sitting.text("walk"), "no line comes after the refused one: that is now"


async def test_events_go_back_and_forwards(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        fault = sitting.at
        await sitting.press("E")
        first_store = sitting.at
        assert first_store < fault
        assert "TLB miss" in sitting.text("walk")
        await sitting.press("e")
        assert sitting.at == fault


async def test_what_lies_ahead_of_the_cursor_stays_hidden(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c")
        assert "✗ ▌now" in sitting.text("timeline")
        await sitting.press("S")
        assert "✗ ▌now" not in sitting.text("timeline")
        assert sitting.text("timeline").endswith("now, more lies ahead")


async def test_home_and_end_go_to_the_step_s_start_and_to_now(sit: Sit) -> None:
    async with sit() as sitting:
        first = sitting.at
        await sitting.press("]", "c")
        now = sitting.at
        await sitting.press("home")
        assert sitting.at == first
        await sitting.press("end")
        assert sitting.at == now


async def test_w_walks_entry_by_entry_and_ends_with_the_whole_walk(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c", "w")
        assert sitting.text("walk").count("▒▒▒") >= 3
        await sitting.press("w", "w", "w")
        assert "✗ PTE" in sitting.text("walk")
        await sitting.press("w")
        assert "why" in sitting.text("walk")
        await sitting.press("W")
        assert sitting.screen.entry == 3


async def test_a_walk_shown_before_a_question_is_open_and_one_behind_it_is_covered(sit: Sit) -> None:
    question = Question("Which?", ("this", "that"), 1, "Look at the walks.")
    async with sit() as sitting:
        state = sitting.screen.steps[0]
        shown = state.page.items
        state.page = replace(state.page, items=(*shown, question), open=question)
        sitting.screen.show()
        assert "look: window" in sitting.text("walk") and "▒▒▒" not in sitting.text("walk")
        state.page = replace(state.page, items=(question, *shown))
        sitting.screen.show()
        assert "▒▒▒" in sitting.text("walk")


async def test_an_open_question_covers_results_until_it_is_answered(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]")
        assert "▒▒▒" in sitting.text("walk")
        before = sitting.at
        await sitting.press("]", "s")
        assert sitting.at == before, "nothing goes on without an answer"
        await sitting.press("g")
        assert "predict first" in sitting.title, "a walk would be the answer"
        await sitting.press("h")
        assert "What lies behind the window" in " ".join(sitting.text("lesson").split())
        await sitting.press("b")
        assert sitting.screen.steps[1].answers == [1], "b is an answer now, not a step back"
        assert "✗ b)" in sitting.text("lesson")
        assert "✓ c)" in sitting.text("lesson")
        assert "▒▒▒" not in sitting.text("walk")


async def test_brackets_go_through_the_lesson_and_back(sit: Sit) -> None:
    async with sit() as sitting:
        first = sitting.at
        await sitting.press("]", "c", "[")
        assert (sitting.screen.step, sitting.at) == (0, first)
        assert "One page, two addresses" in sitting.text("lesson")
        await sitting.press("l")
        assert sitting.screen.step == 1
        await sitting.press("]", "]")
        assert sitting.screen.step == 2


async def test_v_shows_the_walks_of_the_lesson_one_after_the_other(sit: Sit) -> None:
    async with sit() as sitting:
        assert "look: window" in sitting.text("walk"), "it begins with the walk that was shown first"
        await sitting.press("v")
        assert "direct map" in sitting.text("walk")
        await sitting.press("v")
        assert "look" not in sitting.text("walk")
        await sitting.press("v")
        assert "look: window" in sitting.text("walk")


async def test_g_walks_an_address_that_the_student_names(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.pilot.press("g")
        assert isinstance(sitting.app.screen, AddressScreen)
        await sitting.pilot.press(*"length", "enter")
        await sitting.pilot.pause()
        assert "look: length" in sitting.text("walk")
        await sitting.pilot.press("g", *"nowhere", "enter")
        await sitting.pilot.pause()
        assert "look: length" in sitting.text("walk"), "a name that is not there changes nothing"


async def test_digits_show_one_panel_alone_and_escape_all(sit: Sit) -> None:
    async with sit((80, 24)) as sitting:
        for key, panel in (("5", "frames"), ("9", "registers"), ("0", "timeline")):
            await sitting.press(key)
            shown = [p.id for p in sitting.screen.query("Panel") if p.display]
            assert shown == [panel]
        await sitting.press("escape")
        assert [p.id for p in sitting.screen.query("Panel") if p.display] == ["lesson", "walk"]


async def test_t_shows_the_next_array_that_holds_anything(sit: Sit) -> None:
    async with sit() as sitting:
        before = sitting.screen.array
        await sitting.press("t")
        assert sitting.screen.array != before


async def test_help_and_the_palette_open_and_close(sit: Sit) -> None:
    async with sit(boots=False) as sitting:
        await sitting.pilot.press("question_mark")
        assert isinstance(sitting.app.screen, HelpScreen)
        await sitting.pilot.press("escape")
        assert sitting.app.screen is sitting.screen
        await sitting.pilot.press("ctrl+p")
        await sitting.pilot.pause()
        assert sitting.app.screen is not sitting.screen


async def test_a_terminal_that_is_too_small_gets_one_sentence(sit: Sit) -> None:
    async with sit((60, 20), boots=False) as sitting:
        assert not [p for p in sitting.screen.query("Panel") if p.display]
        assert "at least 80 x 24" in str(sitting.screen.query_one("#too-small").render())


@pytest.mark.parametrize("keys", [[], ["]"], ["]", "c", "S"]], ids=["at once", "at a question", "rewound"])
async def test_q_leaves_from_anywhere(keys: list[str], sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press(*keys)
        await sitting.pilot.press("q")
        await sitting.pilot.pause()
        assert not sitting.app.is_running
    sitting.screen.teacher._thread.join(5)
    assert not sitting.screen.teacher._thread.is_alive(), "the worker has ended too"


async def test_at_begins_at_a_later_step_and_asks_and_shows_nothing_before(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, str]] = []
    show = Stage.show

    def watched(stage: Stage) -> None:
        told.append((stage.step, stage.state.page.status))
        show(stage)

    monkeypatch.setattr(Stage, "show", watched)
    async with sit(at="ending") as sitting:
        await sitting.app.settled()
        assert {step for step, _ in told} == {2}, "the steps before are not shown as they pass"
        words = [status for n, (_, status) in enumerate(told) if n == 0 or told[n - 1][1] != status]
        way = [f"running the steps before this one: {n} of 2 ..." for n in (1, 2)]
        assert words == ["booting the machine ...", *way, ""]
        assert sitting.screen.steps[1].answers == [None]
        assert "rip" in sitting.text("console")


def test_a_step_that_is_not_there_is_refused_before_the_screen_opens() -> None:
    with pytest.raises(LessonError, match="no step"):
        PagewalkApp(load_lesson(HERE / "lesson"), at="nowhere")


def test_every_step_has_its_picture(tmp_path: Path) -> None:
    made = svg_pictures(load_lesson(HERE / "lesson"), tmp_path / "pictures")
    assert [p.name for p in made] == ["01-shared.svg", "02-past-the-end.svg", "03-ending.svg"]
    assert all("<svg" in p.read_text("utf-8") for p in made)


async def test_a_scenario_that_breaks_is_one_line_on_the_page(sit: Sit, tmp_path: Path) -> None:
    for name in ("lesson.toml", "lesson.md", "scenario.py"):
        text = (HERE / "lesson" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("lab.run_until(Kind.FAULT)", "1 / 0"), "utf-8")
    async with sit(lesson=load_lesson(tmp_path)) as sitting:
        await sitting.press("]", "a")
        assert "broke off: line" in " ".join(sitting.text("lesson").split())
        await sitting.press("]", "S")
        assert sitting.app.is_running
