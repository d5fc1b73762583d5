# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.cli import guest_run
from emu.cli.version import image_sha256
from emu.cpu import model
from emu.tlb.presets import DEFAULT
from emu.trace.reader import read_trace
from tests.unit.cli.conftest import Pagewalk

OVERRUN_KILLED = 128 + 14


def test_the_console_is_on_stdout_and_the_summary_on_stderr(pagewalk: Pagewalk) -> None:
    said = pagewalk("run", "hello", "one", "two")
    assert said.code == 0
    assert said.out.startswith("0: pagewalk kernel")
    assert "2: " in said.out and "two" in said.out
    assert said.errors.startswith("hello: exited, status 0; the guest ended in order")
    assert "instructions" in said.errors and "page faults 3" in said.errors


def test_json_is_one_object_with_the_names_of_the_contract(pagewalk: Pagewalk) -> None:
    said = pagewalk("run", "overrun", "--json")
    answer = said.json
    assert set(answer) == {"program", "exit", "status", "console", "geometry", "image_sha256", "counters"}
    assert (answer["program"], answer["exit"], answer["status"]) == ("overrun", 0, OVERRUN_KILLED)
    assert answer["geometry"] == DEFAULT == guest_run.GEOMETRY
    assert guest_run.CPU == model.DEFAULT
    assert answer["image_sha256"] == image_sha256()
    assert answer["console"].endswith("\n") and "2: killed: page fault" in answer["console"]
    assert answer["counters"]["page_faults"] == 7
    assert said.code == 0


def test_two_runs_say_the_same(pagewalk: Pagewalk) -> None:
    assert pagewalk("run", "two", "--json") == pagewalk("run", "two", "--json")


@pytest.mark.parametrize(
    ("words", "status"),
    [(["overrun"], OVERRUN_KILLED), (["overrun", "99999"], 1), (["hello"], 0)],
    ids=["killed by a page fault: 128 and its vector", "a program that failed", "a program that did not"],
)
def test_status_passes_the_programs_own_on(pagewalk: Pagewalk, words: list[str], status: int) -> None:
    assert pagewalk("run", *words, "--status").code == status
    assert pagewalk("run", *words).code == 0


def test_a_switch_changes_what_happens(pagewalk: Pagewalk) -> None:
    answer = pagewalk("run", "overrun", "--set", "ukshm.guard=off", "--json").json
    assert answer["status"] == 0
    assert "16 bytes of my own data are lost" in answer["console"]


def test_a_smaller_cpu_has_less_to_turn_on(pagewalk: Pagewalk, tmp_path: Path) -> None:
    trace = tmp_path / "hello.jsonl"
    whole = pagewalk("run", "hello", "--json").json
    small = pagewalk("run", "hello", "--json", "--cpu", "full,-smap,-smep", "--trace", str(trace)).json
    assert small["console"] == whole["console"]
    assert small["counters"]["instructions"] < whole["counters"]["instructions"], "no STAC, no CLAC"
    header, _ = read_trace(trace)
    assert header.cpu == "full,-smap,-smep"


@pytest.mark.parametrize(
    ("cpu", "says"),
    [
        ("haswel", "no CPU model 'haswel'; did you mean haswell?"),
        ("full,-smpe", "no feature 'smpe'; did you mean smep"),
        (
            "pentium3",
            "--cpu pentium3 has no long mode (lm), and kernel.elf is a 64-bit kernel; choose a CPU with lm",
        ),
    ],
)
def test_a_cpu_that_cannot_be_is_one_line(pagewalk: Pagewalk, cpu: str, says: str) -> None:
    for command in (["run", "hello"], ["walk", "hello", "0"]):
        said = pagewalk(*command, "--cpu", cpu)
        assert said.code == 2
        assert says in said.errors
        assert said.errors.count("\n") == 1


def test_a_lesson_on_a_cpu_that_does_not_exist_is_one_line(pagewalk: Pagewalk) -> None:
    said = pagewalk("learn", "overrun", "--plain", "--cpu", "vax")
    assert (said.code, said.out) == (2, "")
    assert "no CPU model 'vax'" in said.errors


def test_another_geometry_counts_other_misses_of_the_same_run(pagewalk: Pagewalk) -> None:
    one = pagewalk("run", "copy", "1", "--json").json
    other = pagewalk("run", "copy", "1", "--json", "--tlb", "pentium3").json
    assert other["geometry"] == "pentium3"
    assert other["console"] == one["console"]
    name = "DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"
    assert other["counters"][name] > one["counters"][name]


def test_more_memory_is_seen_by_the_guest(pagewalk: Pagewalk) -> None:
    assert "64 MiB of memory" in pagewalk("run", "hello", "--memory", "64").out


def test_an_argument_with_a_hyphen_stands_behind_two(pagewalk: Pagewalk) -> None:
    assert "-x" in pagewalk("run", "hello", "--", "-x").out


@pytest.mark.parametrize("kinds", ["mark,fault", "all"])
def test_a_trace_holds_the_kinds_asked_for(pagewalk: Pagewalk, tmp_path: Path, kinds: str) -> None:
    path = tmp_path / "t.jsonl"
    said = pagewalk("run", "hello", "--trace", path, "--kinds", kinds)
    assert said.errors.endswith(f"trace: {path}\n")
    found = set(pagewalk("trace", "stats", path, "--json").json["kinds"])
    assert found == {"mark", "fault"} if kinds == "mark,fault" else found >= {"access", "mark", "tlb_fill"}


def test_a_trace_changes_nothing_of_the_run(pagewalk: Pagewalk, tmp_path: Path) -> None:
    traced = pagewalk("run", "overrun", "--json", "--trace", tmp_path / "t", "--kinds", "all")
    assert traced.json == pagewalk("run", "overrun", "--json").json


def test_what_the_guest_prints_cannot_move_the_cursor() -> None:
    from emu.cli.output import GuestText

    text = GuestText()
    printed = text(b"a\tb\x1b[2J\r\xc3") + text(b"\xa9\xff\x9b\n", last=True)
    assert printed == "a\tb\\x1b[2J\\ré\\xff\\x9b\n"


def test_a_disk_is_read_never_written_and_named_in_the_trace_without_its_folder(
    pagewalk: Pagewalk, tmp_path: Path
) -> None:
    disk, trace = tmp_path / "d.img", tmp_path / "t.jsonl"
    disk.write_bytes(b"x" * 1024)
    disk.chmod(0o400)
    assert pagewalk("run", "hello", "--disk", disk, "--trace", trace).code == 0
    header, _ = read_trace(trace)
    assert header.files == {"disk": "d.img"}
    assert disk.read_bytes() == b"x" * 1024
