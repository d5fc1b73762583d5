# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""System instructions: control registers, MSRs, system calls, ports, time, and what this CPU does not offer."""

import pytest

from emu.cpu.cpuid import cpuid
from emu.cpu.model import FULL
from emu.events import Invalidated, PortAccessed, Returned, SyscallEntered
from emu.machine import Ending
from tests.helpers.stub import (
    CODE,
    CODE3,
    CODE_FRAME,
    CODE_TABLE,
    DATA,
    DATA_FRAME,
    DATA_TABLE,
    DIRECT,
    HANDLERS,
    STACK,
    TABLES,
    Guest,
    assemble,
)

RINGS = pytest.mark.parametrize("ring", [0, 3])
SYSCALL_ENTRY = HANDLERS + 16 * 255
PE, NE, WP, NW, CD, PG = 1 << 0, 1 << 5, 1 << 16, 1 << 29, 1 << 30, 1 << 31
ON = PE | WP | PG | 0x10


# -- control registers


@pytest.mark.parametrize(
    "code",
    [
        f"mov rax, {ON | 1 << 32}; mov cr0, rax",
        f"mov eax, {PG | WP}; mov cr0, rax",
        f"mov eax, {ON | NW}; mov cr0, rax",
        f"mov eax, {PE | WP}; mov cr0, rax",
        "mov rax, cr4; btr rax, 5; mov cr4, rax",
        "mov rax, cr4; bts rax, 12; mov cr4, rax",
        "mov rax, cr4; bts rax, 16; mov cr4, rax",
        "mov rax, cr4; bts rax, 63; mov cr4, rax",
        "mov rax, cr3; bts rax, 63; mov cr3, rax",
        "mov rax, cr3; bts rax, 40; mov cr3, rax",
        "mov rax, cr3; bts rax, 40; .byte 0x0f, 0x22, 0x18",
        "mov r8, cr3; bts r8, 40; .byte 0x41, 0x0f, 0x22, 0x58",
        "mov ecx, 0xC0000080; rdmsr; bts eax, 4; wrmsr",
        "mov ecx, 0xC0000080; rdmsr; btr eax, 8; wrmsr",
        "mov ecx, 0xC0000080; rdmsr; mov edx, 1; wrmsr",
        "mov ecx, 0x12345; rdmsr",
        "mov ecx, 0x12345; wrmsr",
        "mov ecx, 0x1B; rdmsr",
        "mov ecx, 0xC0000082; mov eax, 0; mov edx, 0x01000000; wrmsr",
        "mov ecx, 0xC0000100; mov eax, 0; mov edx, 0x80000000; wrmsr",
        "rdpmc",
    ],
)
def test_ring_0_is_refused_what_the_manual_refuses(code: str) -> None:
    guest = Guest(code)
    before = guest.machine.cpu.engine.context.save()
    registers = [before.cr(n) for n in (0, 3, 4)], before.efer
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    after = guest.machine.cpu.engine.context.save()
    assert ([after.cr(n) for n in (0, 3, 4)], after.efer) == registers


@pytest.mark.parametrize(
    "code",
    [
        f"mov eax, {ON | CD}; mov cr0, rax; mov eax, {ON | CD | NW}; mov cr0, rax",
        "mov rax, cr4; bts rax, 20; bts rax, 7; mov cr4, rax; mov rax, cr4; bt rax, 20; jnc fail",
        "mov rax, cr3; mov cr3, rax",
        "mov ecx, 0xC0000080; rdmsr; btr eax, 11; btr eax, 0; wrmsr; rdmsr; bt eax, 11; jc fail",
        "mov ecx, 0xC0000101; mov eax, 0x1234; xor edx, edx; wrmsr; rdmsr; cmp eax, 0x1234; jne fail",
        "clts; smsw ax; lmsw ax; wbinvd; invd",
    ],
)
def test_ring_0_is_allowed_what_the_manual_allows(code: str) -> None:
    guest = Guest(f"{code}; mov ebx, 1; hlt; fail: ud2", pages={CODE: (0x10_0000, 3)})
    guest.run()
    assert not guest.faults
    assert guest.reg("rbx") == 1


@pytest.mark.parametrize(
    "code",
    [
        "mov rax, cr0", "mov rax, cr3", "mov cr3, rax", "mov cr0, rax", "mov cr4, rax", "mov cr2, rax", "mov rax, dr7",
        "clts", "lmsw ax", "hlt", "cli", "sti", "invlpg [rsp]", "wbinvd", "lgdt [rsp-16]", "lidt [rsp-16]", "ltr ax",
        "lldt ax", "swapgs", "mov ecx, 0xC0000080; rdmsr", "mov ecx, 0xC0000080; wrmsr", "sysretq", "rdpmc",
    ],
)  # fmt: skip
def test_ring_3_is_refused_every_privileged_instruction(code: str) -> None:
    guest = Guest(code, 3)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    last = assemble(code.rsplit(";", 1)[0]) if ";" in code else b""
    assert guest.frame[1] == CODE + len(last)
    assert guest.frame[2] == CODE3


@RINGS
@pytest.mark.parametrize(
    "code",
    [
        "rdrand eax", "rdrand rax", "rdrand ax", "rdrand r15", "rdseed eax", "rdseed r8", "rdpid rax", "rdtscp", "mwait",
        "monitor", "sysenter", "xgetbv", "vmcall", "vmmcall", "getsec", "rdfsbase rax", "wrpkru",
        ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x0f,0xc7,0xf0", ".byte 0xf2,0x66,0x48,0x0f,0xc7,0xf8",
    ],
)  # fmt: skip
def test_what_cpuid_does_not_offer_is_an_invalid_opcode(ring: int, code: str) -> None:
    guest = Guest(f"xor ecx, ecx; {code}", ring)
    guest.run()
    assert guest.vector == 6
    assert guest.frame[0] == CODE + 2
    assert guest.reg("rax") == 0


@RINGS
def test_a_hidden_instruction_that_is_written_at_run_time_is_as_invalid(ring: int) -> None:
    code = "lea rbx, [rip + there]; mov dword ptr [rbx], 0x90f0c70f; nop; there: nop; nop; nop; nop; int3"
    guest = Guest(code, ring)
    guest.run()
    assert guest.vector == 6


@RINGS
@pytest.mark.parametrize(
    "leaf",
    [0, 1, 2, 4, 7, 0xB, 0xD, 0x4000_0000, 0x8000_0000, 0x8000_0001, 0x8000_0003, 0x8000_0008, 0xFFFF_FFFF],
)
def test_cpuid_answers_what_the_model_does_and_clears_the_upper_halves(ring: int, leaf: int) -> None:
    guest = Guest(f"mov rbx, -1; mov rcx, -1; mov rdx, -1; xor ecx, ecx; mov eax, {leaf}; cpuid; int3", ring)
    guest.run()
    assert tuple(guest.reg(name) for name in ("rax", "rbx", "rcx", "rdx")) == cpuid(leaf, 0, FULL, 0)


def test_cpuid_offers_neither_an_apic_nor_randomness_nor_other_clocks() -> None:
    _, _, ecx, edx = cpuid(1, 0, FULL, 0)
    assert not edx & 1 << 9, "local APIC"
    assert not ecx & (1 << 30 | 1 << 3 | 1 << 26), "RDRAND, MONITOR, XSAVE"
    assert not cpuid(7, 0, FULL, 0)[1] & 1 << 18, "RDSEED"
    assert not cpuid(0x8000_0001, 0, FULL, 0)[3] & 1 << 27, "RDTSCP"


# -- time


@RINGS
def test_rdtsc_reads_the_board_s_clock(ring: int) -> None:
    guest = Guest("rdtsc; mov ebx, eax; nop; nop; nop; rdtsc; int3", ring)
    start = guest.machine.journal.clock
    guest.run()
    assert guest.reg("rbx") == start + 1
    assert guest.reg("rax") - guest.reg("rbx") == 5
    assert guest.reg("rdx") == 0


def test_rdtsc_can_be_kept_from_ring_3_and_never_from_ring_0() -> None:
    guest = Guest("rdtsc; int3", 3, cr4=1 << 2)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    guest = Guest("rdtsc; int3", 0, cr4=1 << 2)
    guest.run()
    assert guest.vector == 3


def test_the_time_stamp_counter_can_be_set_and_read_as_an_msr() -> None:
    guest = Guest(
        "mov ecx, 0x10; mov eax, 1000; mov edx, 2; wrmsr; nop; rdtsc; mov ebx, eax; mov esi, edx; rdmsr; int3"
    )
    guest.run()
    assert (guest.reg("rbx"), guest.reg("rsi")) == (1002, 2)
    assert guest.reg("rax") == 1005


# -- system calls


def syscall_guest(code: str, entry: str = "hlt", **more: object) -> Guest:
    return Guest(code, 3, data={SYSCALL_ENTRY: assemble(entry)}, **more)  # type: ignore[arg-type]


def test_syscall_enters_ring_0_with_the_way_back_in_rcx_and_r11() -> None:
    guest = syscall_guest("mov eax, 5; mov edi, 6; syscall", flags=0x202)
    guest.run()
    assert guest.rip == SYSCALL_ENTRY + 1
    assert (guest.reg("rcx"), guest.reg("r11")) == (CODE + 12, 0x202)
    assert guest.machine.journal.cpl == 0
    context = guest.machine.cpu.engine.context.save()
    assert (context.segment(1)[0], context.segment(2)[0]) == (0x08, 0x10)
    assert guest.machine.cpu.engine.read(25) & 0x200 == 0, "FMASK clears IF"
    assert guest.reg("rsp") == STACK, "the stack is the kernel's own business"


def test_sysret_goes_back_to_ring_3_and_the_result_is_reported() -> None:
    guest = syscall_guest("mov eax, 5; mov edi, 6; syscall; nop; int3", "mov eax, 77; sysretq", flags=0x202)
    guest.run()
    assert guest.vector == 3
    assert guest.frame[1:] == (CODE3, 0x202, STACK, 0x23)
    calls = [event for event in guest.events if isinstance(event, SyscallEntered)]
    assert [(call.number, call.arguments[0], call.result) for call in calls] == [(5, 6, None), (5, 6, 77)]
    (returned,) = [event for event in guest.events if isinstance(event, Returned)]
    assert (returned.instruction, returned.to_rip, returned.to_cpl) == ("sysret", CODE + 12, 3)
    assert returned.insn == calls[1].insn


def test_after_sysret_the_kernel_s_pages_are_out_of_reach() -> None:
    guest = syscall_guest("syscall; mov al, [0x1000]", "mov al, [0x1000]; sysretq")
    guest.run()
    assert (guest.vector, guest.cr2, guest.frame[0]) == (14, 0x1000, 5)


def test_syscall_without_its_enable_bit_is_an_invalid_opcode() -> None:
    guest = Guest("mov ecx, 0xC0000080; rdmsr; btr eax, 0; wrmsr; syscall")
    guest.run()
    assert guest.vector == 6
    assert guest.frame[0] == CODE + len(assemble("mov ecx, 0xC0000080; rdmsr; btr eax, 0; wrmsr"))


def test_iretq_to_ring_3_is_reported_and_changes_the_ring() -> None:
    code = (
        f"push 0x23; push {STACK}; push 2; push {CODE3}; lea rax, [rip + there]; push rax; iretq; there: int3"
    )
    guest = Guest(code)
    guest.run()
    assert guest.vector == 3
    assert guest.frame[1] == CODE3
    (returned,) = [event for event in guest.events if isinstance(event, Returned)]
    assert (returned.instruction, returned.to_cpl) == ("iret", 3)


def test_an_iretq_to_a_wider_ring_than_its_own_is_refused() -> None:
    code = f"push 0x10; push {STACK}; push 2; push 8; lea rax, [rip + there]; push rax; iretq; there: int3"
    guest = Guest(code, 3)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 8)


# -- ports


@pytest.mark.parametrize(
    "code", ["in al, 0xe9", "out 0xe9, al", "mov edx, 0xe9; in eax, dx", "mov edx, 0xe9; out dx, ax"]
)
def test_a_port_is_refused_to_ring_3_and_nobody_behind_it_hears_of_it(code: str) -> None:
    guest = Guest(f"mov eax, 0x1234; {code}; int3", 3)
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    assert guest.reg("rax") == 0x1234
    assert not [event for event in guest.events if isinstance(event, PortAccessed)]


def test_a_refused_port_is_refused_at_the_instruction() -> None:
    guest = Guest("nop; out 0xe9, al; int3", 3)
    guest.run()
    assert guest.frame[1] == CODE + 1


def test_iopl_opens_every_port() -> None:
    guest = Guest("out 0xe9, al; in al, 0xe9; int3", 3, flags=0x3002)
    guest.run()
    assert guest.vector == 3
    assert [(e.address, e.write) for e in guest.events if isinstance(e, PortAccessed)] == [
        (0xE9, True),
        (0xE9, False),
    ]


@pytest.mark.parametrize(
    ("port", "instruction", "allowed"),
    [
        (0x80, "in al, dx", True),
        (0x81, "in al, dx", False),
        (0x7F, "in ax, dx", False),
        (0x80, "in ax, dx", False),
        (0x84, "in eax, dx", True),
        (0x87, "in ax, dx", True),
        (0x86, "in eax, dx", False),
        (0xFF, "in al, dx", True),
        (0x100, "in al, dx", False),
        (0x3F8, "in al, dx", False),
    ],
)
def test_the_bitmap_of_the_tss_opens_single_ports(port: int, instruction: str, allowed: bool) -> None:
    bitmap = bytearray(b"\xff" * 32)
    for opened in (0x80, 0x84, 0x85, 0x86, 0x87, 0x88, 0xFF):
        bitmap[opened // 8] &= ~(1 << opened % 8)
    guest = Guest(f"mov edx, {port}; {instruction}; int3", 3, io_bitmap=bytes(bitmap))
    guest.run()
    assert guest.vector == (3 if allowed else 13)


@RINGS
def test_string_output_reads_memory_and_writes_the_port(ring: int) -> None:
    guest = Guest(
        f"mov edx, 0xe9; mov esi, {DATA}; mov ecx, 3; rep outsb; int3",
        ring,
        flags=0x3002,
        data={DATA_FRAME: b"abc"},
    )
    guest.run()
    assert guest.vector == 3
    assert bytes(e.data for e in guest.events if isinstance(e, PortAccessed)) == b"abc"


@pytest.mark.parametrize("code", ["outsb", "insb", "rep outsb", "rep insd"])
def test_string_ports_are_refused_to_ring_3_as_well(code: str) -> None:
    guest = Guest(
        f"mov edx, 0xe9; mov esi, {DATA}; mov edi, {DATA}; mov ecx, 3; {code}", 3, data={DATA_FRAME: b"abcd"}
    )
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    assert (guest.reg("rcx"), guest.reg("rsi"), guest.reg("rdi")) == (3, DATA, DATA)
    assert guest.read(DATA_FRAME, 4) == 0x64636261
    assert not [event for event in guest.events if isinstance(event, PortAccessed)]


# -- INVLPG and MOV CR3


def stale_guest(invalidate: str, ring: int = 0, **more: object) -> Guest:
    """Reads a page, points its entry at the next frame, invalidates, reads again into RBX."""
    code = f"""
        mov al, [{DATA:#x}]
        mov rcx, {DIRECT + DATA_TABLE:#x}
        mov rdx, [rcx]
        add rdx, 0x1000
        mov [rcx], rdx
        {invalidate}
        movzx ebx, byte ptr [{DATA:#x}]
        hlt
    """
    guest = Guest(code, ring, data={DATA_FRAME: b"\x11", DATA_FRAME + 0x1000: b"\x22"}, **more)  # type: ignore[arg-type]
    guest.run()
    assert not guest.faults
    return guest


def test_code_that_is_running_is_stale_from_the_store_into_its_own_entry_on() -> None:
    entry = DIRECT + CODE_TABLE + 8 * (CODE >> 12 & 0x1FF)
    code = "or byte ptr [rcx], 0; nop; nop; add qword ptr [rcx], 0x1000; nop; nop; hlt"
    guest = Guest(f"mov rcx, {entry:#x}; {code}", 0)
    guest.run()
    stale = [access for access in guest.accesses if access.stale]
    assert [access.type for access in stale] == ["fetch"] * 3
    assert {access.physical & ~0xFFF for access in stale} == {CODE_FRAME}


@pytest.mark.parametrize("tlb", ["haswell", "pentium3"])
def test_without_an_invalidation_the_old_frame_is_read_and_the_access_is_stale(tlb: str) -> None:
    guest = stale_guest("", tlb=tlb)
    assert guest.reg("rbx") == 0x11
    assert [access.physical for access in guest.accesses if access.stale] == [DATA_FRAME]


@pytest.mark.parametrize(
    "invalidate",
    [
        f"mov rsi, {DATA + 0x123}; invlpg [rsi]",
        f"mov esi, {DATA // 2}; invlpg [rsi*2 + 0x10]",
        f"mov r12, {DATA}; invlpg [r12]",
        "mov rax, cr3; mov cr3, rax",
        "mov rax, cr4; btc rax, 7; mov cr4, rax",
    ],
)
def test_after_an_invalidation_the_new_frame_is_read(invalidate: str) -> None:
    guest = stale_guest(invalidate)
    assert guest.reg("rbx") == 0x22
    assert not [access for access in guest.accesses if access.stale]


@pytest.mark.parametrize(
    "invalidate", [f"invlpg [{DATA + 0x1000:#x}]", "mov rsi, 0x0001000000600000; invlpg [rsi]", "wbinvd"]
)
def test_another_page_s_invalidation_and_a_non_canonical_one_leave_it_stale(invalidate: str) -> None:
    assert stale_guest(invalidate).reg("rbx") == 0x11


def test_invlpg_is_reported_with_what_it_dropped() -> None:
    guest = stale_guest(f"invlpg [{DATA:#x}]")
    (event,) = [event for event in guest.events if isinstance(event, Invalidated)]
    assert event.operation == "INVLPG"
    assert [place.split()[0] for place in event.dropped] == ["L1D", "L2"]


def test_mov_cr3_keeps_a_global_page_and_cr4_pge_drops_it() -> None:
    more = {"pages": {DATA: (DATA_FRAME, 0x107)}, "cr4": 1 << 7}
    assert stale_guest("mov rax, cr3; mov cr3, rax", **more).reg("rbx") == 0x11
    assert stale_guest("mov rax, cr4; btc rax, 7; mov cr4, rax", **more).reg("rbx") == 0x22


def test_a_tlb_of_one_entry_forgets_by_itself() -> None:
    from tests.helpers.bench import array, tlbs

    guest = stale_guest("", tlb=tlbs(array(serves="both", sizes="4K 2M", entries=1)))
    assert guest.reg("rbx") == 0x22


# -- HLT and interrupts


PIT = """
    mov al, 0x11; out 0x20, al; mov al, 0x20; out 0x21, al; mov al, 4; out 0x21, al; mov al, 1; out 0x21, al
    mov al, 0xfe; out 0x21, al
    mov al, {mode}; out 0x43, al; mov al, {low}; out 0x40, al; mov al, {high}; out 0x40, al
"""


def timer(count: int, mode: int = 0x30) -> str:
    """Program the 8259 and channel 0: interrupt 0x20 after `count` ticks, once."""
    return PIT.format(mode=mode, low=count & 0xFF, high=count >> 8)


def test_hlt_with_interrupts_off_is_idle_for_ever() -> None:
    guest = Guest("hlt")
    ended = guest.run()
    assert ended is not None
    assert ended.ending is Ending.IDLE_FOR_EVER


def test_hlt_with_nothing_due_is_idle_for_ever() -> None:
    ended = Guest("sti; hlt").run()
    assert ended is not None
    assert ended.ending is Ending.IDLE_FOR_EVER


def test_hlt_sleeps_until_the_timer_and_goes_on_behind_itself() -> None:
    code = timer(1000) + "sti; hlt; after: nop; hlt"
    guest = Guest(code)
    start = guest.machine.journal.clock
    guest.run()
    assert guest.vector == 0x20
    assert guest.frame[0] == CODE + len(assemble(code)) - 2
    assert guest.machine.journal.clock - start >= 83_000
    assert guest.machine.journal.idle > 80_000


def test_an_interrupt_that_is_due_while_if_is_0_waits_for_sti_and_one_instruction_more() -> None:
    code = timer(2) + "mov ecx, 1000; wait: dec ecx; jnz wait; sti; nop; after: nop; nop; int3"
    guest = Guest(code)
    guest.run()
    assert guest.vector == 0x20
    assert guest.frame[0] == CODE + len(assemble(code)) - 3, "the instruction behind STI still runs"
    assert guest.frame[2] & 0x200


@pytest.mark.parametrize(
    "unmask",
    [
        "push 0x202; popfq",
        f"push 0x10; push {STACK}; push 0x202; push 8; lea rax, [rip+1f]; push rax; iretq; 1:",
    ],
)
def test_popf_and_iret_unmask_at_once(unmask: str) -> None:
    code = timer(2) + f"mov ecx, 1000; wait: dec ecx; jnz wait; {unmask}; nop; nop; int3"
    guest = Guest(code)
    guest.run()
    assert guest.vector == 0x20
    assert guest.frame[0] == CODE + len(assemble(code)) - 3


def test_mov_ss_holds_interrupts_back_for_one_instruction() -> None:
    code = timer(2) + "mov ecx, 1000; wait: dec ecx; jnz wait; push 0x202; mov ax, 0x10; popfq; nop; int3"
    guest = Guest(code)
    guest.run()
    assert guest.vector == 0x20


def test_a_timer_that_is_due_while_if_is_0_costs_no_stepping_one_by_one() -> None:
    guest = Guest(timer(2) + "mov ecx, 100000; wait: dec ecx; jnz wait; sti; nop; nop")
    runs = 0
    engine_run = guest.machine.cpu.engine.run

    def counted(rip: int, count: int) -> int:
        nonlocal runs
        runs += 1
        return engine_run(rip, count)

    guest.machine.cpu.engine.run = counted  # type: ignore[method-assign]
    guest.run(300_000)
    assert guest.vector == 0x20
    assert runs < 100


def test_an_interrupt_ends_a_repeated_string_instruction_between_two_iterations() -> None:
    code = timer(3) + f"sti; mov edi, {DATA}; mov ecx, 0x3000; rep stosb; hlt"
    guest = Guest(code)
    guest.run(20_000)
    assert guest.vector == 0x20
    assert 0 < guest.reg("rcx") < 0x3000
    assert guest.reg("rdi") == DATA + 0x3000 - guest.reg("rcx")
    assert guest.frame[0] == CODE + len(assemble(code)) - 3
    assert guest.read(guest.reg("rdi") - DATA + DATA_FRAME, 1) == 0
    assert TABLES
