# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine on the real guest kernel: the same run every time, in pieces, and back and forth."""

import random
from functools import cache

import pytest

from emu.events import ConsoleWritten, Event
from emu.machine import Ending, Machine, Stop
from emu.tlb.geometry import Geometry
from tests.helpers.bench import array, tlbs
from tests.helpers.kernel import Trace, boot
from tests.helpers.stub import CODE, DATA, DATA_FRAME, Guest

BUDGET = 20_000_000
ONE_ENTRY = tlbs(array(serves="both", sizes="4K 2M", entries=1))
SLOW = pytest.mark.long
GEOMETRIES = pytest.mark.parametrize(
    "tlb",
    ["haswell", pytest.param("pentium3", marks=SLOW), pytest.param(ONE_ENTRY, marks=SLOW)],
    ids=["haswell", "pentium3", "one"],
)
PROGRAMS = pytest.mark.parametrize(
    "program", ["overrun", "selfmod", pytest.param("family", marks=pytest.mark.nightly)]
)


@cache
def straight(program: str, tlb: Geometry | str) -> str:
    machine = boot(program, tlb)
    trace = Trace(machine)
    machine.run(BUDGET)
    assert machine.ended is not None
    assert machine.ended.ending is Ending.EXITED
    return trace.digest()


def test_two_runs_of_one_boot_give_the_same_bytes() -> None:
    assert straight.__wrapped__("overrun", "haswell") == straight("overrun", "haswell")


def test_another_tlb_gives_other_bytes() -> None:
    assert straight("overrun", "haswell") != straight("overrun", "pentium3")


@PROGRAMS
@GEOMETRIES
def test_a_run_in_random_pieces_equals_the_straight_one(program: str, tlb: Geometry | str) -> None:
    chance = random.Random(7)
    machine = boot(program, tlb)
    trace = Trace(machine)
    while machine.ended is None:
        machine.run(chance.choice((1, 1, 2, 3, 7, 50, 400, 3000, 20_000)))
    assert trace.digest() == straight(program, tlb)


@PROGRAMS
@GEOMETRIES
def test_a_run_back_and_forth_ends_in_the_state_and_trace_of_the_straight_one(
    program: str, tlb: Geometry | str
) -> None:
    chance = random.Random(11)
    machine = boot(program, tlb, keep_history=True)
    trace = Trace(machine)
    turns = 16
    while machine.ended is None:
        machine.run(chance.choice((100, 3000, 20_000, 50_000)))
        if turns and chance.random() < 0.4:
            turns -= 1
            machine.step_back(chance.choice((1, 2, 500, 30_000, 200_000)))
            trace.forget_from(machine.journal.seq)
    while turns:
        turns -= 1
        machine.seek(chance.choice((machine.journal.insn // 3, min(40_000, machine.journal.insn))))
        trace.forget_from(machine.journal.seq)
        machine.run(chance.randrange(1, 60_000))
    machine.run(BUDGET)
    assert trace.digest() == straight(program, tlb)


def test_what_a_fetch_evicts_is_asked_for_again_at_once() -> None:
    """With one entry every load evicts the code and every fetch the data: straight or in steps, the same misses."""
    code = f"mov ecx, 50; mov rbx, {DATA}; again: mov rax, [rbx]; nop; mov [rbx + 8], rax; dec ecx; jnz again; hlt"
    counts = []
    for chunk in (1, 10_000):
        guest = Guest(code, tlb=ONE_ENTRY)
        while guest.machine.ended is None:
            guest.machine.run(chunk)
        counts.append(guest.machine.mmu.counters.report(0, guest.machine.geometry.cost))
    assert counts[0] == counts[1]
    assert counts[0]["DTLB_LOAD_MISSES.WALK_COMPLETED_4K"] >= 50
    assert counts[0]["DTLB_STORE_MISSES.WALK_COMPLETED_4K"] >= 50


@pytest.mark.parametrize("tlb", ["haswell", pytest.param(ONE_ENTRY, marks=SLOW)], ids=["haswell", "one"])
def test_what_is_reported_is_the_same_in_a_replay(tlb: Geometry | str) -> None:
    machine = boot("hello", tlb, keep_history=True)
    trace = Trace(machine)
    machine.run(90_000)
    first = list(trace.events)
    machine.seek(40_000)
    trace.forget_from(machine.journal.seq)
    assert trace.events == first[: len(trace.events)]
    machine.run(90_000 - 40_000)
    assert trace.events == first


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 100, 1000])
def test_the_engine_counts_the_instructions_that_the_journal_counts(count: int) -> None:
    """At a count stop the engine has begun one more than it finished."""
    machine = boot("hello")
    machine.run(60_000)
    cpu, journal = machine.cpu, machine.journal
    compared = 0
    engine_run = cpu.engine.run

    def run(rip: int, wanted: int) -> int:
        nonlocal compared
        before = journal.insn
        status = engine_run(rip, wanted)
        if status == 0 and cpu._pending is None and not cpu._stopping:
            assert cpu.engine.counters.begun - 1 == journal.insn - before == wanted
            compared += 1
        return status

    cpu.engine.run = run  # type: ignore[method-assign]
    for _ in range(200):
        machine.run(count)
    assert compared > 20


def test_a_run_stops_exactly_where_it_was_asked_to() -> None:
    machine = boot("hello")
    for count in (1, 10, 12_345):
        before = machine.journal.insn
        assert machine.run(count) is Stop.LIMIT
        assert machine.journal.insn == before + count


def test_a_run_stops_before_an_instruction_and_goes_on_from_there() -> None:
    guest = Guest("nop; nop; nop; int3")
    assert guest.machine.run_until(100, {CODE + 2}) is Stop.BREAK
    assert (guest.rip, guest.executed) == (CODE + 2, 2)
    guest.run()
    assert guest.vector == 3


def test_a_stop_before_an_instruction_the_cpu_must_look_at_does_not_hide_it() -> None:
    guest = Guest("jmp there; .org 0x1000; there: rdrand eax; int3")
    assert guest.machine.run_until(100, {CODE + 0x1000}) is Stop.BREAK
    guest.run()
    assert guest.vector == 6


def test_a_run_stops_after_an_event_that_was_wanted() -> None:
    machine = boot("hello")
    seen: list[Event] = []

    def wants(event: Event) -> bool:
        if isinstance(event, ConsoleWritten):
            seen.append(event)
        return isinstance(event, ConsoleWritten)

    assert machine.run_until(BUDGET, wants=wants) is Stop.BREAK
    assert len(seen) == 1
    assert machine.journal.insn - seen[0].insn <= 1


def test_a_step_back_undoes_one_instruction() -> None:
    guest = Guest("mov eax, 1; mov eax, 2; mov eax, 3; hlt", keep_history=True)
    machine = guest.machine
    machine.step(3)
    assert guest.reg("rax") == 3
    machine.step_back()
    assert (guest.reg("rax"), guest.executed) == (2, 2)
    machine.step_back(2)
    assert (guest.executed, guest.rip) == (0, CODE)
    machine.step()
    assert guest.reg("rax") == 1


def test_a_step_back_from_the_end_lets_the_guest_live_again() -> None:
    guest = Guest("nop; nop; hlt", keep_history=True)
    assert guest.run() is not None
    guest.machine.step_back(2)
    assert guest.machine.ended is None
    ended = guest.run()
    assert ended is not None
    assert ended.ending is Ending.IDLE_FOR_EVER


def test_a_machine_without_history_says_that_it_cannot_go_back() -> None:
    guest = Guest("nop; nop; hlt")
    guest.machine.step(2)
    with pytest.raises(ValueError, match="it keeps no history"):
        guest.machine.step_back()


def test_an_input_is_applied_again_in_every_replay() -> None:
    guest = Guest("again: inc rbx; jmp again", keep_history=True, data={DATA_FRAME: b"before"})
    machine = guest.machine
    machine.run(1000)
    machine.input("poke", DATA_FRAME, b"after!")
    machine.run(1000)
    at = machine.journal.insn
    machine.step_back(1500)
    assert machine.memory.buffer[DATA_FRAME : DATA_FRAME + 6] == b"before"
    machine.run(at - machine.journal.insn)
    assert machine.memory.buffer[DATA_FRAME : DATA_FRAME + 6] == b"after!"


def test_an_input_in_the_past_makes_another_future() -> None:
    guest = Guest("again: inc rbx; jmp again", keep_history=True)
    machine = guest.machine
    machine.run(1000)
    machine.input("poke", DATA_FRAME, b"first")
    machine.run(1000)
    machine.step_back(1500)
    machine.input("poke", DATA_FRAME, b"other")
    machine.run(2000)
    assert machine.memory.buffer[DATA_FRAME : DATA_FRAME + 5] == b"other"
    assert [entry.data for entry in machine.inputs] == [b"other"]


def test_code_that_was_rewritten_is_the_old_code_again_after_going_back() -> None:
    guest = Guest("mov eax, 1; mov byte ptr [rip + there + 1], 7; there: mov ebx, 5; hlt", keep_history=True)
    machine: Machine = guest.machine
    for _ in range(3):
        guest.run()
        machine.seek(guest.first_insn)
        machine.step(2)
        machine.step_back(2)
        assert guest.rip == CODE
    guest.run()
    assert guest.reg("rbx") == 7
