# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""String instructions that do many iterations at once leave what they leave one by one."""

import sys
from types import FrameType

import pytest

from emu.bits import PAGE_BYTES
from emu.machine import Machine
from emu.tlb.geometry import Geometry
from tests.helpers.bench import array, tlbs
from tests.helpers.stub import CODE, CODE_FRAME, DATA, DATA_FRAME, DATA_TABLE, DIRECT, Guest, assemble
from tests.helpers.stub32 import DATA_AT_20000, Guest32
from tests.unit.cpu.test_system import timer

UNIFIED = tlbs(array(serves="both", entries=4), array(level=2, serves="both", entries=8))
SPLIT = tlbs(array(serves="load", entries=4), array(serves="store", entries=4), array(serves="instruction"))
BOTH_AGE = tlbs(
    array(serves="data", entries=4), array(serves="store", entries=4), array(serves="instruction")
)
GEOMETRIES = pytest.mark.parametrize(
    "tlb",
    ["haswell", "zen2", UNIFIED, SPLIT, BOTH_AGE],
    ids=["haswell", "zen2", "unified", "split", "both age"],
)
PATTERN = bytes((7 * n + n // 256) & 0xFF for n in range(2 * PAGE_BYTES))
ALIAS = 0x7000_0000
OTHER = DATA + 2 * PAGE_BYTES
SPACES = {ALIAS: (DATA_FRAME, 7)}


def everything(machine: Machine) -> tuple[object, ...]:
    """All that a run leaves: the moment, registers, memory, what every slot holds and how young it is."""
    arrays = [
        (array.clock, array.choices, [(str(slot.entry), slot.stamp, slot.filled) for slot in array])
        for array in machine.mmu.tlb.arrays
    ]
    context = machine.cpu.engine.context.save()
    registers = [context.gpr(number) for number in range(16)], context.rip
    counters = machine.mmu.counters.report(machine.journal.insn, machine.geometry.cost)
    return (
        machine.journal.state(),
        registers,
        machine.memory.buffer[:],
        counters,
        arrays,
        machine.memory.written,
    )


def run_by_ones(machine: Machine) -> None:
    """To the end, every instruction in a run of its own: nothing follows anything."""
    while machine.ended is None:
        machine.step()


CODES = {
    "STOSB": f"mov edi, {DATA + 3}; mov eax, 0x1a5; mov ecx, 9000; rep stosb",
    "STOSD": f"mov edi, {DATA + 4}; mov rax, 0x123456789abcdef0; mov ecx, 1500; rep stosd",
    "STOSQ": f"mov edi, {DATA}; mov rax, 0x123456789abcdef0; mov ecx, 1024; rep stosq",
    "elements across the boundary": f"mov edi, {DATA + 5}; mov rax, -2; mov ecx, 1200; rep stosq",
    "MOVSB": f"mov esi, {DATA}; mov edi, {OTHER + 9}; mov ecx, 5000; rep movsb",
    "MOVSD": f"mov esi, {DATA + 8}; mov edi, {OTHER}; mov ecx, 1100; rep movsd",
    "MOVSQ": f"mov esi, {DATA}; mov edi, {OTHER + 16}; mov ecx, 700; rep movsq",
    "down onto itself": f"mov esi, {DATA + 16}; mov edi, {DATA}; mov ecx, 800; rep movsq",
    "up onto itself by one": f"mov esi, {DATA}; mov edi, {DATA + 1}; mov ecx, 5000; rep movsb",
    "up onto itself by a few": f"mov esi, {DATA}; mov edi, {DATA + 160}; mov ecx, 800; rep movsq",
    "up onto itself under another address": f"mov esi, {ALIAS}; mov edi, {DATA + 160}; mov ecx, 400; rep movsq",
    "nowhere": f"mov esi, {DATA}; mov edi, {DATA}; mov ecx, 400; rep movsq",
    "backwards": f"std; mov esi, {DATA + 8184}; mov edi, {OTHER + 8184}; mov ecx, 800; rep movsq; cld",
    "words": f"mov edi, {DATA}; mov eax, 0x1a5; mov ecx, 2300; rep stosw",
    "32-bit addresses": f"mov edi, {DATA}; mov eax, 0x1a5; mov ecx, 2300; addr32 rep stosb",
    "none": f"mov edi, {DATA}; xor ecx, ecx; rep stosb",
    "few, again and again": f"mov ebx, 40; again: mov edi, {DATA}; mov ecx, 20; rep stosb; dec ebx; jnz again",
    "until a fault": f"mov edi, {DATA}; mov eax, 77; mov ecx, 20000; rep stosb",
    "a jump to itself": "mov ecx, 300; again: loop again",
}


@GEOMETRIES
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_it_leaves_what_single_steps_leave(code: str, tlb: Geometry | str) -> None:
    def guest() -> Guest:
        return Guest(code + "; int3", 3, tlb=tlb, pages=SPACES, data={DATA_FRAME: PATTERN})

    one_by_one, at_once = guest(), guest()
    run_by_ones(one_by_one.machine)
    at_once.run(100_000)
    assert everything(at_once.machine) == everything(one_by_one.machine)
    assert [str(event) for event in at_once.events] == [str(event) for event in one_by_one.events]


@pytest.mark.parametrize("chunk", [2, 7, 100, 511, 513])
def test_a_run_ends_where_it_was_to_end(chunk: int) -> None:
    code = CODES["MOVSQ"] + "; int3"
    one_by_one, in_chunks = Guest(code, 3), Guest(code, 3)
    run_by_ones(one_by_one.machine)
    while in_chunks.machine.ended is None:
        before = in_chunks.executed
        in_chunks.run(chunk)
        assert in_chunks.executed == before + chunk or in_chunks.machine.ended
    assert everything(in_chunks.machine) == everything(one_by_one.machine)


def test_the_timer_comes_when_it_is_due() -> None:
    code = timer(3) + f"sti; mov edi, {DATA}; mov ecx, 0x3000; rep stosb; hlt"
    one_by_one, at_once = Guest(code), Guest(code)
    run_by_ones(one_by_one.machine)
    at_once.run(100_000)
    assert at_once.reg("rcx") == one_by_one.reg("rcx") > 0
    assert everything(at_once.machine) == everything(one_by_one.machine)


def test_32_bit_code_goes_on_one_by_one() -> None:
    """0x48 is an instruction of its own there, and addresses have segments."""
    elsewhere = DATA - 0x20000
    code = f"mov edi, {elsewhere}; mov [edi], edi; mov ax, {DATA_AT_20000}; mov es, ax; mov ecx, 300; rep stosd; int3"
    pages = {elsewhere: (DATA_FRAME + 3 * PAGE_BYTES, 7)}
    one_by_one, at_once = Guest32(code, pages=pages), Guest32(code, pages=pages)
    run_by_ones(one_by_one.machine)
    at_once.run(100_000)
    assert everything(at_once.machine) == everything(one_by_one.machine)


@pytest.mark.parametrize(
    "code",
    [
        f"mov rdi, {DIRECT + DATA_TABLE}; mov rsi, rdi; mov ecx, 512; rep movsq; mov rbx, {DATA}; add [rbx], rcx; int3",
        f"mov rdi, {DIRECT + DATA_TABLE}; xor eax, eax; mov ecx, 512; mov rbx, {DATA}; add [rbx], rcx; rep stosq; add [rbx], rcx; int3",
    ],
    ids=["as they are", "cleared"],
)
def test_stores_into_page_tables_are_noticed(code: str) -> None:
    one_by_one, at_once = Guest(code), Guest(code)
    run_by_ones(one_by_one.machine)
    at_once.run(100_000)
    assert everything(at_once.machine) == everything(one_by_one.machine)
    assert [str(event) for event in at_once.events] == [str(event) for event in one_by_one.events]


@pytest.mark.parametrize(
    "target", [CODE + PAGE_BYTES, DIRECT + CODE_FRAME + PAGE_BYTES], ids=["itself", "alias"]
)
def test_stores_into_code_that_has_run_are_executed(target: int) -> None:
    """NOPs over a function, then a call of it: first it sets EAX, then it does not."""
    body = assemble("mov eax, 5; ret; " + "nop; " * 60 + "ret")
    code = f"mov rbp, {CODE + PAGE_BYTES}; call rbp; mov r8d, eax; mov eax, 0x90; mov rdi, {target}; mov ecx, 60; rep stosb; call rbp; int3"
    guest = Guest(code, data={CODE_FRAME + PAGE_BYTES: body})
    guest.run()
    assert (guest.vector, guest.reg("r8"), guest.reg("rax")) == (3, 5, 0x90)


def test_a_page_is_cleared_in_a_few_calls() -> None:
    guest = Guest(CODES["STOSQ"] + "; int3", 3)
    calls = 0

    def count(frame: FrameType, what: str, _: object) -> None:
        nonlocal calls
        calls += what == "call" and frame.f_code.co_name in ("on_code", "on_data")

    sys.setprofile(count)
    try:
        guest.run()
    finally:
        sys.setprofile(None)
    assert guest.executed == 3 + 1025 + 2
    assert calls < 40, "of two pages' 2,048"
