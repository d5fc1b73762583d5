# SPDX-License-Identifier: GPL-2.0-or-later
"""A lesson as it lies on disk: metadata, and prose cut into sections. Reading one starts no machine.

The scenario, which is Python, is loaded by `emu.lesson.scenario`, and run by `emu.lesson.run`.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emu import resources
from emu.guest.near import did_you_mean, shown

FORMAT_VERSION: Final = 1
STEP_HEADING: Final = "## Step:"
AFTERWARDS: Final = "### Afterwards"
_MOST_TEXT_BYTES: Final = 1 << 20
_ID_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_KEYS: Final[dict[str, type]] = {
    "format_version": int,
    "id": str,
    "title": str,
    "author": str,
    "minutes": int,
    "needs": list,
    "program": str,
    "areas": list,
    "points": int,
    "hints": bool,
}
_KIND_WORDS: Final = {int: "a whole number", str: "a text", list: "a list of texts", bool: "true or false"}


class LessonError(Exception):
    """A lesson cannot be used. One line: what, where, and the mend."""


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of the lesson's prose. `step` is the id of the step it belongs to, None for an introduction or a close.

    `title` is its heading without marks; `text` is the Markdown below the heading. What stands behind a line
    "### Afterwards" is `afterwards`: the runner puts it at the end of the step's page, when all has been shown.
    """

    step: str | None
    title: str
    text: str
    afterwards: str = ""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson's metadata and prose.

    `minutes` is how long a student takes, `needs` the ids of lessons to take before, `program` the guest program,
    `areas` the areas whose TLB fills belong to the golden trace, `points` what all steps give together, `hints`
    whether a student may see the hint of a question before answering.
    """

    id: str
    title: str
    author: str
    minutes: int
    needs: tuple[str, ...]
    program: str
    areas: tuple[str, ...]
    points: int
    hints: bool
    folder: Path
    sections: tuple[Section, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """The ids of the steps, in the order of the prose. Known before the scenario is loaded."""
        return tuple(section.step for section in self.sections if section.step is not None)

    @property
    def introduction(self) -> tuple[Section, ...]:
        """The sections before the first step."""
        first = next((i for i, section in enumerate(self.sections) if section.step is not None), None)
        return self.sections[:first]

    def section(self, step: str) -> Section:
        """The prose of a step. LessonError, with the near names, if there is none."""
        for section in self.sections:
            if section.step == step:
                return section
        raise LessonError(f"lesson {self.id}: no step {shown(step)!r}; {did_you_mean(step, self.steps)}")

    def after(self, step: str) -> tuple[Section, ...]:
        """The sections without a step that directly follow the section of `step`."""
        place = self.sections.index(self.section(step)) + 1
        rest = self.sections[place:]
        end = next((i for i, section in enumerate(rest) if section.step is not None), len(rest))
        return rest[:end]


def load_lesson(folder: Path) -> Lesson:
    """The lesson in `folder`. LessonError for every kind of damage to its metadata or its prose."""
    if not folder.is_dir():
        raise LessonError(f"lesson {folder}: no such folder; give a lesson's name or the folder of one")
    where = folder / "lesson.toml"
    fields = _metadata(where)
    sections = _sections(folder / "lesson.md")
    if not any(section.step for section in sections):
        raise LessonError(f'{folder / "lesson.md"}: no step; begin one with a line "{STEP_HEADING} its-id"')
    if not (folder / "scenario.py").is_file():
        raise LessonError(
            f"{folder / 'scenario.py'}: missing; write `setup(lab)` and a function for each step"
        )
    return Lesson(
        id=fields["id"],
        title=fields["title"],
        author=fields["author"],
        minutes=fields["minutes"],
        needs=tuple(fields["needs"]),
        program=fields["program"],
        areas=tuple(fields["areas"]),
        points=fields["points"],
        hints=fields["hints"],
        folder=folder,
        sections=sections,
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_TEXT_BYTES:
            raise LessonError(f"{path}: larger than 1 MiB; this is not a lesson's text")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LessonError(f"{path}: missing; a lesson is lesson.toml, lesson.md and scenario.py") from None
    except UnicodeDecodeError as error:
        raise LessonError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise LessonError(f"{path}: cannot be read ({error.strerror}); make it readable") from None


def _metadata(path: Path) -> dict[str, Any]:
    try:
        fields = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"{path}: not TOML ({error}); mend that line") from None
    for key in fields:
        if key not in _KEYS:
            raise LessonError(f"{path}: unknown key {shown(key)}; {did_you_mean(key, _KEYS)}")
    for key, kind in _KEYS.items():
        _check_value(path, fields, key, kind)
    if fields["format_version"] != FORMAT_VERSION:
        version = fields["format_version"]
        raise LessonError(f"{path}: format_version {version}; this Pagewalk reads version {FORMAT_VERSION}")
    if not fields["id"] or not set(fields["id"]) <= _ID_LETTERS:
        raise LessonError(f"{path}: id {fields['id']!r}; use small letters, digits and dashes")
    for key in ("minutes", "points"):
        if not 0 <= fields[key] <= 10_000:
            raise LessonError(f"{path}: {key} = {fields[key]}; give a number from 0 to 10000")
    return fields


def _check_value(path: Path, fields: dict[str, Any], key: str, kind: type) -> None:
    if key not in fields:
        raise LessonError(f"{path}: no {key}; add `{key} = ...`, {_KIND_WORDS[kind]}")
    value = fields[key]
    if type(value) is not kind or (kind is list and not all(isinstance(item, str) for item in value)):
        raise LessonError(f"{path}: {key} = {value!r}; give {_KIND_WORDS[kind]}")


def _sections(path: Path) -> tuple[Section, ...]:
    """The prose, cut at its headings of the first two levels. LessonError for a step that comes twice, or empty."""
    sections = [_section(path, heading, text) for heading, text in _cut(_text(path))]
    steps = [section.step for section in sections if section.step is not None]
    for step in steps:
        if steps.count(step) > 1:
            raise LessonError(f"{path}: two sections for step {step!r}; give each step one")
    return tuple(sections)


def _cut(text: str) -> Iterator[tuple[str, str]]:
    """(heading line, text below it) of each part; what stands before the first heading has none."""
    heading = ""
    body: list[str] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if fenced or not line.startswith(("# ", "## ")):
            body.append(line)
            continue
        if heading or "".join(body).strip():
            yield heading, "\n".join(body).strip()
        heading, body = line, []
    yield heading, "\n".join(body).strip()


def _section(path: Path, heading: str, text: str) -> Section:
    if not heading.startswith(STEP_HEADING):
        return Section(None, heading.lstrip("#").strip(), text)
    step = heading[len(STEP_HEADING) :].strip()
    if not step or not set(step) <= _ID_LETTERS:
        raise LessonError(f"{path}: step id {step!r}; use small letters, digits and dashes")
    text, _, afterwards = text.partition(f"\n{AFTERWARDS}\n")
    first, _, rest = text.partition("\n")
    if first.startswith("### "):
        return _with_prose(path, Section(step, first[4:].strip(), rest.strip(), afterwards.strip()))
    return _with_prose(
        path, Section(step, step.replace("-", " ").capitalize(), text.strip(), afterwards.strip())
    )


def _with_prose(path: Path, section: Section) -> Section:
    if not section.text:
        raise LessonError(f"{path}: step {section.step!r} has no prose; write what the student is to see")
    return section


def course(folder: Path | None = None) -> list[Lesson]:
    """The lessons of the course, or of another `folder`, in the order of their folders' names."""
    root = folder or resources.lessons()
    return [load_lesson(path.parent) for path in sorted(root.glob("*/lesson.toml"))]


def find_lesson(name: str) -> Lesson:
    """A lesson by id ("overrun"), by folder name ("08-overrun") or by path. LessonError with the near names.

    A lab of the lesson may lie in a folder called as the lesson is: the course goes before the folder.
    """
    path = Path(name)
    if "/" in name:
        return load_lesson(path)
    found = course()
    for lesson in found:
        if name in (lesson.id, lesson.folder.name):
            return lesson
    if path.is_dir():
        return load_lesson(path)
    raise LessonError(f"no lesson {shown(name)!r}: {did_you_mean(name, [lesson.id for lesson in found])}")
