# SPDX-License-Identifier: GPL-2.0-or-later
"""Every lab: its starter is wrong in just the taught way, and its solution is the kernel's own file."""

import shutil
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from emu import resources
from emu.lesson.lab import Lab
from emu.lesson.lab_folder import SOLUTION, STARTER, lab_names, make_lab
from emu.lesson.lab_kernel import COMPILES
from emu.lesson.model import Lesson, course, find_lesson
from emu.lesson.run import LessonRun
from emu.lesson.scenario import Scenario, load_scenario

LABS = {lesson.id: lesson for lesson in course() if lab_names(lesson)}
TAUGHT = {
    "stale": ("    *entry = 0;", "    return old;"),
    "neighbour": ("OBSERVABLE uint64_t ukshm_page_new(int pid)", "}"),
}
"""The lines that a lab's starter and solution have in common before and behind what the student is to write."""
MISSED = {
    "stale": {
        "between the unmapping and the program's next instruction the TLB was told of it",
        "when ring 3 runs again, no TLB holds the window",
        "no access of ring 3 went through a stale entry",
        "the late store was a page fault, and the program paid for it",
        "and the kernel's text is the kernel's",
        "no stale entry had a part in that",
    },
    "neighbour": {
        "the buffer begins where its page begins",
        "the kernel's books say what the frame is: shared",
        "whoever takes pages back passes it by",
        "the checker finds nothing of the kernel's within reach of ring 3",
        "`spy` finds nothing that is not its own",
        "a page that somebody else had before shows nothing of it",
        "four pages are four frames",
    },
}
"""The checks that a starter fails."""


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    pytest.importorskip("ziglang", reason="compiling the labs needs pagewalk[guest]")


def lab_run(lesson: Lesson, folder: Path | None) -> LessonRun:
    """The lesson's lab alone, run once."""
    steps = tuple(step for step in load_scenario(lesson).steps if step.lab)
    run = LessonRun(lesson, Scenario(lambda lab: None, steps), Lab(), folder)
    next(run)
    return run


def failed(run: LessonRun) -> set[str]:
    return {check.message for check in run.done[-1].page.checks if not check.holds}


def said(run: LessonRun) -> str:
    return "\n".join(str(item) for item in run.done[-1].page.items)


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A student's folder for the lab of "stale"."""
    make_lab(LABS["stale"], tmp_path / "stale")
    return tmp_path / "stale"


def write(folder: Path, code: str) -> None:
    """The student writes `code` where the comment was."""
    path = folder / "kernel" / "ukshm_unmap.c"
    text = path.read_text()
    start, end = text.index("    /*\n     * LAB"), text.index("    return old;")
    path.write_text(text[:start] + code + text[end:])


@pytest.mark.parametrize("name", LABS)
def test_a_solution_is_the_file_of_the_kernel_that_is_shipped(name: str) -> None:
    lesson = LABS[name]
    for file in lab_names(lesson):
        ours = (lesson.folder / SOLUTION / file).read_bytes()
        assert ours == (resources.guest_sources() / file).read_bytes(), file


@pytest.mark.parametrize("name", LABS)
def test_a_starter_differs_from_its_solution_only_where_the_student_writes(name: str) -> None:
    lesson = LABS[name]
    (file,) = lab_names(lesson)
    old, new = ((lesson.folder / part / file).read_text().splitlines() for part in (STARTER, SOLUTION))
    changes = [
        code for code in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    first, last = min(code[1] for code in changes), max(code[2] for code in changes)
    before, behind = TAUGHT[name]
    assert before in old[:first] and behind in old[last:]
    assert sum(line.startswith("OBSERVABLE") for line in old[first:last]) == 0
    assert "LAB:" in "\n".join(old[first:last])


@pytest.mark.long
@pytest.mark.parametrize("name", LABS)
def test_a_starter_fails_what_it_lacks_and_its_solution_passes(name: str) -> None:
    lesson = LABS[name]
    starter = lab_run(lesson, lesson.folder / STARTER)
    assert starter.error is None and starter.points == 0
    assert failed(starter) == MISSED[name]
    solution = lab_run(lesson, lesson.folder / SOLUTION)
    assert failed(solution) == set()
    assert solution.points == solution.done[0].step.points > 0


@pytest.mark.long
def test_an_invalidation_before_the_entry_is_cleared_is_found(stale: Path) -> None:
    path = stale / "kernel" / "ukshm_unmap.c"
    write(stale, "")
    path.write_text(
        path.read_text().replace("    *entry = 0;\n", "    invalidate_page(proc, linear);\n    *entry = 0;\n")
    )
    run = lab_run(LABS["stale"], stale)
    assert failed(run) == {
        "whenever the TLB was told, the PTE was clear already: no walk could fill it again"
    }
    assert "First memory, then the TLB" in said(run)


@pytest.mark.long
def test_a_load_of_cr3_is_safe_and_commented_on(stale: Path) -> None:
    write(stale, "    invalidate_space(proc);\n")
    run = lab_run(LABS["stale"], stale)
    assert failed(run) == set()
    assert "It is safe, and expensive" in said(run)


@pytest.mark.long
def test_a_page_that_is_never_given_back_is_a_failed_check(stale: Path) -> None:
    write(stale, "    invalidate_page(proc, linear);\n    return 0;\n")
    missed = failed(lab_run(LABS["stale"], stale))
    assert "the frame went back to the free list: `ukshm_unmap_page` says which one it was" in missed


@pytest.mark.long
def test_a_kernel_that_panics_is_a_failed_check_and_the_lab_can_be_run_again(stale: Path) -> None:
    write(stale, '    panic("no more");\n')
    run = lab_run(LABS["stale"], stale)
    assert run.error is None
    assert "your kernel runs to the end of what this step does with it" in failed(run)
    write_solution(stale)
    assert run.again().passed and run.points == 4 and len(run.done) == 1


def write_solution(folder: Path) -> None:
    shutil.copyfile(
        LABS["stale"].folder / SOLUTION / "kernel" / "ukshm_unmap.c", folder / "kernel" / "ukshm_unmap.c"
    )


def test_a_compile_error_is_shown_with_its_line_and_as_text(stale: Path) -> None:
    write(stale, "    forget(linear);  // \x1b[31m\n")
    run = lab_run(LABS["stale"], stale)
    assert failed(run) == {COMPILES}
    assert "kernel/ukshm_unmap.c:19:5: error: " in said(run) and "'forget'" in said(run)
    assert "\x1b" not in said(run) and "/tmp" not in said(run).partition("compiler says")[2]
    assert run.error is None


def test_without_a_folder_the_lab_says_how_to_make_it_and_earns_nothing(tmp_path: Path) -> None:
    run = lab_run(LABS["stale"], tmp_path / "stale")
    assert "`pagewalk lab stale" in said(run)
    assert run.done[0].idle and run.passed and run.points == 0 and not run.done[0].page.checks


def test_without_a_compiler_the_lab_names_the_extra_and_earns_nothing(
    stale: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ziglang", None)
    run = lab_run(LABS["stale"], stale)
    assert "pip install 'pagewalk[guest]'" in said(run)
    assert run.done[0].idle and run.passed and run.points == 0


def test_a_file_that_is_missing_or_leads_elsewhere_is_one_line(stale: Path, tmp_path: Path) -> None:
    lesson = find_lesson("stale")
    (stale / "extra.c").write_text("")
    file = stale / "kernel" / "ukshm_unmap.c"
    write_solution(stale)
    assert "extra.c: no file of this lab" in said(lab_run(lesson, stale))
    file.rename(tmp_path / "away.c")
    file.symlink_to(tmp_path / "away.c")
    run = lab_run(lesson, stale)
    assert "leads out of the lab's folder" in said(run) and failed(run) == {"the lab's files are all there"}
