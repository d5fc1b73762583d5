# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's console as a place to type at: reading waits, typing wakes, and going back types again."""

import pytest

from emu.lesson import Call, Kind, Lab, LabError, happened

SETTLED = 50_000
"""Instructions after which a process that can only wait does."""
RING = 512


@pytest.fixture
def lab() -> Lab:
    """`echo` waits for a line."""
    lab = Lab()
    lab.boot("echo")
    lab.run_until(Call("console_read"))
    lab.step(SETTLED)
    return lab


def state(lab: Lab) -> str:
    process = lab.inspector.process_named("echo")
    assert process is not None
    return process.state


def said(lab: Lab) -> list[str]:
    return [line for line in bytes(lab.machine.console).decode().splitlines() if line.startswith("2:")]


def test_a_read_of_an_empty_console_waits(lab: Lab) -> None:
    assert state(lab) == "waiting"
    assert lab.evaluate("input_typed").python == 0
    assert said(lab) == []


def test_typing_wakes_the_reader_by_the_interrupt_of_com1(lab: Lab) -> None:
    lab.type("hello\n")
    lab.run_until(happened(Kind.INTERRUPT, vector=32 + 4))
    lab.step(SETTLED)
    assert said(lab) == ["2: you typed 'hello'"]
    assert state(lab) == "waiting"


def test_half_a_line_is_taken_and_the_rest_waited_for(lab: Lab) -> None:
    lab.type("hel")
    lab.step(SETTLED)
    assert (state(lab), said(lab)) == ("waiting", [])
    assert lab.value("input_read") == 3
    lab.type("lo\n")
    lab.step(SETTLED)
    assert said(lab) == ["2: you typed 'hello'"]


def test_what_was_typed_before_the_kernel_ran_is_not_lost() -> None:
    lab = Lab()
    lab.boot("echo")
    lab.type("early\nquit\n")
    lab.run_to_exit()
    assert said(lab) == ["2: you typed 'early'", "2: goodbye"]


def test_more_than_the_kernel_keeps_waits_outside_until_there_is_room(lab: Lab) -> None:
    lines = [f"number {number:03}" for number in range(2 * RING // 10)]
    lab.type("\n".join(lines) + "\n")
    lab.run_until(lambda event: event.kind is Kind.PORT and lab.value("input_typed") == RING)
    assert lab.machine.uart.waiting
    lab.type("quit\n")
    lab.run_to_exit(limit=10_000_000)
    assert said(lab) == [f"2: you typed '{line}'" for line in lines] + ["2: goodbye"]
    assert not lab.machine.uart.waiting


def test_a_program_that_nobody_types_to_is_idle_for_ever() -> None:
    lab = Lab()
    lab.boot("echo")
    ended = lab.run_to_exit()
    assert ended is not None
    assert ended.text.startswith("idle for ever")


def test_going_back_and_forth_types_the_same_again(lab: Lab) -> None:
    waiting = lab.machine.journal.insn
    lab.type("hello\n")
    lab.step(SETTLED)
    lab.type("quit\n")
    lab.run_to_exit()
    console, end = bytes(lab.machine.console), lab.machine.journal.insn
    lab.machine.seek(waiting - 1)
    assert said(lab) == []
    lab.machine.seek(end)
    assert bytes(lab.machine.console) == console
    assert said(lab) == ["2: you typed 'hello'", "2: goodbye"]


def test_another_future_has_only_what_is_typed_in_it(lab: Lab) -> None:
    waiting = lab.machine.journal.insn
    lab.step(1)
    lab.type("one, and much more than comes later\n")
    lab.step(SETTLED)
    lab.step_back(lab.machine.journal.insn - waiting)
    assert said(lab) == []
    lab.type("two\nquit\n")
    lab.run_to_exit()
    assert said(lab) == ["2: you typed 'two'", "2: goodbye"]
    end = lab.machine.journal.insn
    lab.machine.seek(waiting)
    lab.machine.seek(end)
    assert said(lab) == ["2: you typed 'two'", "2: goodbye"]


def test_a_fork_was_typed_to_as_well(lab: Lab) -> None:
    lab.type("hello\n")
    lab.step(SETTLED)
    assert lab.compare(lab.fork()).same


def test_control_characters_come_as_they_were_typed(lab: Lab) -> None:
    lab.type("a\x1b[2Jb\x00c\n")
    lab.step(SETTLED)
    assert said(lab)[0].startswith("2: you typed 'a\x1b[2Jb")
    lab.type("\n")
    ended = lab.run_to_exit()
    assert ended is not None
    assert ended.code == 0x10


def test_nothing_typed_at_all_is_said_when_a_scenario_waits_for_more(lab: Lab) -> None:
    with pytest.raises(LabError, match="idle for ever"):
        lab.run_until(Call("exit_process"))


def test_who_waits_for_ever_can_still_be_killed() -> None:
    lab = Lab()
    lab.boot("echo")
    lab.run_to_exit()
    lab.kill("echo")
    ended = lab.run_to_exit()
    assert ended is not None and ended.code == 0x10
