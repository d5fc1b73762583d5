# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Pagewalk = Callable[..., Any]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_lab_is_copied_with_a_word_on_what_to_do(pagewalk: Pagewalk) -> None:
    said = pagewalk("lab", "stale")
    assert said.code == 0
    assert "edit stale/kernel/ukshm_unmap.c" in said.out and "pagewalk learn stale" in said.out
    assert sorted(path.name for path in Path().rglob("*.*")) == ["README.txt", "ukshm_unmap.c"]
    assert "LAB:" in Path("stale/kernel/ukshm_unmap.c").read_text()
    assert max(map(len, Path("stale/README.txt").read_text().splitlines())) <= 80


def test_a_lab_in_another_folder_names_it_to_learn(pagewalk: Pagewalk) -> None:
    assert "pagewalk learn neighbour --lab mine" in pagewalk("lab", "neighbour", "mine").out


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_there_is_never_overwritten(pagewalk: Pagewalk, make: Callable[[Path], None]) -> None:
    make(Path("stale"))
    said = pagewalk("lab", "stale")
    assert said.code == 2
    assert said.errors == "pagewalk: stale is there already, and is not overwritten; name another folder\n"


def test_a_folder_that_cannot_be_made_leaves_nothing(pagewalk: Pagewalk) -> None:
    said = pagewalk("lab", "stale", "no/such/place")
    assert said.code == 2 and said.errors.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_lesson_without_a_lab_names_those_that_have_one(pagewalk: Pagewalk) -> None:
    for said in (pagewalk("lab", "walk"), pagewalk("learn", "walk", "--lab", "x", "--plain")):
        assert said.code == 2
        assert "lesson walk has no lab; these have one: neighbour, stale" in said.errors


def test_learn_refuses_a_folder_that_is_no_lab(pagewalk: Pagewalk) -> None:
    Path("mine").mkdir()
    said = pagewalk("learn", "stale", "--lab", "mine", "--plain")
    assert said.code == 2
    assert "mine: no lab of this lesson: it has no kernel/ukshm_unmap.c" in said.errors
    assert "pagewalk lab stale gone" in pagewalk("learn", "stale", "--lab", "gone", "--plain").errors


def test_a_lab_called_as_its_lesson_does_not_hide_the_lesson(pagewalk: Pagewalk) -> None:
    pagewalk("lab", "stale")
    assert "stale is there already" in pagewalk("lab", "stale").errors
