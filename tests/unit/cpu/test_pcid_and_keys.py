# SPDX-License-Identifier: GPL-2.0-or-later
"""PCIDs and what invalidates by them; protection keys and PKRU."""

import pytest

from emu.events import Invalidated
from emu.paging.modes import PAE
from tests.helpers.stub import (
    CODE,
    DATA,
    DATA_END,
    DATA_FRAME,
    DATA_TABLE,
    DIRECT,
    STACK,
    STACK_FRAME,
    TABLES,
    Guest,
)
from tests.helpers.stub32 import Guest32

PCIDE, PGE, SMEP, SMAP, PKE = 1 << 17, 1 << 7, 1 << 20, 1 << 21, 1 << 22
SUPERVISOR_CODE = {CODE: (0x10_0000, 3), STACK - 0x1000: (STACK_FRAME + 0x1000, 3)}
"""With its stack."""
TURN_ON = "mov rax, cr4; bts rax, 17; mov cr4, rax; "
NO_FLUSH = 1 << 63
SWITCH = "mov rax, {:#x}; mov cr3, rax; "
CHANGE = f"mov rax, {DIRECT + DATA_TABLE:#x}; mov rcx, {DATA_FRAME + 0x1007:#x}; mov [rax], rcx; "
"""The page at DATA comes to have another frame, in memory."""
READ = f"mov rbx, [{DATA:#x}]; "
FRAMES = {DATA_FRAME: b"OLD....." + bytes(0xFF8) + b"NEW....."}
OLD, NEW = (int.from_bytes(text, "little") for text in (b"OLD.....", b"NEW....."))


def invalidated(guest: Guest) -> list[tuple[str, str]]:
    return [(event.operation, event.scope) for event in guest.events if isinstance(event, Invalidated)]


def play(code: str, **more: object) -> Guest:
    guest = Guest(f"{code} int3", data=FRAMES, **more)  # type: ignore[arg-type]
    guest.run()
    assert guest.vector == 3
    return guest


# -- MOV to CR3 and CR4 with PCIDs


@pytest.mark.parametrize(
    ("between", "seen"),
    [
        pytest.param(SWITCH.format(TABLES | 5), NEW, id="another PCID has a translation of its own"),
        pytest.param(
            SWITCH.format(TABLES | 5) + SWITCH.format(TABLES | NO_FLUSH), OLD, id="there and back without a flush"
        ),
        pytest.param(SWITCH.format(TABLES | 5) + SWITCH.format(TABLES), NEW, id="there and back with a flush"),
        pytest.param(SWITCH.format(TABLES | NO_FLUSH), OLD, id="bit 63 invalidates nothing"),
        pytest.param(SWITCH.format(TABLES), NEW, id="without it the PCID is invalidated"),
        pytest.param(f"invlpg [{DATA:#x}];", NEW, id="INVLPG in the current PCID"),
        pytest.param(
            SWITCH.format(TABLES | 5) + f"invlpg [{DATA:#x}]; " + SWITCH.format(TABLES | NO_FLUSH), OLD,
            id="INVLPG in another PCID",
        ),
        pytest.param(
            SWITCH.format(TABLES | 5) + "mov rax, cr4; btc rax, 7; mov cr4, rax; " + SWITCH.format(TABLES | NO_FLUSH),
            NEW, id="a change of CR4.PGE in another PCID",
        ),
        pytest.param("mov rax, cr4; btr rax, 17; mov cr4, rax;", NEW, id="CR4.PCIDE cleared"),
        pytest.param("mov rax, cr4; bts rax, 20; mov cr4, rax;", NEW, id="CR4.SMEP set"),
        pytest.param(
            SWITCH.format(TABLES | 5) + "mov rax, cr4; bts rax, 20; mov cr4, rax; " + SWITCH.format(TABLES | NO_FLUSH),
            OLD, id="CR4.SMEP set in another PCID",
        ),
        pytest.param("mov rax, cr4; bts rax, 21; mov cr4, rax; stac;", OLD, id="CR4.SMAP set"),
    ],
)  # fmt: skip
def test_what_a_stale_translation_outlives(between: str, seen: int) -> None:
    guest = play(TURN_ON + READ + CHANGE + between + READ, pages=SUPERVISOR_CODE)
    assert guest.reg("rbx") == seen


def test_bit_63_is_not_kept_and_the_pcid_is() -> None:
    guest = play(TURN_ON + SWITCH.format(TABLES | 0xFFF | NO_FLUSH) + "mov rbx, cr3;")
    assert guest.reg("rbx") == TABLES | 0xFFF
    assert guest.machine.mmu.pcid == 0xFFF
    assert invalidated(guest) == []


def test_without_pcide_the_low_bits_of_cr3_are_no_pcid() -> None:
    guest = play(SWITCH.format(TABLES | 0xFE7))
    assert guest.machine.mmu.pcid == 0


def test_smep_cleared_and_pse_changed_invalidate_nothing() -> None:
    guest = play(
        "mov rax, cr4; btr rax, 20; mov cr4, rax; btc rax, 4; mov cr4, rax;", cr4=SMEP, pages=SUPERVISOR_CODE
    )
    assert invalidated(guest) == []


def test_turning_pcids_on_invalidates_nothing() -> None:
    assert invalidated(play(TURN_ON)) == []


def test_the_pcid_comes_back_with_a_checkpoint() -> None:
    wait = "mov ecx, 9000; again: loop again; "
    code = TURN_ON + SWITCH.format(TABLES | 7) + wait + SWITCH.format(TABLES | 8)
    guest = Guest(code + "int3", keep_history=True)
    guest.run(20_000)
    assert guest.machine.mmu.pcid == 8
    guest.machine.seek(8500)
    assert guest.machine.mmu.pcid == 7


def test_a_pcid_of_a_smaller_cpu_is_refused() -> None:
    guest = Guest(TURN_ON, model="full,-pcid")
    guest.run()
    assert guest.vector == 13


# -- INVPCID

DESCRIBE = "mov rax, {:#x}; push rax; mov rax, {:#x}; push rax; mov ecx, {}; invpcid rcx, [rsp]; "
"""Linear address, first 8 bytes of the descriptor, type."""


@pytest.mark.parametrize(
    ("kind", "pcid", "scope"),
    [
        (0, 0, "0x0000_0000_0060_0000"),
        (0, 5, "PCID 5"),
        (1, 5, "PCID 5"),
        (2, 0, "all"),
        (3, 0, "but global"),
    ],
)
def test_invpcid_of_each_type_reaches_the_mmu_with_its_scope(kind: int, pcid: int, scope: str) -> None:
    guest = play(TURN_ON + DESCRIBE.format(DATA, pcid, kind) + "mov edx, 9;")
    (event,) = [event for event in guest.events if isinstance(event, Invalidated)]
    assert event.operation == "INVPCID"
    assert scope in event.scope
    assert guest.reg("rdx") == 9, "the next instruction runs"


@pytest.mark.parametrize(
    ("descriptor", "seen"),
    [((DATA, 0, 0), NEW), ((DATA, 5, 0), OLD), ((DATA + 0x1000, 0, 0), OLD), ((0, 0, 1), NEW), ((0, 5, 1), OLD),
     ((0, 0, 2), NEW), ((0, 0, 3), NEW)],
)  # fmt: skip
def test_invpcid_drops_what_its_type_and_descriptor_say(descriptor: tuple[int, int, int], seen: int) -> None:
    guest = play(TURN_ON + READ + CHANGE + DESCRIBE.format(*descriptor) + READ)
    assert guest.reg("rbx") == seen


@pytest.mark.parametrize(
    ("descriptor", "turn_on"),
    [
        pytest.param((DATA, 0, 4), TURN_ON, id="type 4"),
        pytest.param((DATA, 0x1000, 0), TURN_ON, id="a reserved bit of the descriptor"),
        pytest.param((DATA, 1 << 63, 3), TURN_ON, id="a reserved bit, where no PCID matters"),
        pytest.param((DATA, 5, 0), "", id="a PCID in type 0 with PCIDE = 0"),
        pytest.param((DATA, 5, 1), "", id="a PCID in type 1 with PCIDE = 0"),
        pytest.param((1 << 56, 0, 0), TURN_ON, id="a non-canonical address in type 0"),
    ],
)
def test_invpcid_refuses_what_the_manual_refuses(descriptor: tuple[int, int, int], turn_on: str) -> None:
    guest = Guest(turn_on + DESCRIBE.format(*descriptor))
    guest.run()
    assert (guest.vector, guest.frame[0]) == (13, 0)
    assert guest.frame[1] == CODE + guest.code_bytes - 6
    assert invalidated(guest) == []


@pytest.mark.parametrize("descriptor", [(1 << 56, 0, 1), (1 << 56, 0, 3), (0, 5, 2), (0, 5, 3)])
def test_types_that_need_neither_address_nor_pcid_do_not_look_at_them(
    descriptor: tuple[int, int, int],
) -> None:
    assert invalidated(play(DESCRIBE.format(*descriptor)))


def test_invpcid_s_descriptor_is_an_ordinary_read_that_may_fault() -> None:
    guest = Guest(f"mov ebx, {DATA_END - 8}; xor ecx, ecx; invpcid rcx, [rbx]")
    guest.run()
    assert (guest.vector, guest.frame[0], guest.cr2) == (14, 0, DATA_END)
    guest = Guest(f"mov ebx, {DATA + 0x1000}; mov ecx, 2; invpcid rcx, [rbx]; int3")
    guest.run()
    assert [event.implicit for event in guest.accesses if event.linear == DATA + 0x1000] == [False]


@pytest.mark.parametrize(("flag", "vector"), [("", 14), ("stac; ", 3)])
def test_smap_judges_invpcid_s_descriptor_by_ac(flag: str, vector: int) -> None:
    code = f"{flag}mov ebx, {DATA}; mov ecx, 2; invpcid rcx, [rbx]; int3"
    guest = Guest(code, cr4=SMAP, pages=SUPERVISOR_CODE)
    guest.run()
    assert guest.vector == vector


@pytest.mark.parametrize(
    ("code", "ring", "model", "vector"),
    [
        pytest.param("invpcid rax, [rsp]", 3, "full", 13, id="ring 3"),
        pytest.param("invpcid rax, [rsp]", 0, "full,-invpcid", 6, id="a CPU without it"),
        pytest.param("invpcid rax, [rsp]", 3, "full,-invpcid", 6, id="a CPU without it, ring 3"),
        pytest.param(".byte 0x0f, 0x38, 0x82, 0x04, 0x24", 0, "full", 6, id="no prefix 66"),
        pytest.param(".byte 0xf3, 0x66, 0x0f, 0x38, 0x82, 0x04, 0x24", 0, "full", 6, id="prefix F3"),
        pytest.param(".byte 0xf0, 0x66, 0x0f, 0x38, 0x82, 0x04, 0x24", 0, "full", 6, id="LOCK"),
        pytest.param(".byte 0x66, 0x0f, 0x38, 0x82, 0xc0", 0, "full", 6, id="a register as descriptor"),
    ],
)
def test_where_invpcid_is_no_instruction_or_not_allowed(
    code: str, ring: int, model: str, vector: int
) -> None:
    guest = Guest(code, ring, model=model)
    guest.run()
    assert guest.vector == vector
    assert guest.frame[vector == 13] == CODE


def test_invpcid_across_two_pages_is_fetched_from_both() -> None:
    body = bytes.fromhex("b900000000 6a00 6a00 66")  # mov ecx, 0; push 0; push 0; the first byte of invpcid
    rest = bytes.fromhex("0f38820c24 cc")
    start = CODE + 0x1000 - len(body)
    guest = Guest(body.rjust(0x1000, b"\x90") + rest, rip=start)
    guest.run()
    assert guest.vector == 3
    rest_fetched = next(event for event in guest.accesses if event.linear == CODE + 0x1000)
    assert (rest_fetched.type, rest_fetched.size) == ("fetch", 5)
    assert [operation for operation, _ in invalidated(guest)] == ["INVPCID"]


def test_invpcid_in_32_bit_code_takes_the_low_half_of_the_type() -> None:
    code = f"mov dword ptr [{DATA}], 0; mov ecx, 2; invpcid ecx, [{DATA}]; int3"
    guest = Guest32(code, mode=PAE)
    guest.run()
    assert guest.vector == 3
    assert invalidated(guest)[0][0] == "INVPCID"


# -- protection keys

KEY_2 = 2 << 59 | 7
KEYS_ON = "mov rax, cr4; bts rax, 22; mov cr4, rax; "
WRITE_PKRU = "xor ecx, ecx; xor edx, edx; mov eax, {:#x}; wrpkru; "
AD, WD = 1 << 4, 2 << 4
"""Of key 2."""
KEYED: dict[int, tuple[int, int]] = {DATA: (DATA_FRAME, KEY_2)}


@pytest.mark.parametrize(
    ("pkru", "access", "error"),
    [
        (AD, f"mov rbx, [{DATA}]", 0b10_0001),
        (AD, f"mov [{DATA}], rbx", 0b10_0011),
        (WD, f"mov [{DATA}], rbx", 0b10_0011),
        (WD, f"mov rbx, [{DATA}]", None),
        (0, f"mov [{DATA}], rbx", None),
        (~(AD | WD) & 0xFFFF_FFFC, f"mov [{DATA}], rbx", None),
    ],
)
@pytest.mark.parametrize("ring", [0, 3])
def test_a_key_denies_from_the_instruction_behind_wrpkru_on(
    pkru: int, access: str, error: int | None, ring: int
) -> None:
    warm = f"mov rbx, [{DATA}]; mov [{DATA}], rbx; "
    guest = Guest(f"{warm}{WRITE_PKRU.format(pkru)}{access}; int3", ring, cr4=PKE, pages=KEYED)
    guest.run()
    if error is None:
        assert guest.vector == 3
    else:
        assert (guest.vector, guest.frame[0], guest.cr2) == (14, error | (4 if ring else 0), DATA)


def test_what_a_key_denied_is_allowed_again_by_the_next_wrpkru() -> None:
    code = f"{WRITE_PKRU.format(AD)}{WRITE_PKRU.format(0)}mov rbx, [{DATA}]; int3"
    guest = Guest(code, 3, cr4=PKE, pages=KEYED)
    guest.run()
    assert guest.vector == 3


def test_without_pke_keys_mean_nothing() -> None:
    code = f"{WRITE_PKRU.format(AD)}mov rax, cr4; btr rax, 22; mov cr4, rax; mov rbx, [{DATA}]; int3"
    guest = Guest(code, cr4=PKE, pages=KEYED)
    guest.run()
    assert guest.vector == 3


@pytest.mark.parametrize("ring", [0, 3])
def test_rdpkru_reads_what_wrpkru_wrote(ring: int) -> None:
    code = f"{WRITE_PKRU.format(0x5555_5550)}mov rax, -1; mov rdx, -1; rdpkru; int3"
    guest = Guest(code, ring, cr4=PKE)
    guest.run()
    assert (guest.reg("rax"), guest.reg("rdx")) == (0x5555_5550, 0)


@pytest.mark.parametrize("ring", [0, 3])
@pytest.mark.parametrize(
    ("code", "cr4", "model", "vector"),
    [
        pytest.param("xor edx, edx; mov ecx, 1; wrpkru", PKE, "full", 13, id="WRPKRU with ECX"),
        pytest.param("xor ecx, ecx; mov edx, 1; wrpkru", PKE, "full", 13, id="WRPKRU with EDX"),
        pytest.param("mov ecx, 1; rdpkru", PKE, "full", 13, id="RDPKRU with ECX"),
        pytest.param("xor ecx, ecx; xor edx, edx; wrpkru", 0, "full", 6, id="WRPKRU without CR4.PKE"),
        pytest.param("xor ecx, ecx; rdpkru", 0, "full", 6, id="RDPKRU without CR4.PKE"),
        pytest.param("xor ecx, ecx; rdpkru", 0, "full,-pku", 6, id="RDPKRU of a CPU without keys"),
        pytest.param(
            "xor ecx, ecx; .byte 0x66, 0x0f, 0x01, 0xee", PKE, "full", 6, id="RDPKRU with prefix 66"
        ),
    ],
)
def test_wrpkru_and_rdpkru_refuse_what_the_manual_refuses(
    code: str, cr4: int, model: str, vector: int, ring: int
) -> None:
    guest = Guest(code, ring, cr4=cr4, model=model)
    guest.run()
    assert guest.vector == vector
    length = 4 if ".byte" in code else 3
    assert guest.frame[vector == 13] == CODE + guest.code_bytes - length
    assert guest.machine.cpu.pkru == 0


def test_upper_halves_of_rcx_and_rdx_do_not_matter() -> None:
    code = "mov rcx, 0x100000000; mov rdx, rcx; mov rax, -4; wrpkru; int3"
    guest = Guest(code, cr4=PKE)
    guest.run()
    assert (guest.vector, guest.machine.cpu.pkru) == (3, 0xFFFF_FFFC)


def test_ospke_shows_in_cpuid() -> None:
    guest = Guest(f"{KEYS_ON}xor ecx, ecx; mov eax, 7; cpuid; int3")
    guest.run()
    assert guest.reg("rcx") & (1 << 4 | 1 << 3) == 1 << 4 | 1 << 3


def test_pkru_comes_back_with_a_checkpoint() -> None:
    wait = "mov ecx, 9000; again: loop again; "
    guest = Guest(f"{WRITE_PKRU.format(AD)}{wait}{WRITE_PKRU.format(WD)}int3", cr4=PKE, keep_history=True)
    guest.run(20_000)
    assert guest.machine.cpu.pkru == WD
    guest.machine.seek(8500)
    assert guest.machine.cpu.pkru == AD


def test_keys_do_not_matter_to_pae_paging() -> None:
    code = f"xor ecx, ecx; xor edx, edx; mov eax, 3; wrpkru; mov ebx, [{DATA}]; int3"
    guest = Guest32(code, 3, mode=PAE, cr4=PKE)
    guest.run()
    assert guest.vector == 3
