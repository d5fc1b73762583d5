# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""Guests that never end, and page tables and addresses that point nowhere: every run comes back with an answer."""

import pytest

from emu.machine import Ending, Stop
from emu.tlb.geometry import Geometry
from tests.helpers.bench import array, tlbs
from tests.helpers.stub import (
    CODE,
    CODE_FRAME,
    DATA,
    DATA_END,
    DATA_FRAME,
    HANDLERS,
    TABLES,
    Guest,
    assemble,
    gate,
)

ONE_ENTRY = tlbs(array(serves="both", sizes="4K 2M", entries=1))
GEOMETRIES = pytest.mark.parametrize("tlb", ["haswell", ONE_ENTRY], ids=["haswell", "one"])
RINGS = pytest.mark.parametrize("ring", [0, 3])
ALIAS = 0x7000_0000
BUDGET = 20_000


@RINGS
@pytest.mark.parametrize(
    "code",
    [
        "again: jmp again",
        "again: call further; further: pop rax; jmp again",
        f"again: mov esi, {DATA}; mov ecx, 0x1000; rep lodsb; jmp again",
    ],
)
def test_a_guest_that_loops_for_ever_stops_at_the_budget(ring: int, code: str) -> None:
    guest = Guest(code, ring)
    assert guest.machine.run(BUDGET) is Stop.LIMIT
    assert guest.executed == BUDGET
    assert not guest.faults


def test_a_guest_that_takes_a_fault_for_ever_stops_at_the_budget() -> None:
    guest = Guest(f"mov al, [{DATA_END:#x}]", 3, handlers={14: "add rsp, 8; iretq"})
    assert guest.machine.run(BUDGET) is Stop.LIMIT
    assert guest.executed == BUDGET
    assert len(guest.faults) >= BUDGET // 3


def test_a_masked_timer_does_not_keep_a_halted_guest_alive() -> None:
    guest = Guest("mov al, 0x34; out 0x43, al; mov al, 9; out 0x40, al; mov al, 0; out 0x40, al; sti; hlt")
    ended = guest.run()
    assert ended is not None
    assert ended.ending is Ending.IDLE_FOR_EVER


@RINGS
@pytest.mark.parametrize(
    "rip",
    [
        0x7FFF_F000_0000,
        0x0001_0000_0000_0000,
        0xFFFF_FFFF_FFFF_FFFF,
        0xFFFF_FFFF_FFFF_F000,
        0x8000_0000_0000_0000,
    ],
)
def test_a_jump_to_nowhere_is_a_fault(ring: int, rip: int) -> None:
    guest = Guest(f"mov rax, {rip}; jmp rax", ring)
    guest.run()
    assert guest.vector in (13, 14)


@RINGS
@pytest.mark.parametrize(
    "code",
    [
        "mov rax, -1; mov al, [rax]",
        "mov rax, -4; mov rax, [rax]",
        "mov rax, -4; mov [rax], rax",
        "mov rax, 0x00007ffffffffffc; mov rax, [rax]",
        "mov rax, 0xffff7ffffffffffc; mov [rax], rax",
        "mov rax, 0x8000000000000000; lock inc qword ptr [rax]",
        "mov rsi, 0x8000000000000000; mov rdi, rsi; mov ecx, 8; rep movsq",
        "mov rax, 0x8000000000000000; fxsave [rax]",
        "mov rax, 0x8000000000000000; lgdt [rax]",
        "mov rax, 0x8000000000000000; call [rax]",
        "mov rax, 0x8000000000000000; ljmp [rax]",
    ],
)
@GEOMETRIES
def test_a_non_canonical_or_wrapping_address_is_a_fault(tlb: Geometry | str, ring: int, code: str) -> None:
    guest = Guest(code, ring, tlb=tlb)
    guest.run()
    assert guest.vector in (12, 13, 14)


@pytest.mark.parametrize("register", ["gdt", "idt", "tr"])
def test_descriptor_tables_that_stand_nowhere_end_in_a_report(register: str) -> None:
    load = {
        "gdt": "lgdt [rsp]; mov ax, 0x10; mov ds, ax",
        "idt": "lidt [rsp]; ud2",
        "tr": "lgdt [rsp]; mov ax, 0x30; ltr ax",
    }
    for base in (0x0001_0000_0000_0000, 0x7000_0000, 0xFFFF_FFFF_FFFF_F000):
        guest = Guest(
            f"sub rsp, 16; mov word ptr [rsp], 0xffff; mov rax, {base}; mov [rsp + 2], rax; {load[register]}"
        )
        ended = guest.run()
        assert ended is not None
        assert ended.ending in (Ending.TRIPLE_FAULT, Ending.FAULTS_FOR_EVER)


@pytest.mark.parametrize("root", [0, 0x1000, 0xE000, CODE_FRAME, 0x7000_0000, 0xFEB0_0000, 0xFF_FFFF_F000])
@GEOMETRIES
def test_a_root_that_is_no_table_ends_in_a_report(tlb: Geometry | str, root: int) -> None:
    guest = Guest(f"mov rax, {root}; mov cr3, rax; nop; nop", tlb=tlb)
    guest.run()
    assert guest.machine.ended is not None


@RINGS
@GEOMETRIES
@pytest.mark.parametrize(
    ("level", "value"),
    [
        ("PTE", 0x7000_0007),
        ("PTE", 0xFEB0_0007),
        ("PTE", 0xFF_FFFF_F007),
        ("PTE", CODE_FRAME | 7),
        ("PTE", TABLES | 7),
        ("PTE", HANDLERS | 7),
        ("PDE", 0x7000_0007),
        ("PDE", 0xFEB0_0007),
        ("PDE", CODE_FRAME | 7),
        ("PDE", TABLES | 7),
        ("PDE", 0x7FE0_0087),
        ("PDE", 0xFF_FFE0_0087),
        ("PDPTE", TABLES | 7),
        ("PDPTE", 0x7000_0007),
        ("PDPTE", 0x4000_0087),
        ("PML4E", TABLES | 7),
        ("PML4E", 0xFF_FFFF_F007),
    ],
)
def test_tables_that_point_anywhere_are_walked_as_they_are(
    tlb: Geometry | str, ring: int, level: str, value: int
) -> None:
    """Outside RAM, at devices, at code, at themselves: loads, stores, atomics and a jump, whatever comes of them."""
    code = "mov rbx, 0x7000000000; mov rax, [rbx]; mov [rbx + 8], rax; lock xadd [rbx + 16], rax; mov rax, [rbx + 0xffc]; movups xmm0, [rbx + 0xff8]; movups [rbx + 0xff8], xmm0; jmp rbx"
    guest = Guest(code, ring, tlb=tlb, pages={0x70_0000_0000: (DATA_FRAME, 7)})
    guest.machine.memory.write_entry(guest.entry(0x70_0000_0000, level), value, 8)
    guest.machine.run(BUDGET)
    assert guest.machine.ended is not None or guest.executed >= BUDGET


@GEOMETRIES
def test_a_program_may_rewrite_the_tables_that_map_it_while_it_runs(tlb: Geometry | str) -> None:
    """A page table mapped into itself: every store changes translations in use."""
    table = TABLES + 0x4000
    code = f"mov rbx, {ALIAS}; mov rcx, 512; mov rax, 0x7000000007; again: mov [rbx], rax; add rbx, 8; loop again; int3"
    guest = Guest(code, 3, tlb=tlb, pages={ALIAS: (table, 7)})
    guest.machine.run(BUDGET)
    assert guest.machine.ended is not None or guest.executed >= BUDGET


@RINGS
def test_code_in_a_device_s_registers_is_zeros_or_a_fault(ring: int) -> None:
    guest = Guest(f"mov rax, {ALIAS}; jmp rax", ring, pages={ALIAS: (0xFEB0_0000, 7)})
    guest.machine.run(BUDGET)
    assert guest.machine.ended is not None or guest.executed >= BUDGET


@RINGS
def test_a_stack_in_a_device_s_registers_takes_pushes(ring: int) -> None:
    guest = Guest(
        f"mov rsp, {ALIAS + 0x800}; push rax; pop rbx; call next; next: int3",
        ring,
        pages={ALIAS: (0xFEB0_0000, 7)},
    )
    guest.machine.run(BUDGET)
    assert guest.machine.ended is not None


def test_the_tables_themselves_as_code() -> None:
    guest = Guest(f"mov rax, {ALIAS}; jmp rax", 0, pages={ALIAS: (TABLES, 7)})
    guest.machine.run(BUDGET)
    assert guest.machine.ended is not None or guest.executed >= BUDGET


@pytest.mark.parametrize("vector", [0x20, 0x80])
def test_an_interrupt_gate_to_nowhere_is_a_fault_at_its_target(vector: int) -> None:
    guest = Guest(f"int {vector}", gates={vector: gate(0x7FFF_0000_0000)})
    guest.run()
    assert (guest.vector, guest.cr2) == (14, 0x7FFF_0000_0000)
    guest = Guest(f"int {vector}", gates={vector: gate(1 << 63)})
    guest.run()
    assert guest.machine.ended is not None


def test_prefixes_without_end_are_an_invalid_instruction() -> None:
    for prefix in (0x66, 0x67, 0xF2, 0xF3, 0x2E, 0x64):
        guest = Guest(bytes((prefix,)) * 64, 3)
        guest.run()
        assert guest.vector in (6, 13)
        assert guest.frame[-5] == CODE


def test_the_assembler_of_these_tests_knows_what_it_does() -> None:
    assert assemble("nop; int3") == b"\x90\xcc"
