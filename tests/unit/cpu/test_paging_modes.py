# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests in 32-bit, PAE and 5-level paging: accesses, faults, the PDPTE registers, where linear addresses end."""

import pytest

from emu.bits import PhysicalAddress
from emu.events import Invalidated
from emu.paging.modes import FIVE_LEVEL, PAE, TWO_LEVEL, PagingMode
from tests.helpers.stub import (
    CODE,
    DATA,
    DATA_END,
    DATA_FRAME,
    STACK,
    STACK0,
    TABLES,
    TSS,
    Guest,
)
from tests.helpers.stub32 import (
    CODE3_32,
    CODE_AT_10000,
    DATA_AT_20000,
    TABLES_AT,
    Guest32,
    assemble32,
    gate32,
)

BOTH = pytest.mark.parametrize("mode", [TWO_LEVEL, PAE], ids=lambda mode: mode.name)
RINGS = pytest.mark.parametrize("ring", [0, 3])
PG, CD, NW, PSE, PAE_BIT, PGE, SMEP = 1 << 31, 1 << 30, 1 << 29, 1 << 4, 1 << 5, 1 << 7, 1 << 20
LARGE = 0x83


# -- accesses and faults in 32-bit code


@BOTH
@RINGS
def test_a_store_reaches_its_frame_and_a_missing_page_faults(mode: PagingMode, ring: int) -> None:
    guest = Guest32(f"mov eax, 0x1234; mov [{DATA}], eax; mov ebx, [{DATA_END}]", ring, mode=mode)
    guest.run()
    assert guest.machine.mmu.controls is not None
    assert guest.machine.mmu.controls.mode is mode
    assert guest.read(DATA_FRAME, 4) == 0x1234
    assert (guest.vector, guest.cr2) == (14, DATA_END)
    assert guest.frame[:3] == (ring and 4, CODE + 10, CODE3_32 if ring else 8)


@BOTH
def test_an_event_in_ring_3_goes_to_the_stack_of_the_tss_and_iret_goes_back(mode: PagingMode) -> None:
    code = "mov ebx, 1; int 0x80; mov ecx, 3; int3"
    guest = Guest32(code, 3, mode=mode, handlers={0x80: "mov edx, esp; inc ebx; iretd"})
    guest.run()
    assert (guest.reg("rbx"), guest.reg("rcx")) == (2, 3)
    assert guest.reg("rdx") == STACK0 - 20
    assert guest.vector == 3
    assert guest.frame[1] == CODE3_32
    assert guest.frame[3] == STACK


@BOTH
def test_ring_3_cannot_reach_a_supervisor_page_and_ring_0_can(mode: PagingMode) -> None:
    for ring, vector in ((3, 14), (0, 3)):
        guest = Guest32("mov eax, [0x1000]; int3", ring, mode=mode)
        guest.run()
        assert guest.vector == vector
    guest = Guest32("mov eax, [0x1000]", 3, mode=mode)
    guest.run()
    assert guest.frame[0] == 5


@pytest.mark.parametrize(("mode", "size"), [(TWO_LEVEL, 4 << 20), (PAE, 2 << 20)])
def test_a_large_page_maps_all_of_its_bytes(mode: PagingMode, size: int) -> None:
    guest = Guest32(
        f"mov eax, [{0x800000 + DATA_FRAME}]; int3",
        mode=mode,
        pages={0x80_0000: (0, 3, size)},
        data={DATA_FRAME: b"\x78\x56\x34\x12"},
    )
    guest.run()
    assert guest.reg("rax") == 0x1234_5678


def test_without_pse_a_page_directory_entry_refers_to_a_table_whatever_its_bit_7_says() -> None:
    # The entry of 0x80_0000 says PS and frame 0x40_0000; without CR4.PSE that is a page table: the root directory.
    entry = TABLES + 4 * (0x80_0000 >> 22)
    clear = f"mov eax, cr4; and eax, {~PSE & 0xFFFF_FFFF}; mov cr4, eax"
    guest = Guest32(
        f"{clear}; mov ebx, [0x800000]; int3",
        data={entry: (TABLES | LARGE).to_bytes(4, "little")},
    )
    guest.run()
    assert guest.reg("rbx") & 0xFFFFF000 == guest.read(guest.read(TABLES, 4) & ~0xFFF, 4) & 0xFFFFF000


@BOTH
@RINGS
def test_what_crosses_4_gib_in_32_bit_code_goes_on_at_address_0(mode: PagingMode, ring: int) -> None:
    guest = Guest32(
        "mov eax, [0xfffffffe]; mov dword ptr [0xfffffffd], 0x44332211; int3",
        ring,
        mode=mode,
        pages={0xFFFF_F000: (DATA_FRAME, 7), 0: (DATA_FRAME + 0x1000, 7)},
        data={DATA_FRAME + 0xFFE: b"\xaa\xbb\xcc\xdd"},
    )
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == 0xDDCC_BBAA
    assert guest.machine.memory.read(PhysicalAddress(DATA_FRAME + 0xFFD), 4) == b"\x11\x22\x33\x44"
    assert {e.linear for e in guest.accesses if e.type == "read"} >= {0xFFFF_FFFE, 0}


@BOTH
def test_code_that_crosses_4_gib_goes_on_at_address_0(mode: PagingMode) -> None:
    code = assemble32("mov eax, 0x44332211; int3")
    guest = Guest32(
        "mov ebx, 0xfffffffe; jmp ebx",
        mode=mode,
        pages={0xFFFF_F000: (DATA_FRAME, 7), 0: (DATA_FRAME + 0x1000, 7)},
        data={DATA_FRAME + 0xFFE: code},
    )
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == 0x4433_2211
    assert {e.linear for e in guest.accesses if e.type == "fetch"} >= {0xFFFF_FFFE, 0}


def test_a_fault_behind_4_gib_is_reported_at_address_0() -> None:
    guest = Guest32("mov eax, [0xfffffffe]", pages={0xFFFF_F000: (DATA_FRAME, 7), 0: None})
    guest.run()
    assert (guest.vector, guest.cr2) == (14, 0)


def test_a_code_segment_s_base_counts_in_every_linear_address_of_its_code() -> None:
    jump = f".byte 0xea; .long {CODE - 0x10000 + 7}; .word {CODE_AT_10000}"
    guest = Guest32(f"{jump}; mov eax, [{DATA_END}]", handlers={14: "mov ebx, [esp + 4]; hlt"})
    guest.run()
    assert guest.cr2 == DATA_END
    assert guest.reg("rbx") == CODE + 7 - 0x10000, "EIP is pushed without the base"
    assert guest.faults[0].rip == CODE + 7


def test_a_gate_into_a_segment_with_a_base_runs_its_handler_at_base_plus_offset() -> None:
    handler = 0x1_8000
    gate = gate32(handler - 0x10000, selector=CODE_AT_10000)
    guest = Guest32("int3", gates={3: gate}, data={handler: b"\xf4"})
    guest.run()
    context = guest.machine.cpu.engine.context.save()
    assert (context.rip, context.linear_rip) == (handler - 0x10000 + 1, handler + 1)


def test_a_frame_is_pushed_at_the_base_of_the_stack_s_segment() -> None:
    stack = 0x8000
    guest = Guest32(f"push {DATA_AT_20000}; pop ss; mov esp, {stack}; int3", handlers={3: "pop eax; hlt"})
    guest.run()
    assert guest.read(0x2_0000 + stack - 12, 4) == guest.reg("rax") == CODE + guest.code_bytes


def test_the_stack_of_the_tss_may_have_a_base_and_the_handler_uses_it() -> None:
    code = "mov ebx, 7; int 0x80; int3"
    guest = Guest32(
        code,
        3,
        handlers={0x80: "pop eax; push eax; hlt"},
        data={TSS + 8: DATA_AT_20000.to_bytes(4, "little")},
    )
    guest.run()
    assert guest.read(0x2_0000 + STACK0 - 20, 4) == guest.reg("rax") == CODE + 7


@BOTH
@pytest.mark.parametrize(
    "address",
    ["[0x600000]", "es:[0x600000]", "[ebx]", "[ebx + ecx * 4]", "[ebp]", "addr16 [si]"],
)
def test_invlpg_decodes_32_and_16_bit_addresses(mode: PagingMode, address: str) -> None:
    instruction = ".byte 0x67, 0x0f, 0x01, 0x3c" if address.startswith("addr16") else f"invlpg {address}"
    page = 0x1000 if address.startswith("addr16") else DATA
    base = DATA - 16 if "ecx" in address else DATA
    registers = f"mov ebx, {base}; mov ecx, 4; mov ebp, {DATA}; mov esi, 0x77711000"
    guest = Guest32(f"{registers}; {instruction}; int3", mode=mode)
    guest.run()
    event = next(event for event in guest.events if isinstance(event, Invalidated))
    assert event.scope.startswith(f"0x0000_0000_{page >> 16:04x}_{page & 0xFFFF:04x}")
    assert guest.vector == 3


@pytest.mark.parametrize(
    "code",
    ["pop es; invlpg es:[{}]", "pop ds; invlpg [{}]", "pop ss; mov ebp, {}; invlpg [ebp]"],
    ids=["an override", "DS", "SS with EBP"],
)
def test_invlpg_adds_the_base_of_its_segment(code: str) -> None:
    guest = Guest32(f"push {DATA_AT_20000}; {code.format(DATA - 0x20000)}; int3")
    guest.run()
    event = next(event for event in guest.events if isinstance(event, Invalidated))
    assert event.scope.startswith("0x0000_0000_0060_0000")


# -- the PDPTE registers


def pdpte(value: int, index: int = 3) -> dict[int, bytes]:
    return {TABLES + 8 * index: value.to_bytes(8, "little")}


def test_a_pdpte_that_changes_in_memory_counts_from_the_next_load_of_cr3() -> None:
    # PDPTE 3 comes to be what PDPTE 0 is: then 0xC060_0000 is 0x60_0000.
    share = f"mov eax, [{TABLES_AT}]; mov [{TABLES_AT + 24}], eax; mov dword ptr [{TABLES_AT + 28}], 0"
    early = Guest32(f"{share}; mov ebx, [0xc0600000]", mode=PAE)
    early.run()
    assert early.vector == 14
    late = Guest32(f"{share}; mov eax, cr3; mov cr3, eax; mov ebx, [0xc0600000]; int3", mode=PAE)
    late.run()
    assert late.vector == 3


def test_a_pdpte_that_goes_in_memory_is_still_in_its_register() -> None:
    guest = Guest32(f"mov dword ptr [{TABLES_AT}], 0; invlpg [{DATA}]; mov ebx, [{DATA}]; int3", mode=PAE)
    guest.run()
    assert guest.vector == 3


BAD_PDPTES = pytest.mark.parametrize(
    "bits",
    [0x2, 0x4, 0x20, 0x40, 0x80, 0x100, 1 << 40, 1 << 51, 1 << 52, 1 << 63],
    ids=lambda bits: f"bit {bits.bit_length() - 1}",
)


@BAD_PDPTES
def test_mov_cr3_refuses_a_present_pdpte_with_a_reserved_bit(bits: int) -> None:
    low, high = (1 | bits) & 0xFFFF_FFFF, bits >> 32
    store = f"mov dword ptr [{TABLES_AT + 16}], {low}; mov dword ptr [{TABLES_AT + 20}], {high}"
    guest = Guest32(f"{store}; mov eax, {TABLES + 0x18}; mov cr3, eax; int3", mode=PAE)
    before = guest.machine.cpu.pdptes
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    context = guest.machine.cpu.engine.context.save()
    assert context.cr(3) == TABLES
    assert guest.machine.cpu.pdptes == before
    assert guest.frame[1] == CODE + 25


def test_a_pdpte_that_is_not_present_may_hold_anything() -> None:
    store = f"mov dword ptr [{TABLES_AT + 16}], 0xfffffffe; mov dword ptr [{TABLES_AT + 20}], -1"
    guest = Guest32(f"{store}; mov eax, cr3; mov cr3, eax; int3", mode=PAE)
    guest.run()
    assert guest.vector == 3


@pytest.mark.parametrize(
    ("change", "loads"),
    [
        pytest.param(f"mov eax, cr0; xor eax, {CD}; mov cr0, eax", True, id="CR0.CD"),
        pytest.param(f"mov eax, cr0; or eax, {CD | NW}; mov cr0, eax", True, id="CR0.NW and CR0.CD"),
        pytest.param("mov eax, cr0; xor eax, 0x10000; mov cr0, eax", False, id="CR0.WP"),
        pytest.param(f"mov eax, cr4; xor eax, {PGE}; mov cr4, eax", True, id="CR4.PGE"),
        pytest.param(f"mov eax, cr4; xor eax, {PSE}; mov cr4, eax", True, id="CR4.PSE"),
        pytest.param(f"mov eax, cr4; xor eax, {SMEP}; mov cr4, eax", True, id="CR4.SMEP"),
        pytest.param("mov eax, cr4; xor eax, 4; mov cr4, eax", False, id="CR4.TSD"),
        pytest.param("clts; smsw ax; lmsw ax", False, id="CLTS and LMSW"),
    ],
)
def test_which_changes_of_cr0_and_cr4_load_the_pdptes(change: str, loads: bool) -> None:
    guest = Guest32(
        f"mov dword ptr [{TABLES_AT + 16}], 0x5001; {change}; int3", mode=PAE, pages={CODE: (0x10_0000, 3)}
    )
    guest.run()
    assert guest.vector == 3
    assert guest.machine.cpu.pdptes[2] == (0x5001 if loads else 0)


@pytest.mark.parametrize(
    "change",
    [
        f"mov eax, cr0; xor eax, {CD}; mov cr0, eax",
        f"mov eax, cr4; xor eax, {PGE}; mov cr4, eax",
    ],
)
def test_a_bad_pdpte_refuses_a_change_of_cr0_or_cr4_too(change: str) -> None:
    guest = Guest32(f"mov dword ptr [{TABLES_AT + 16}], 3; {change}; int3", mode=PAE)
    before = guest.machine.cpu.engine.context.save()
    registers = [before.cr(n) for n in (0, 3, 4)]
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    after = guest.machine.cpu.engine.context.save()
    assert [after.cr(n) for n in (0, 3, 4)] == registers


@pytest.mark.parametrize("good", [True, False])
def test_setting_pg_loads_the_pdptes_or_is_refused(good: bool) -> None:
    off_and_on = f"mov eax, cr0; and eax, {~PG & 0xFFFFFFFF}; mov cr0, eax; or eax, {PG}"
    guest = Guest32(
        f"mov dword ptr [{TABLES_AT + 16}], {0x5001 if good else 3}; {off_and_on}; mov cr0, eax; int3",
        mode=PAE,
        pages={0x10_0000: (0x10_0000, 3), CODE: (0x10_0000, 3)},
        rip=0x10_0000,
    )
    guest.run()
    assert guest.vector == (3 if good else 13)
    assert guest.machine.cpu.pdptes[2] == (0x5001 if good else 0)
    assert (guest.machine.mmu.controls is not None) is good


def test_32_bit_paging_becomes_pae_paging_in_one_mov_to_cr4() -> None:
    # CR3 leads to both: 32-bit paging ignores its bits 11:5, PAE paging finds its four PDPTEs by them.
    root, pdpt, directory = 0x1_0000, 0x1_0800, 0x1_1000
    guest = Guest32(
        f"mov eax, {pdpt}; mov ecx, cr4; or ecx, {PAE_BIT}; mov cr3, eax; mov cr4, ecx; mov ebx, [{DATA}]; int3",
        mode=TWO_LEVEL,
        rip=0x10_0000,
        data={
            root: (directory | 3).to_bytes(4, "little"),
            pdpt: (directory | 1).to_bytes(8, "little"),
            directory: (LARGE).to_bytes(8, "little"),
            directory + 24: (LARGE).to_bytes(8, "little"),
            directory + 4 * 0x100: (0x10_0003).to_bytes(4, "little"),
        },
    )
    guest.run()
    assert guest.vector == 3
    assert guest.machine.mmu.controls is not None
    assert guest.machine.mmu.controls.mode is PAE
    assert guest.machine.cpu.pdptes == (directory | 1, 0, 0, 0)


def test_pdpte_registers_come_back_with_a_checkpoint() -> None:
    load = f"mov dword ptr [{TABLES_AT + 16}], {{}}; mov eax, cr3; mov cr3, eax; "
    code = f"{load.format(0x5001)} mov ecx, 9000; again: loop again; {load.format(0x6001)} int3"
    guest = Guest32(code, mode=PAE, keep_history=True)
    guest.run(20_000)
    assert guest.machine.cpu.pdptes[2] == 0x6001
    guest.machine.seek(8500)
    assert guest.machine.cpu.pdptes[2] == 0x5001


# -- 5-level paging


@RINGS
@pytest.mark.parametrize("linear", [0x00FF_8000_0000_0000, 0xFF00_8000_0000_0000])
def test_5_level_paging_translates_57_bits(ring: int, linear: int) -> None:
    code = f"mov rax, {linear}; mov rbx, [rax + 8]; mov [rax], rbx; int3"
    guest = Guest(
        code, ring, mode=FIVE_LEVEL, pages={linear: (DATA_FRAME, 7)}, data={DATA_FRAME + 8: b"ABCDEFGH"}
    )
    guest.run()
    assert guest.vector == 3
    assert guest.machine.mmu.controls is not None
    assert guest.machine.mmu.controls.mode is FIVE_LEVEL
    assert guest.read(DATA_FRAME) == int.from_bytes(b"ABCDEFGH", "little")


def test_code_and_stack_may_lie_beyond_48_bits() -> None:
    linear = 0x00FF_8000_0000_0000
    body = assemble32("push 5; pop eax; int3")  # the same bytes in 64-bit code
    guest = Guest(
        f"mov rax, {linear}; lea rsp, [rax + 0x800]; jmp rax", mode=FIVE_LEVEL,
        pages={linear: (DATA_FRAME, 3)}, data={DATA_FRAME: body},
    )  # fmt: skip
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == 5
    assert guest.frame[0] == linear + 4


@pytest.mark.parametrize("linear", [1 << 56, 0xFEFF_FFFF_FFFF_F000])
def test_an_address_that_is_not_canonical_in_57_bits_is_a_general_protection_fault(linear: int) -> None:
    guest = Guest(f"mov rax, {linear}; mov rbx, [rax]", mode=FIVE_LEVEL)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)


def test_what_is_canonical_in_57_bits_only_is_refused_by_4_level_paging() -> None:
    guest = Guest(f"mov rax, {1 << 47}; mov rbx, [rax]")
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)


@pytest.mark.parametrize(
    ("model", "high", "refused"),
    [
        ("full", 0x0100_0000, True),
        ("full", 0x0001_0000, False),
        ("full,-la57", 0x0001_0000, True),
        ("full,-la57", 0x0000_7FFF, False),
    ],
)
def test_the_cpu_s_own_width_says_what_an_msr_takes_for_canonical(
    model: str, high: int, refused: bool
) -> None:
    guest = Guest(f"mov ecx, 0xC0000082; xor eax, eax; mov edx, {high}; wrmsr; int3", model=model)
    guest.run()
    assert guest.vector == (13 if refused else 3)


# -- smaller CPUs


@pytest.mark.parametrize(
    "code",
    [
        "mov ecx, 0xC0000080; rdmsr",
        "mov ecx, 0xC0000080; xor eax, eax; xor edx, edx; wrmsr",
        "mov ecx, 0xC0000082; rdmsr",
        f"mov eax, cr4; or eax, {SMEP}; mov cr4, eax",
        "mov eax, cr4; or eax, 0x200000; mov cr4, eax",
    ],
)
def test_a_pentium_3_has_neither_long_mode_nor_what_came_later(code: str) -> None:
    guest = Guest32(code, model="pentium3", mode=PAE)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)


def test_a_guest_runs_on_the_smallest_cpu_that_pages() -> None:
    guest = Guest32(f"mov eax, [{DATA}]; xor ecx, ecx; mov eax, 1; cpuid; int3", model="pentium")
    guest.run()
    assert guest.vector == 3
    assert not guest.reg("rdx") & 1 << 6, "PAE"
    assert guest.reg("rdx") & 1 << 3, "PSE"
