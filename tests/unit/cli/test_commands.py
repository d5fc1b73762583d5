# SPDX-License-Identifier: GPL-2.0-or-later
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from emu.cli import app as app_module
from emu.cli.app import main, make_app
from emu.cli.errors import BAD_INPUT, one_line
from emu.cli.guest_run import switches_from
from emu.cli.output import table
from tests.unit.cli.conftest import Pagewalk

COMMANDS = [
    "lab",
    "learn",
    "lessons",
    "run",
    "walk",
    "check",
    "geometries",
    "serve",
    "bench",
    "doctor",
    "trace show",
    "trace diff",
    "trace stats",
    "trace export",
    "guest build",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(pagewalk: Pagewalk, command: str) -> None:
    said = pagewalk(*command.split(), "--help")
    assert said.code == 0
    assert f"Example: pagewalk {command.split()[0]}" in said.out
    assert said.out.startswith(f"Usage: pagewalk {command}")


def test_every_command_is_in_the_list_above() -> None:
    top = {name for name in make_app() if not name.startswith("-")}
    assert top == {command.split()[0] for command in COMMANDS}


@pytest.mark.parametrize("name", sorted(BAD_INPUT))
def test_what_counts_as_bad_input_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(import_module(module), kind), Exception)


def test_version_names_every_part(pagewalk: Pagewalk) -> None:
    lines = pagewalk("--version").out.splitlines()
    assert [line.rpartition(" ")[0] for line in lines] == [
        "pagewalk",
        "unicorn",
        "python",
        "textual",
        "guest image",
    ]


def test_doctor_names_each_part_and_never_raises(pagewalk: Pagewalk, monkeypatch: pytest.MonkeyPatch) -> None:
    import emu.cpu.engine_state as state

    names = ["engine", "guest image", "lessons", "screen", "terminal", "ziglang", "QEMU", "folders"]
    said = pagewalk("doctor")
    assert [line[4:].split("  ")[0].strip() for line in said.out.splitlines()[1:]] == names
    monkeypatch.setattr(state, "verify", lambda: 1 // 0)
    said = pagewalk("doctor")
    assert said.code == 1
    assert "NO  engine" in said.out


def test_one_c_file_is_compiled_beside_itself_and_runs(pagewalk: Pagewalk, tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="compiling needs pagewalk[guest]")
    source = tmp_path / "mine.c"
    source.write_text('#include "ulib.h"\nint main(void) { say("mine"); return 7; }\n')
    said = pagewalk("guest", "build", source)
    assert said.code == 0
    built = pagewalk("run", tmp_path / "mine", "--status", "--json")
    assert (built.code, built.json["program"], built.json["exit"]) == (7, "mine", 0)
    assert pagewalk("run", source, "--status").code == 7


def test_a_mistake_of_ours_is_one_line(pagewalk: Pagewalk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(app_module, "_call", broken)
    said = pagewalk("run", "hello")
    assert said.code == 70
    assert said.errors.count("\n") == 1 and "please report it" in said.errors and "two lines" in said.errors


def test_the_screen_is_handed_the_lesson(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    overrun = SimpleNamespace(id="overrun")

    class Screen:
        def run_lesson(
            self,
            lesson: object,
            *,
            at: str | None,
            tlb: str | None,
            seed: int | None,
            cpu: str | None,
            lab: Path | None,
        ) -> int:
            asked.append((lesson, at, tlb, seed, cpu, lab))
            return 0

        def svg_pictures(self, lesson: object, folder: Path) -> list[Path]:
            asked.append((lesson, folder))
            return [folder / "one.svg"]

    monkeypatch.setattr("emu.lesson.model.find_lesson", lambda name: overrun)
    monkeypatch.setattr("emu.cli.learn.draws", lambda: True)
    assert main(["learn", "overrun", "--tlb", "pentium3", "--seed", "4"], Screen()) == 0
    assert main(["learn", "overrun", "--svg", str(tmp_path / "new")], Screen()) == 0
    assert asked == [(overrun, None, "pentium3", 4, None, Path("overrun")), (overrun, tmp_path / "new")]
    assert capsys.readouterr().out == f"{tmp_path / 'new' / 'one.svg'}\n"


def test_a_terminal_that_draws_nothing_is_told_of_the_plain_lesson(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emu.cli.lessons.on_terminal", lambda: True)
    monkeypatch.setattr("emu.cli.learn.on_terminal", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert main(["learn", "overrun"]) == 2
    assert "TERM is dumb; give --plain" in capsys.readouterr().err


def test_switches_are_pairs_and_the_value_may_hold_an_equals_sign() -> None:
    assert switches_from(["a=b", "c=d=e", "f="]) == {"a": "b", "c": "d=e", "f": ""}


def test_a_table_is_as_wide_as_it_needs_to_be() -> None:
    assert table([("a", "bb"), ("ccc", "d")]) == "a    bb\nccc  d"


def test_one_line_shows_control_characters() -> None:
    assert one_line("a\n b\x1b\u202e") == "a b\\x1b\\u202e"


def test_the_course_is_listed_and_alone_without_a_terminal_too(pagewalk: Pagewalk) -> None:
    rows = pagewalk("lessons", "--json").json["lessons"]
    assert all(set(row) == {"id", "title", "minutes", "needs", "progress"} for row in rows)
    assert "overrun" in [row["id"] for row in rows]
    listed = pagewalk("lessons")
    assert all(row["title"] in listed.out for row in rows)
    assert pagewalk() == listed


def test_a_step_that_does_not_exist_has_near_names(pagewalk: Pagewalk) -> None:
    said = pagewalk("learn", "overrun", "--at", "first-stor")
    assert said.code == 2
    assert "first-store" in said.errors and said.errors.count("\n") == 1


def test_a_lesson_on_screen_needs_a_terminal(pagewalk: Pagewalk) -> None:
    said = pagewalk("learn", "overrun")
    assert said.code == 2
    assert "--plain" in said.errors
