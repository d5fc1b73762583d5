# SPDX-License-Identifier: GPL-2.0-or-later
"""However a run ends - the guest's death, a budget, a reader who leaves, Ctrl-C - nothing is left half-done."""

import json
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from emu.net.captures import read_capture
from tests.bad_input.command import Command, press_ctrl_c, wait_for
from tests.bad_input.kernels import HALT_FOR_EVER, LOOP_FOR_EVER, ORDERLY_END, TRIPLE_FAULT, kernel

LESSON = """format_version = 1
id = "endless"
title = "Endless"
author = "nobody"
minutes = 1
needs = []
program = "forever"
areas = []
points = 1
hints = true
"""
SCENARIO = """from emu.lesson import Instruction, Lab, step

def setup(lab: Lab) -> None:
    lab.boot("forever")

@step("wait")
def wait(lab: Lab) -> None:
    lab.say("waiting begins")
    lab.run_until(Instruction(90_000_000))
"""


def test_a_guest_that_loops_ends_at_its_budget(pagewalk: Command) -> None:
    said = pagewalk("run", "forever", "--instructions", "300000")
    assert said.code == 4
    assert "2: looping for ever" in said.out
    assert "budget of 300,000 instructions ran out" in said.errors and "--instructions" in said.errors


def test_a_budget_is_in_the_json_too(pagewalk: Command) -> None:
    said = pagewalk("run", "forever", "--instructions", "300000", "--json")
    answer = json.loads(said.out)
    assert (said.code, answer["exit"], answer["status"]) == (4, 4, None)
    assert answer["counters"]["instructions"] == 300000


def test_a_guest_that_sleeps_for_ever_shows_its_last_events(pagewalk: Command) -> None:
    said = pagewalk("run", "halt")
    assert said.code == 3
    assert "idle for ever" in said.errors and "the last events" in said.errors
    assert said.errors.count(" insn ") >= 5


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        (TRIPLE_FAULT, 3, "triple fault"),
        (HALT_FOR_EVER, 3, "idle for ever"),
        (LOOP_FOR_EVER, 4, "budget"),
        (ORDERLY_END, 0, "ended in order"),
    ],
    ids=["a triple fault", "a halt without interrupts", "a loop", "an orderly end"],
)
def test_a_kernel_of_ones_own_ends_with(pagewalk: Command, code: bytes, exit_code: int, words: str) -> None:
    (pagewalk.folder / "k.elf").write_bytes(kernel(code))
    said = pagewalk("run", "--kernel", "k.elf", "--instructions", "200000", "--json")
    assert (said.code, json.loads(said.out)["exit"]) == (exit_code, exit_code), said
    assert words in said.errors
    assert "Traceback" not in said.errors


def test_a_triple_fault_shows_its_last_events(pagewalk: Command) -> None:
    (pagewalk.folder / "k.elf").write_bytes(kernel(TRIPLE_FAULT))
    said = pagewalk("run", "--kernel", "k.elf")
    assert said.code == 3
    assert "the last events" in said.errors and "fault: vector" in said.errors


@pytest.mark.parametrize(
    "arguments", [["run", "spin"], ["run", "overrun", "--json"], ["trace", "show", "t"], ["--help"]]
)
def test_a_reader_who_leaves_ends_it_quietly(pagewalk: Command, arguments: list[str]) -> None:
    assert pagewalk("run", "spin", "--trace", "t").code == 0
    process = pagewalk.start(*arguments)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0, errors
    assert "Traceback" not in errors and "Broken" not in errors


def test_a_reader_who_leaves_after_a_line_ends_it_quietly(pagewalk: Command) -> None:
    process = pagewalk.start("run", "forever", "--trace", "t", "--kinds", "all", "--instructions", "3000000")
    wait_for(process.stdout, "pagewalk kernel")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in errors
    assert pagewalk("trace", "stats", "t").code == 0


def test_ctrl_c_in_a_run_ends_it_with_130(pagewalk: Command) -> None:
    process = pagewalk.start("run", "forever")
    wait_for(process.stdout, "looping for ever")
    said = press_ctrl_c(process)
    assert said.code == 130
    assert len(said.lines) == 1 and said.lines[0].startswith("interrupted after")


def test_ctrl_c_leaves_a_capture_that_can_be_read(pagewalk: Command) -> None:
    request = (
        Ether(dst="52:54:00:12:34:56", src="02:00:0a:00:00:02") / IP(src="10.0.0.2", dst="10.0.0.1") / ICMP()
    )
    wrpcap(str(pagewalk.folder / "in.pcap"), [request] * 20_000)
    process = pagewalk.start(
        *("run", "udpecho", "--net-in", "in.pcap", "--net-pace", "closed", "--net-out", "out.pcap")
    )
    _wait_for_bytes(process, pagewalk.folder / "out.pcap")
    said = press_ctrl_c(process)
    assert said.code == 130
    sent = read_capture(pagewalk.folder / "out.pcap").arrivals
    assert 10 < len(sent) < 20_000


def test_ctrl_c_leaves_nothing_on_stdout_where_json_was_asked_for(pagewalk: Command) -> None:
    process = pagewalk.start("run", "forever", "--json", "--trace", "t")
    trace = pagewalk.folder / "t"
    _wait_for_bytes(process, trace)
    said = press_ctrl_c(process)
    assert (said.code, said.out) == (130, "")


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_ctrl_c_leaves_a_trace_that_can_be_read(pagewalk: Command, name: str) -> None:
    process = pagewalk.start("run", "forever", "--trace", name, "--kinds", "all")
    wait_for(process.stdout, "looping for ever")
    said = press_ctrl_c(process)
    assert said.code == 130
    assert "Traceback" not in said.errors and "Exception ignored" not in said.errors
    read = pagewalk("trace", "stats", name)
    assert read.code == 0, read.errors
    assert "access" in read.out


def test_ctrl_c_in_the_middle_of_reading_a_trace_is_130(pagewalk: Command) -> None:
    assert pagewalk("run", "overrun", "--trace", "t", "--kinds", "all").code == 0
    process = pagewalk.start("trace", "show", "t")
    wait_for(process.stdout, "access")
    process.send_signal(2)
    said = press_ctrl_c(process)
    assert said.code == 130
    assert said.errors == ""


def test_ctrl_c_in_an_export_leaves_no_half_file(pagewalk: Command) -> None:
    assert pagewalk("run", "overrun", "--trace", "t", "--kinds", "all").code == 0
    process = pagewalk.start("trace", "export", "t", "--to", "csv", "-o", "out.csv")
    while process.poll() is None and not list(pagewalk.folder.glob(".out.csv.*")):
        pass
    said = press_ctrl_c(process)
    assert said.code == 130, said
    assert sorted(path.name for path in pagewalk.folder.iterdir()) == ["t"]


def test_ctrl_c_in_a_lesson_as_text_is_130(pagewalk: Command) -> None:
    folder = _lesson(pagewalk.folder)
    process = pagewalk.start("learn", folder, "--plain")
    wait_for(process.stdout, "The wait")
    said = press_ctrl_c(process)
    assert said.code == 130
    assert "Traceback" not in said.errors and "Exception ignored" not in said.errors


def _lesson(folder: Path) -> Path:
    lesson = folder / "endless"
    lesson.mkdir()
    (lesson / "lesson.toml").write_text(LESSON)
    (lesson / "lesson.md").write_text(
        "# Endless\n\nOn and on.\n\n## Step: wait\n### The wait\n\nIt takes long.\n"
    )
    (lesson / "scenario.py").write_text(SCENARIO)
    return lesson


def _wait_for_bytes(process: "subprocess.Popen[str]", path: Path) -> None:
    while process.poll() is None and (not path.exists() or path.stat().st_size < 1000):
        pass
