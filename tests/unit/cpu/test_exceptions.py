# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""Faults: which vector, which error code, which address, and that the instruction can be run again as if nothing was."""

import struct

import pytest

from emu.machine import Ending
from tests.helpers.stub import (
    CODE,
    CODE0,
    CODE3,
    CODE_FRAME,
    CODE_TABLE,
    DATA,
    DATA3,
    DATA_END,
    DATA_FRAME,
    DIRECT,
    HANDLERS,
    IST1,
    MAP_DATA,
    STACK,
    STACK0,
    STACK_FRAME,
    Guest,
    assemble,
    gate,
)

RINGS = pytest.mark.parametrize("ring", [0, 3])
FIRST_HANDLER = HANDLERS + 0x1000
LAST = DATA_END - 4
"""An access of eight bytes here crosses into a page that is not there."""


def at(linear: int) -> int:
    """The physical address of a data page."""
    return linear - DATA + DATA_FRAME


# -- page faults: the address and the error code


@RINGS
@pytest.mark.parametrize(
    ("code", "cr2", "write"),
    [
        (f"mov rax, [{DATA_END:#x}]", DATA_END, 0),
        (f"mov al, [{DATA_END + 0xFFF:#x}]", DATA_END + 0xFFF, 0),
        (f"mov rax, [{LAST:#x}]", DATA_END, 0),
        (f"mov [{LAST:#x}], rax", DATA_END, 2),
        (f"mov [{DATA_END + 5:#x}], al", DATA_END + 5, 2),
        (f"add qword ptr [{DATA_END + 8:#x}], 1", DATA_END + 8, None),
        (f"lock inc dword ptr [{DATA_END + 8:#x}]", DATA_END + 8, None),
        (f"movups xmm0, [{LAST:#x}]", DATA_END, 0),
        (f"lea rdi, [{DATA_END - 2:#x}]; mov ecx, 9; rep stosb", DATA_END, 2),
        (f"lea rsi, [{DATA_END - 2:#x}]; lea rdi, [{DATA:#x}]; mov ecx, 9; rep movsb", DATA_END, 0),
    ],
)
def test_cr2_is_the_first_byte_that_is_missing(ring: int, code: str, cr2: int, write: int | None) -> None:
    guest = Guest(code, ring)
    guest.run()
    assert (guest.vector, guest.cr2) == (14, cr2)
    user = 4 if ring else 0
    assert guest.frame[0] in ((user, user | 2) if write is None else (user | write,))
    assert guest.frame[2] == (CODE3 if ring else CODE0)
    assert guest.faults[0].cr2 == cr2
    assert guest.faults[0].reason == "NOT_PRESENT"


@RINGS
def test_a_store_across_a_page_that_faults_leaves_no_byte_behind(ring: int) -> None:
    guest = Guest(f"mov rax, -1; mov [{LAST:#x}], rax", ring)
    guest.run()
    assert guest.vector == 14
    assert guest.read(at(LAST), 4) == 0


@RINGS
def test_a_faulting_instruction_changed_nothing_and_counts_for_nothing(ring: int) -> None:
    guest = Guest(f"mov eax, 7; mov ebx, 9; add rax, [{DATA_END:#x}]", ring)
    guest.run()
    assert (guest.reg("rax"), guest.reg("rbx")) == (7, 9)
    assert guest.frame[1] == CODE + 10
    assert guest.executed == 3, "two moves and the handler's HLT"


def test_a_user_access_to_the_kernel_s_page_names_the_entry_that_refused() -> None:
    guest = Guest("mov rax, [0x1000]", 3)
    guest.run()
    assert (guest.vector, guest.cr2, guest.frame[0]) == (14, 0x1000, 5)
    assert guest.faults[0].reason == "USER_ACCESS_TO_SUPERVISOR_PAGE"
    assert guest.faults[0].entry == guest.entry(0x1000)


@pytest.mark.parametrize(
    ("code", "ring", "cr4", "flags", "page", "error"),
    [
        (f"mov [{DATA:#x}], al", 3, 0, 2, 5, 7),
        (f"mov [{DATA:#x}], al", 0, 0, 2, 5, 3),
        (f"mov [{DATA:#x}], al", 0, 1 << 21, 2, 7, 3),
        (f"mov al, [{DATA:#x}]", 0, 1 << 21, 2, 7, 1),
        (f"mov al, [{DATA:#x}]; hlt", 0, 1 << 21, 2 | 1 << 18, 7, None),
        (f"mov rax, {DATA}; jmp rax", 3, 0, 2, 7 | 1 << 63, 0x15),
        (f"mov rax, {DATA}; jmp rax", 3, 0, 2, 7 | 1 << 51, 0x1D),
        (f"mov al, [{DATA:#x}]", 3, 0, 2, 7 | 1 << 45, 0xD),
    ],
)
def test_rights_are_those_of_the_manual(
    code: str, ring: int, cr4: int, flags: int, page: int, error: int | None
) -> None:
    pages = {CODE: (CODE_FRAME, 3 if cr4 else 7), DATA: (DATA_FRAME, page)}
    if cr4:
        pages[STACK - 0x1000] = (0x11_1000, 3)
    guest = Guest(code, ring, cr4=cr4, flags=flags, pages=pages)
    guest.run()
    if error is None:
        assert guest.vector is None
        assert not guest.faults
    else:
        assert (guest.vector, guest.frame[0]) == (14, error)


def test_smep_refuses_the_kernel_a_user_page() -> None:
    guest = Guest(f"mov rax, {DATA}; jmp rax", cr4=1 << 20, pages={CODE: (CODE_FRAME, 3)})
    guest.run()
    assert (guest.vector, guest.frame[0], guest.frame[1], guest.cr2) == (14, 0x11, DATA, DATA)


def test_a_fetch_that_runs_off_its_page_faults_at_the_next() -> None:
    code = b"\x90" * 0x1000
    guest = Guest(code, 3, pages={CODE + 0x1000: None})
    guest.run()
    assert (guest.vector, guest.cr2, guest.frame[0]) == (14, CODE + 0x1000, 0x14)
    assert guest.frame[1] == CODE + 0x1000
    assert guest.executed == 0x1001


@RINGS
def test_an_instruction_that_straddles_into_a_missing_page_faults_at_its_own_start(ring: int) -> None:
    code = b"\x90" * 0xFFC + assemble("mov rax, 0x1122334455667788")
    guest = Guest(code, ring, pages={CODE + 0x1000: None})
    guest.run()
    assert (guest.vector, guest.cr2) == (14, CODE + 0x1000)
    assert guest.frame[1] == CODE + 0xFFC
    assert guest.executed == 0xFFD


@RINGS
@pytest.mark.parametrize(
    ("code", "left"),
    [
        pytest.param("48c7c7ffffffff", 1, id="MOV, cut behind REX"),
        pytest.param("48c7c7ffffffff", 2, id="MOV, cut before its ModRM byte"),
        pytest.param("48c7c7ffffffff", 3, id="MOV, cut before its immediate"),
        pytest.param("480fbae000", 3, id="BT, cut before its ModRM byte"),
        pytest.param("480fc70f", 3, id="CMPXCHG16B, cut before its ModRM byte"),
        pytest.param("0f05", 1, id="SYSCALL, cut within its opcode"),
    ],
)
def test_an_instruction_cut_off_by_a_missing_page_is_not_an_invalid_one(
    ring: int, code: str, left: int
) -> None:
    code_bytes = b"\x90" * (0x1000 - left) + bytes.fromhex(code)
    guest = Guest(code_bytes, ring, pages={CODE + 0x1000: None})
    guest.run()
    assert (guest.vector, guest.cr2) == (14, CODE + 0x1000)
    assert guest.frame[1] == CODE + 0x1000 - left


@RINGS
@pytest.mark.parametrize("code", ["0f0b", "06", "0fff00", "c7d000000000"])
def test_an_invalid_instruction_before_a_missing_page_is_invalid(ring: int, code: str) -> None:
    raw = bytes.fromhex(code)
    left = min(len(raw), 3)
    guest = Guest(b"\x90" * (0x1000 - left) + raw, ring, pages={CODE + 0x1000: None})
    guest.run()
    assert guest.vector == 6
    assert guest.frame[0] == CODE + 0x1000 - left


# -- restart


def restarted(code: str, missing: tuple[int, ...], ring: int = 3, **more: object) -> Guest:
    pages = dict.fromkeys(missing) | dict(more.pop("pages", {}))  # type: ignore[call-overload]
    guest = Guest(code + "\nint3", ring, pages=pages, handlers={14: MAP_DATA}, **more)  # type: ignore[arg-type]
    guest.run()
    assert guest.vector == 3
    return guest


def test_a_push_that_faulted_is_made_once() -> None:
    guest = restarted(f"mov rsp, {DATA + 0x1000}; mov eax, 0x77; push rax", (DATA,))
    assert guest.frame[3] == DATA + 0xFF8
    assert guest.read(at(DATA + 0xFF8)) == 0x77
    assert [fault.cr2 for fault in guest.faults] == [DATA + 0xFF8]


def test_a_call_that_faulted_is_made_once() -> None:
    guest = restarted(f"mov rsp, {DATA + 0x1000}; call there; nop; there:", (DATA,))
    assert guest.frame[3] == DATA + 0xFF8
    assert guest.read(at(DATA + 0xFF8)) == CODE + 7 + 5
    assert len(guest.faults) == 1


def test_a_pop_into_memory_that_faulted_is_made_once() -> None:
    guest = restarted(f"push 0x55; pop qword ptr [{DATA:#x}]", (DATA,))
    assert guest.frame[3] == STACK
    assert guest.read(at(DATA)) == 0x55


def test_a_read_modify_write_across_two_missing_pages_faults_once_for_each() -> None:
    guest = restarted(f"add qword ptr [{DATA + 0xFFC:#x}], 5", (DATA, DATA + 0x1000))
    assert guest.read(at(DATA + 0xFFC)) == 5
    assert [fault.cr2 for fault in guest.faults] == [DATA + 0xFFC, DATA + 0x1000]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_string_copy_goes_on_where_it_stopped(backwards: bool) -> None:
    content = bytes(range(1, 256)) * 33
    first = f"lea rsi, [{DATA:#x}]; lea rdi, [{DATA + 0x1800:#x}]; cld"
    if backwards:
        first = f"lea rsi, [{DATA + 0x1FFF:#x}]; lea rdi, [{DATA + 0x37FF:#x}]; std"
    guest = restarted(
        f"{first}; mov ecx, 0x2000; rep movsb",
        (DATA + 0x2000, DATA + 0x3000),
        data={DATA_FRAME: content[:0x1800]},
    )
    source = content[:0x1800] + (bytes(0x800) if backwards else content[:0x800])
    if backwards:
        expected = content[:0x1800] + bytes(0x800)
        image = bytearray(expected + bytes(0x2000))
        for n in range(0x1FFF, -1, -1):
            image[0x1800 + n] = image[n]
    else:
        image = bytearray(content[:0x1800] + bytes(0x2800))
        for n in range(0x2000):
            image[0x1800 + n] = image[n]
    del source
    assert guest.machine.memory.buffer[DATA_FRAME : DATA_FRAME + 0x3800] == bytes(image[:0x3800])
    assert guest.reg("rcx") == 0
    pages = [fault.cr2 for fault in guest.faults]
    assert sorted(page & ~0xFFF for page in pages if page) == [DATA + 0x2000, DATA + 0x3000]


def test_a_repeated_store_that_faults_shows_how_far_it_came() -> None:
    guest = Guest(f"lea rdi, [{DATA_END - 24:#x}]; mov ecx, 8; mov rax, -1; rep stosq", 3)
    guest.run()
    assert (guest.vector, guest.reg("rcx"), guest.reg("rdi")) == (14, 5, DATA_END)
    assert (
        guest.frame[1] == CODE + assemble(f"lea rdi, [{DATA_END - 24:#x}]; mov ecx, 8; mov rax, -1").__len__()
    )


def test_an_iretq_whose_frame_crosses_into_a_missing_page_is_made_once() -> None:
    frame = DATA + 0x1000 - 16
    guest = Guest(
        f"mov rsp, {frame}; iretq",
        0,
        pages={DATA + 0x1000: None},
        data={at(frame): struct.pack("<QQ", CODE + 0x80, CODE3), CODE_FRAME + 0x80: b"\xcc"}
        | {at(DATA + 0x1000): struct.pack("<QQQ", 0x202, STACK - 64, DATA3)},
        handlers={14: MAP_DATA},
        gates={14: gate(FIRST_HANDLER, ist=1)},
    )
    guest.run()
    assert guest.vector == 3
    assert guest.frame[0:2] == (CODE + 0x81, CODE3)
    assert guest.frame[3:] == (STACK - 64, DATA3)
    assert [fault.cr2 for fault in guest.faults] == [DATA + 0x1000]


@pytest.mark.parametrize(
    ("instruction", "left", "value"),
    [
        pytest.param("mov rax, 0x1122334455667788", 0xFFC, 0x1122334455667788, id="cut in its immediate"),
        pytest.param("mov rax, -1", 0xFFE, 2**64 - 1, id="cut before its ModRM byte"),
    ],
)
def test_a_straddling_instruction_runs_once_its_second_page_is_there(
    instruction: str, left: int, value: int
) -> None:
    handler = f"push rax; mov rax, {CODE_FRAME + 0x1007}; mov [{DIRECT + CODE_TABLE + 8}], rax; pop rax; add rsp, 8; iretq"
    handler = handler.replace(
        f"mov [{DIRECT + CODE_TABLE + 8}], rax",
        f"push rbx; mov rbx, {DIRECT + CODE_TABLE + 8}; mov [rbx], rax; pop rbx",
    )
    code = b"\x90" * left + assemble(instruction + "; int3")
    guest = Guest(code, 3, pages={CODE + 0x1000: None}, handlers={14: handler})
    guest.run()
    assert guest.vector == 3
    assert guest.reg("rax") == value
    assert len(guest.faults) == 1


# -- other faults


@RINGS
@pytest.mark.parametrize(
    ("code", "vector", "error"),
    [
        ("xor edx, edx; xor ecx, ecx; div ecx", 0, None),
        ("ud2", 6, None),
        ("mov rax, 0x0001000000000000; mov al, [rax]", 13, 0),
        ("mov rax, 0xffff000000000000; mov [rax], al", 13, 0),
        ("mov rbp, 0x0001000000000000; mov al, [rbp]", 12, 0),
        ("mov rsp, 0x0001000000000000; push rax", 12, 0),
        ("mov rsp, 0x0001000000000000; pop rax", 12, 0),
        ("mov ax, 0x1000; mov ds, ax", 13, 0x1000),
        ("mov ax, 0x33; mov ds, ax", 13, 0x30),
        ("xor eax, eax; mov ss, ax", 13, 0),
    ],
)
def test_a_fault_has_the_vector_and_error_code_of_the_manual(
    ring: int, code: str, vector: int, error: int | None
) -> None:
    if ring == 0 and (code.startswith("xor eax, eax; mov ss") or "rsp" in code):
        pytest.skip("legal in ring 0, or no stack left to push a frame on")
    guest = Guest(code, ring)
    guest.run()
    assert guest.vector == vector
    if error is not None:
        assert guest.frame[0] == error


def test_a_fault_pushes_rf_so_that_a_restart_passes_breakpoints_and_an_interrupt_does_not() -> None:
    guest = Guest("ud2", 3)
    guest.run()
    assert guest.frame[2] == 0x10002
    guest = Guest("int3", 3)
    guest.run()
    assert guest.frame[2] == 2


def test_the_ring_3_stack_is_left_for_that_of_the_tss() -> None:
    guest = Guest("ud2", 3)
    guest.run()
    assert guest.reg("rsp") == STACK0 - 40
    assert guest.frame[3:] == (STACK, DATA3)


def test_a_fault_in_ring_0_stays_on_its_stack_aligned_to_16() -> None:
    guest = Guest("push rax; ud2", 0)
    guest.run()
    assert guest.reg("rsp") == (STACK - 8 & ~15) - 40
    assert guest.frame[3] == STACK - 8


@RINGS
def test_a_gate_with_an_ist_takes_that_stack_whatever_the_ring(ring: int) -> None:
    guest = Guest("ud2", ring, gates={6: gate(HANDLERS + 16 * 6, ist=1)})
    guest.run()
    assert guest.vector == 6
    assert guest.reg("rsp") == IST1 - 40


def test_a_trap_gate_leaves_interrupts_on_and_an_interrupt_gate_turns_them_off() -> None:
    for kind, expected in ((0xEF, 0x202), (0xEE, 2)):
        guest = Guest(
            "int3",
            3,
            flags=0x202,
            gates={3: gate(FIRST_HANDLER, kind=kind)},
            handlers={5: "pushfq; pop rax; cli; hlt"},
        )
        guest.run()
        assert guest.reg("rax") == expected


# -- INT n


@RINGS
def test_int_n_passes_a_gate_whose_dpl_allows_it_and_returns_behind_itself(ring: int) -> None:
    guest = Guest("nop; int 0x80", ring, gates={0x80: gate(HANDLERS + 16 * 0x80, kind=0xEE)})
    guest.run()
    assert guest.vector == 0x80
    assert guest.frame[0] == CODE + 3
    assert not guest.faults


@pytest.mark.parametrize(
    ("content", "vector", "error"),
    [
        (gate(HANDLERS), 13, 0x41 * 8 + 2),
        (gate(HANDLERS, kind=0x6E), 11, 0x41 * 8 + 2),
        (gate(HANDLERS, kind=0xE5), 13, 0x41 * 8 + 2),
        (gate(HANDLERS, kind=0xEE, selector=0), 13, 0),
        (gate(HANDLERS, kind=0xEE, selector=0x10), 13, 0x10),
        (gate(HANDLERS, kind=0xEE, selector=0x1000), 13, 0x1000),
        (gate(HANDLERS, kind=0xEE, selector=0x18), 13, 0x18),
        (bytes(16), 13, 0x41 * 8 + 2),
    ],
)
def test_int_n_is_refused_by_its_gate_and_stays_at_the_instruction(
    content: bytes, vector: int, error: int
) -> None:
    guest = Guest("nop; int 0x41", 3, gates={0x41: content})
    guest.run()
    assert guest.vector == vector
    assert guest.frame[0] == error
    assert guest.frame[1] == CODE + 1
    assert guest.executed == 2


def test_ring_0_may_use_any_gate() -> None:
    guest = Guest("int 0x41", 0)
    guest.run()
    assert guest.vector == 0x41


def test_int_n_beyond_the_limit_of_the_idt_is_refused() -> None:
    guest = Guest(
        "sub rsp, 16; mov word ptr [rsp], 0xfff; mov qword ptr [rsp+2], 0x1000; mov word ptr [rsp], 0x20f; mov qword ptr [rsp+2], 0x2000; lidt [rsp]; int 0x41"
    )
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0x41 * 8 + 2)


# -- faults within faults


@RINGS
def test_a_page_fault_whose_handler_is_not_present_becomes_a_double_fault(ring: int) -> None:
    guest = Guest(f"mov al, [{DATA_END:#x}]", ring, gates={14: gate(HANDLERS, kind=0x0E)})
    guest.run()
    assert guest.vector == 8
    assert guest.frame[0] == 0
    assert guest.frame[1] == CODE
    assert [fault.vector for fault in guest.faults][:2] == [14, 11]


def test_a_fault_without_gate_that_is_benign_becomes_the_fault_of_its_delivery() -> None:
    guest = Guest("ud2", 3, gates={6: bytes(16)})
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 6 * 8 + 2 + 1)


def test_a_page_fault_on_the_way_into_a_divide_error_is_delivered_instead() -> None:
    guest = Guest(
        f"mov rsp, {DATA_END + 0x800}; xor ecx, ecx; div ecx", 0, gates={14: gate(HANDLERS + 16 * 14, ist=1)}
    )
    guest.run()
    assert (guest.vector, guest.cr2) == (14, DATA_END + 0x800 - 8), "the first push, as on hardware"
    assert [fault.vector for fault in guest.faults] == [0, 14]


def test_a_frame_across_two_pages_is_refused_where_its_first_push_into_the_missing_one_lands() -> None:
    guest = Guest(
        f"mov rsp, {DATA + 0x10}; xor ecx, ecx; div ecx", 0, gates={14: gate(HANDLERS + 16 * 14, ist=1)}
    )
    guest.run()
    assert (guest.vector, guest.cr2) == (14, DATA - 8)


def test_two_page_faults_in_a_row_are_a_double_fault() -> None:
    guest = Guest(f"mov rsp, {DATA_END + 0x800}; push rax", 0, gates={8: gate(HANDLERS + 16 * 8, ist=1)})
    guest.run()
    assert guest.vector == 8
    assert [fault.vector for fault in guest.faults] == [14, 14]


@RINGS
def test_a_triple_fault_ends_the_run_with_a_report(ring: int) -> None:
    guest = Guest("ud2", ring, gates={6: bytes(16), 13: bytes(16), 8: bytes(16)})
    ended = guest.run()
    assert ended is not None
    assert ended.ending is Ending.TRIPLE_FAULT
    assert "#DF double fault" in ended.text
    assert [fault.vector for fault in guest.faults] == [6, 13, 13, 13]
    assert guest.run() is ended, "a machine that has ended stays so"


def test_a_stack_that_is_gone_altogether_is_a_triple_fault() -> None:
    guest = Guest("mov rsp, 0x0001000000000000; push rax")
    ended = guest.run()
    assert ended is not None
    assert ended.ending is Ending.TRIPLE_FAULT


# -- debug exceptions


def test_the_trap_flag_gives_a_debug_exception_after_each_instruction() -> None:
    guest = Guest("nop; nop", 3, flags=0x102)
    guest.run()
    assert guest.vector == 1
    assert guest.frame[0] == CODE + 1


def test_faults_for_ever_without_an_instruction_between_them_end_the_run_with_a_report() -> None:
    guest = Guest("ud2", 0, gates={6: gate(DATA_END, ist=1), 14: gate(DATA_END, ist=1)})
    ended = guest.run(5000)
    assert ended is not None
    assert ended.ending is Ending.FAULTS_FOR_EVER
    assert "#PF page fault" in ended.text
    assert guest.executed == 0


def test_a_frame_across_two_pages_goes_to_the_frame_of_each() -> None:
    pages = {STACK - 0x2000: (STACK_FRAME + 0x1000, 7), STACK - 0x1000: (STACK_FRAME, 7)}
    guest = Guest(f"mov esp, {STACK - 0x1000 + 16}; int3", pages=pages)
    guest.run()
    assert guest.reg("rsp") == STACK - 0x1000 + 16 - 40
    assert guest.frame[:2] == (CODE + guest.code_bytes, 8)
    assert guest.frame[3:] == (STACK - 0x1000 + 16, 0x10)
