# SPDX-License-Identifier: GPL-2.0-or-later
"""A student goes through the whole course on screen, answers right and wrong, and wanders back and forth at random."""

from random import Random

import pytest

from emu.lesson.model import Lesson, course
from emu.lesson.pages import LETTERS, Question
from emu.tui.page import page_lines
from emu.tui.screens.stage import StepState
from emu.view.prose import prose_lines
from emu.view.snapshot import Snapshot
from emu.view.spans import plain
from tests.tui.conftest import Sit, Sitting

WANDERINGS = ("s", "S", "n", "N", "e", "E", "shift+left", "shift+right", "w", "home", "end")
STEPS_A_STOP = 5
WIDE = 400
USUAL = ("overrun",)
"""What every run of the tests goes through; the whole course takes minutes, and is for the night."""

Moments = dict[tuple[int, int, int], Snapshot]


def lessons() -> list[object]:
    """The course, all but a little of it for the night."""
    return [
        pytest.param(
            lesson, id=lesson.id, marks=pytest.mark.long if lesson.id in USUAL else pytest.mark.nightly
        )
        for lesson in course()
    ]


def look(sitting: Sitting, moments: Moments) -> None:
    """Whoever comes to a moment again finds it as it was."""
    past = sitting.screen.past
    assert past is not None
    here = (past.head.boot, *past.at)
    assert past.look(None) == moments.setdefault(here, past.look(None)), here


async def wander(sitting: Sitting, random: Random, moments: Moments) -> None:
    for key in random.choices(WANDERINGS, k=STEPS_A_STOP):
        await sitting.press(key)
        look(sitting, moments)


async def answer(sitting: Sitting, random: Random) -> bool:
    """Answer the open question, every other time right; whether it was."""
    question = sitting.screen.state.page.open
    assert question is not None
    choice = question.answer
    if random.random() < 0.5:
        choice = (choice + 1) % len(question.choices)
        await sitting.press("h")
    await sitting.press(LETTERS[choice])
    return choice == question.answer


def right_answers(state: StepState) -> int:
    """How many of a step's questions its page marks as answered right."""
    questions = [item for item in state.page.items if isinstance(item, Question)]
    return sum(q.answer == given for q, given in zip(questions, state.page.answers, strict=True))


@pytest.mark.parametrize("lesson", lessons())
async def test_a_lesson_is_walked_to_its_end_and_every_moment_stays_as_it_was(
    lesson: Lesson, sit: Sit
) -> None:
    random, moments = Random(lesson.id), Moments()
    async with sit(lesson=lesson) as sitting:
        screen, right = sitting.screen, 0
        stands: dict[int, tuple[int, int]] = {}
        while True:
            page = screen.state.page
            assert not page.error, page.error
            if screen.past is not None:
                await wander(sitting, random, moments)
                await sitting.press("end")
                look(sitting, moments)
            if page.open is not None:
                right += await answer(sitting, random)
                continue
            assert page.done
            if screen.step + 1 == len(screen.steps):
                break
            await sitting.press("]")
        assert right == sum(map(right_answers, screen.steps))
        for state, step in zip(screen.steps, lesson.steps, strict=True):
            rows = [plain(row) for row in page_lines(state.page, WIDE)]
            afterwards = lesson.section(step).afterwards
            said = [plain(row) for row in prose_lines(afterwards, WIDE)][:1]
            is_untouched_lab = (
                lesson.folder.joinpath("starter").exists() and afterwards not in state.page.items
            )
            assert [rows.count(row) for row in said] == [int(not is_untouched_lab) for _ in said]
        back = list(range(len(screen.steps) - 1))
        for key in [*("[" for _ in back), *("]" for _ in back)]:
            await sitting.press(key)
            look(sitting, moments)
            assert sitting.at == stands.setdefault(screen.step, sitting.at)
