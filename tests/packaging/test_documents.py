# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents say what is true of the tree: links lead somewhere, the version is one, files carry their licence."""

import re
import tomllib
from pathlib import Path

import pytest

import emu
from emu.lesson.lab_folder import lab_names
from emu.lesson.model import course

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_newest_in_the_changelog() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", read("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == PROJECT["version"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_to_a_file(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", read(name)):
        assert (ROOT / target).exists(), f"{name} links to {target}"


@pytest.mark.parametrize("package", PROJECT["dependencies"], ids=lambda text: re.split(r"[<>=]", text)[0])
def test_the_notice_names_every_dependency(package: str) -> None:
    assert f"\n| {re.split(r'[<>=]', package)[0]} " in read("NOTICE.md")


def test_the_licence_is_the_full_text_of_the_gpl() -> None:
    text = read("LICENSE")
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "Version 2, June 1991" in text
    assert "END OF TERMS AND CONDITIONS" in text


def source_files() -> list[Path]:
    rooms = ("emu", "guest", "lessons", "tests")
    files = [path for room in rooms for path in (ROOT / room).rglob("*") if "out" not in path.parts]
    return [path for path in files if path.suffix in (".py", ".c", ".h", ".S", ".ld", ".tcss")]


def test_every_source_file_starts_with_its_licence() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in source_files()
        if "SPDX-License-Identifier: GPL-2.0-or-later" not in path.read_text(encoding="utf-8")[:200]
    ]
    assert bare == []


def test_the_readme_has_one_line_for_the_course_and_one_for_the_tests() -> None:
    lines = [line for line in read("README.md").splitlines() if line.startswith("python3 -m venv")]
    assert [lines[0].endswith("/pagewalk"), "-m pytest" in lines[1], len(lines)] == [True, True, 2]


def test_the_readme_lists_the_lessons_of_the_course_and_says_which_have_a_lab() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", read("README.md"), re.MULTILINE)
    assert [name for name, _ in rows] == [lesson.id for lesson in course()]
    assert {name for name, about in rows if "with a lab" in about} == {
        lesson.id for lesson in course() if lab_names(lesson)
    }


def test_the_package_is_typed() -> None:
    assert (Path(emu.__file__).parent / "py.typed").is_file()
