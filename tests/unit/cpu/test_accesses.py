# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""What the model sees of a run: every fetch, load and store, at its linear address, once; and how code may change."""

import pytest

from emu.bits import PhysicalAddress
from emu.events import Accessed
from tests.helpers.bench import array, tlbs
from tests.helpers.stub import (
    CODE,
    CODE_FRAME,
    DATA,
    DATA_FRAME,
    DATA_TABLE,
    DIRECT,
    Guest,
    assemble,
)

ONE_ENTRY = tlbs(array(serves="both", sizes="4K 2M", entries=1))
SPLIT = tlbs(
    array(serves="load", entries=8), array(serves="store", entries=2), array(serves="instruction", entries=2)
)
GEOMETRIES = pytest.mark.parametrize(
    "tlb", ["haswell", "pentium3", ONE_ENTRY, SPLIT], ids=["haswell", "pentium3", "one", "split"]
)
RINGS = pytest.mark.parametrize("ring", [0, 3])
ALIAS = 0x7000_0000
"""Where synonyms stand."""


def seen(code: str | bytes, **more: object) -> list[tuple[str, int, int]]:
    """(type, linear, size) of every explicit access of `code`, which ends at an INT3."""
    guest = Guest(code, **more)  # type: ignore[arg-type]
    guest.machine.mmu.report_all = True
    guest.machine.mmu.tlb.slow_down()
    guest.run()
    assert guest.vector == 3
    last = next(n for n, access in enumerate(guest.accesses) if access.implicit)
    return [(access.type, access.linear, access.size) for access in guest.accesses[:last]]


@GEOMETRIES
@RINGS
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("mov al, [rbx + 5]", [("read", 5, 1)]),
        ("mov [rbx + 8], rax", [("write", 8, 8)]),
        ("add dword ptr [rbx + 4], 1", [("read", 4, 4), ("write", 4, 4)]),
        ("push [rbx]", [("read", 0, 8), ("write", -8, 8)]),
        ("mov ax, [rbx + 0xfff]", [("read", 0xFFF, 1), ("read", 0x1000, 1)]),
        ("mov [rbx + 0xffd], rax", [("write", 0xFFD, 3), ("write", 0x1000, 5)]),
        (
            "add qword ptr [rbx + 0xffc], 1",
            [("read", 0xFFC, 4), ("read", 0x1000, 4), ("write", 0xFFC, 4), ("write", 0x1000, 4)],
        ),
        ("xchg [rbx], rax", [("read", 0, 8), ("write", 0, 8)]),
        ("lock xadd [rbx], rax", [("read", 0, 8), ("write", 0, 8)]),
        ("cmp rax, [rbx]", [("read", 0, 8)]),
        ("lea rax, [rbx + 0x7000]", []),
        ("prefetcht0 [rbx]", []),
        ("lea rsi, [rbx]; lea rdi, [rbx + 16]; movsq", [("read", 0, 8), ("write", 16, 8)]),
        ("lea rsi, [rbx]; lea rdi, [rbx + 16]; cmpsb", [("read", 16, 1), ("read", 0, 1)]),
    ],
)
def test_every_access_is_seen_once_at_its_own_address(
    tlb: object, ring: int, code: str, expected: list[tuple[str, int, int]]
) -> None:
    found = seen(f"mov rbx, {DATA}; mov rsp, {DATA + 0x3000}; {code}; int3", ring=ring, tlb=tlb)
    data = [access for access in found if access[0] != "fetch"]
    assert data == [
        (kind, DATA + (0x3000 + offset if offset < 0 else offset), size) for kind, offset, size in expected
    ]


@GEOMETRIES
def test_every_instruction_is_one_fetch_of_its_length_and_two_across_a_page(tlb: object) -> None:
    code = b"\x90" * 0xFFC + assemble("mov rax, 0x1122334455667788; nop; int3")
    found = seen(code, ring=3, tlb=tlb)
    assert found[:2] == [("fetch", CODE, 1), ("fetch", CODE + 1, 1)]
    assert found[0xFFC:] == [
        ("fetch", CODE + 0xFFC, 4),
        ("fetch", CODE + 0x1000, 6),
        ("fetch", CODE + 0x1006, 1),
        ("fetch", CODE + 0x1007, 1),
    ]


@GEOMETRIES
def test_a_repeated_string_instruction_counts_one_more_than_its_iterations(tlb: object) -> None:
    guest = Guest(f"mov edi, {DATA}; mov ecx, 5; rep stosb; int3", tlb=tlb)  # type: ignore[arg-type]
    before = list(guest.machine.mmu.counters.accesses)
    guest.run()
    after = guest.machine.mmu.counters.accesses
    assert guest.executed == 2 + 6 + 1 + 1, "two moves, five iterations and one, INT3 and HLT"
    assert after[0] - before[0] == guest.executed
    assert after[2] - before[2] == 5 + 1, "and the frame, which is one write"


def test_the_counters_are_the_number_of_events_when_every_access_is_one() -> None:
    code = f"mov rbx, {DATA}; mov ecx, 40; again: mov [rbx], rcx; add rax, [rbx + 0x1ffc]; add rbx, 100; loop again; int3"
    guest = Guest(code, 3)
    counters = guest.machine.mmu.counters
    before = list(counters.accesses)
    guest.machine.mmu.report_all = True
    while guest.machine.ended is None:
        guest.machine.step()
    for kind, name in enumerate(("fetch", "read", "write")):
        assert counters.accesses[kind] - before[kind] == sum(access.type == name for access in guest.accesses)
    assert counters.accesses[0] - before[0] == guest.executed == 2 + 40 * 4 + 1 + 1


def test_the_microcode_s_own_accesses_are_implicit_supervisor_ones() -> None:
    guest = Guest("int3", 3)
    guest.machine.mmu.report_all = True
    guest.run()
    implicit = [(access.type, access.linear, access.size) for access in guest.accesses if access.implicit]
    assert implicit == [
        ("read", 0x2000 + 3 * 16, 16),
        ("read", 0x1008, 8),
        ("read", 0x3004, 8),
        ("write", 0xA000 - 40, 40),
    ]


def test_a_load_of_a_segment_register_in_ring_3_reads_the_supervisor_s_table() -> None:
    guest = Guest("mov eax, 0x23; mov ds, ax; int3", 3)
    guest.run()
    assert guest.vector == 3
    assert not guest.faults


# -- synonyms


def synonyms(count: int) -> dict[int, tuple[int, int]]:
    return {ALIAS + n * 0x1000: (DATA_FRAME, 7) for n in range(count)}


@GEOMETRIES
@pytest.mark.parametrize("count", [2, 7, 8, 9, 20])
def test_many_addresses_of_one_frame_share_its_bytes_and_keep_their_own_names(
    tlb: object, count: int
) -> None:
    code = f"""
        mov edx, 3
    round:
        mov rbx, {ALIAS}
        mov ecx, {count}
    again:
        inc qword ptr [rbx]
        mov rax, [rbx]
        add rbx, 0x1000
        loop again
        dec edx
        jnz round
        int3
    """
    guest = Guest(code, 3, pages=synonyms(count), tlb=tlb)  # type: ignore[arg-type]
    guest.machine.mmu.report_all = True
    guest.machine.mmu.tlb.slow_down()
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == guest.read(DATA_FRAME) == 3 * count
    pages = [access.linear for access in guest.accesses if access.linear >= ALIAS and access.type == "write"]
    assert pages == [ALIAS + n * 0x1000 for n in range(count)] * 3
    assert {access.physical for access in guest.accesses if ALIAS <= access.linear < 2 * ALIAS} == {
        DATA_FRAME
    }


@GEOMETRIES
@pytest.mark.parametrize("count", [2, 9, 16])
def test_an_access_across_two_addresses_of_one_frame_is_two_accesses(tlb: object, count: int) -> None:
    code = (
        "\n".join(
            f"mov rbx, {ALIAS + n * 0x1000 + 0xFFC}; mov [rbx], rbx; mov rax, [rbx]" for n in range(count - 1)
        )
        + "\nint3"
    )
    guest = Guest(code, 3, pages=synonyms(count), tlb=tlb)  # type: ignore[arg-type]
    guest.machine.mmu.report_all = True
    guest.machine.mmu.tlb.slow_down()
    guest.run()
    assert guest.vector == 3
    found = [(a.type, a.linear, a.size) for a in guest.accesses if ALIAS <= a.linear < 2 * ALIAS]
    expected = []
    for n in range(count - 1):
        for kind in ("write", "read"):
            expected += [(kind, ALIAS + n * 0x1000 + 0xFFC, 4), (kind, ALIAS + (n + 1) * 0x1000, 4)]
    assert found == expected
    last = ALIAS + (count - 2) * 0x1000 + 0xFFC
    assert guest.read(DATA_FRAME + 0xFFC, 4) == last & 0xFFFF_FFFF
    assert guest.read(DATA_FRAME, 4) == last >> 32


def test_one_instruction_may_use_two_addresses_of_one_frame() -> None:
    code = f"mov rsi, {ALIAS}; mov rdi, {ALIAS + 0x1000}; add rdi, 8; mov ecx, 3; rep movsq; int3"
    guest = Guest(code, 3, pages=synonyms(2), data={DATA_FRAME: b"ABCDEFGH"})
    guest.run()
    assert guest.machine.memory.read(PhysicalAddress(DATA_FRAME), 32) == b"ABCDEFGH" * 4


# -- code that changes


INCREMENT = "inc eax; nop; nop; ret"
DECREMENT = "dec eax; nop; nop; ret"


@GEOMETRIES
@RINGS
@pytest.mark.parametrize("through", ["itself", "alias", "direct"])
def test_code_that_was_rewritten_runs_as_rewritten(tlb: object, ring: int, through: str) -> None:
    if through == "direct" and ring == 3:
        ring = 0
    target = {"itself": CODE + 0x2000, "alias": ALIAS, "direct": DIRECT + CODE_FRAME + 0x2000}[through]
    code = f"""
        xor eax, eax
        mov rbx, {CODE + 0x2000}
        mov rdx, {target}
        mov esi, 5
    again:
        call rbx
        call rbx
        mov byte ptr [rdx + 1], 0xc8
        call rbx
        mov byte ptr [rdx + 1], 0xc0
        dec esi
        jnz again
        int3
    """
    data = {CODE_FRAME + 0x2000: assemble(INCREMENT)}
    guest = Guest(code, ring, pages={ALIAS: (CODE_FRAME + 0x2000, 7)}, data=data, tlb=tlb)  # type: ignore[arg-type]
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == 5


@GEOMETRIES
@pytest.mark.parametrize("chunk", [1, 2, 3, 10_000])
def test_an_instruction_may_rewrite_the_next_one(tlb: object, chunk: int) -> None:
    code = """
        lea rbx, [rip + there + 1]
        mov ecx, 6
        xor eax, eax
    again:
        xor byte ptr [rbx], 8
    there:
        inc eax
        dec ecx
        jnz again
        add eax, 10
        int3
    """
    guest = Guest(code, 3, tlb=tlb)  # type: ignore[arg-type]
    before = list(guest.machine.mmu.counters.accesses)
    while guest.machine.ended is None:
        guest.machine.run(chunk)
    assert guest.vector == 3
    assert guest.reg("rax") == 10, "three times DEC, three times INC"
    assert guest.executed == 3 + 6 * 4 + 3
    after = guest.machine.mmu.counters.accesses
    assert [after[n] - before[n] for n in range(3)] == [guest.executed, 6 + 3, 6 + 1]


@GEOMETRIES
def test_a_string_store_may_overwrite_the_code_behind_it(tlb: object) -> None:
    code = "lea rdi, [rip + there]; mov eax, 0x90; mov ecx, 4; rep stosb; there: ud2; ud2; int3"
    guest = Guest(code, 3, tlb=tlb)  # type: ignore[arg-type]
    guest.run()
    assert guest.vector == 3
    assert guest.executed == 3 + 5 + 4 + 2


@GEOMETRIES
def test_a_store_across_a_page_may_rewrite_both_pages_of_the_code(tlb: object) -> None:
    body = assemble("mov rbx, 0x400ffc; mov rax, 0x9090909090909090; mov [rbx], rax; jmp rbx")
    code = body.ljust(0xFFC, b"\x90") + b"\x0f\x0b" * 4 + b"\xcc"
    guest = Guest(code, 3, tlb=tlb)  # type: ignore[arg-type]
    guest.run()
    assert guest.vector == 3
    assert guest.frame[0] == CODE + 0x1005


def test_a_program_may_rewrite_an_instruction_that_straddles_two_pages() -> None:
    body = assemble("mov ebx, 0x400ffe; call rbx; mov byte ptr [rbx + 3], 7; call rbx; int3")
    code = body.ljust(0xFFE, b"\x90") + assemble("mov ecx, 0x01010101; add edx, ecx; ret")
    guest = Guest(code, 3)
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rdx") == 0x01010101 + 0x01070101


@pytest.mark.parametrize("tlb", ["haswell", ONE_ENTRY], ids=["haswell", "one"])
def test_bytes_that_a_device_writes_into_code_are_executed(tlb: object) -> None:
    guest = Guest("again: inc eax; jmp again", 3, tlb=tlb)  # type: ignore[arg-type]
    guest.run(1001)
    count = guest.reg("rax")
    assert count == 501
    guest.machine.memory.write(PhysicalAddress(CODE_FRAME), assemble("again: dec eax; jmp again"))
    guest.run(1000)
    assert guest.reg("rax") == 1
    guest.machine.input("poke", CODE_FRAME, b"\xcc")
    guest.run(100)
    assert guest.vector == 3


def test_two_address_spaces_with_different_code_at_one_address_do_not_mix() -> None:
    code = f"""
        mov ecx, 3
        xor eax, eax
        mov rbx, {ALIAS}
        mov rsi, {DIRECT + 0x40_5000}
    again:
        call rbx
        mov rdx, cr3
        mov cr3, rdx
        loop again
        int3
    """
    guest = Guest(
        code,
        pages={ALIAS: (DATA_FRAME, 7)},
        data={DATA_FRAME: assemble(INCREMENT), DATA_FRAME + 0x1000: assemble("add eax, 100; ret")},
    )
    entry = guest.entry(ALIAS)
    turns = 0
    while guest.machine.ended is None:
        guest.machine.run_until(100, wants=lambda event: event.kind == "invalidate")
        turns += 1
        value = guest.read(entry)
        guest.machine.memory.write_entry(entry, value ^ (DATA_FRAME ^ DATA_FRAME + 0x1000), 8)
    assert guest.vector == 3
    assert guest.reg("rax") in (102, 201)


# -- where there is no RAM


@RINGS
def test_outside_ram_loads_give_zero_and_stores_vanish(ring: int) -> None:
    pages = {ALIAS: (0x7000_0000, 7), ALIAS + 0x1000: (0xFF_FFFF_F000, 7)}
    code = f"mov rbx, {ALIAS}; mov qword ptr [rbx], -1; mov rax, [rbx]; mov [rbx + 0xffc], rbx; mov rcx, [rbx + 0xffc]; mov rdx, [rbx + 0x1ff8]; int3"
    guest = Guest("mov rdx, -1;" + code, ring, pages=pages)
    guest.run()
    assert guest.vector == 3
    assert (guest.reg("rax"), guest.reg("rcx"), guest.reg("rdx")) == (0, 0, 0)


def test_a_device_s_registers_answer_at_their_physical_address() -> None:
    guest = Guest(
        f"mov rbx, {ALIAS}; mov eax, [rbx]; mov ecx, [rbx + 4]; int3", pages={ALIAS: (0xFEB0_0000, 3)}
    )
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == 0x7472_6976, '"virt"'
    assert guest.reg("rcx") == 2


def test_more_pages_without_ram_than_the_engine_has_places_for_still_answer() -> None:
    pages = {ALIAS + n * 0x1000: (0x7000_0000 + n * 0x1000, 7) for n in range(150)}
    code = f"mov edx, 2; round: mov rbx, {ALIAS}; mov ecx, 150; again: mov rax, [rbx]; mov [rbx + 8], rcx; add rbx, 0x1000; loop again; dec edx; jnz round; int3"
    guest = Guest(code, 3, pages=pages)
    guest.machine.mmu.report_all = True
    guest.run()
    assert guest.vector == 3
    reads = [a.physical for a in guest.accesses if a.type == "read" and a.linear >= ALIAS and not a.implicit]
    assert reads == [0x7000_0000 + n * 0x1000 for n in range(150)] * 2
    assert isinstance(guest.accesses[0], Accessed)


def test_code_outside_ram_is_zeros() -> None:
    guest = Guest(f"mov rax, {ALIAS}; jmp rax", 3, pages={ALIAS: (0x7000_0000, 7)})
    guest.run()
    assert guest.vector == 14, "ADD [RAX], AL stores nothing and goes on to the page's end"
    assert guest.cr2 == ALIAS + 0x1000
    assert guest.faults[0].rip == ALIAS + 0x1000


# -- marks that are none

NEAR_RDRAND = "nop; nop; nop; mov eax, 0x00f0c70f; ret"
"""Its first byte is marked: a few bytes on is what would be RDRAND, were it not an operand. RDRAND is not offered."""


def test_an_instruction_that_needed_no_look_needs_one_when_it_was_rewritten() -> None:
    code = f"jmp go; place: {NEAR_RDRAND}; go: call place; call place; mov dword ptr [rip + place], 0x90f0c70f; call place; int3"
    guest = Guest(code)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (6, CODE + 2)


def test_an_instruction_that_needed_no_look_needs_one_in_another_frame() -> None:
    call = f"mov rbp, {DATA}; call rbp"
    other = f"mov rbx, {DIRECT + DATA_TABLE}; mov dword ptr [rbx], {DATA_FRAME + 0x1000 + 7}; invlpg [rbp]"
    data = {DATA_FRAME: assemble(NEAR_RDRAND), DATA_FRAME + 0x1000: b"\x0f\xc7\xf0\xc3"}
    guest = Guest(f"{call}; {call}; {other}; {call}; int3", data=data)
    guest.run()
    assert guest.vector == 6
