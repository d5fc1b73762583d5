# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine as a judge: a guest of a few bytes that makes one access at a time under the engine's own MMU."""

import ctypes
import struct
from collections.abc import Iterable
from typing import Final

from unicorn import (
    UC_ARCH_X86,
    UC_CTL_IO_WRITE,
    UC_CTL_TLB_FLUSH,
    UC_ERR_FETCH_UNMAPPED,
    UC_ERR_READ_UNMAPPED,
    UC_ERR_WRITE_UNMAPPED,
    UC_HOOK_INTR,
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_UNMAPPED,
    UC_HOOK_MEM_WRITE,
    UC_MODE_32,
    UC_MODE_64,
    UC_PROT_ALL,
    Uc,
    UcError,
)
from unicorn.x86_const import (
    UC_CPU_X86_ICELAKE_SERVER,
    UC_X86_REG_CR0,
    UC_X86_REG_CR2,
    UC_X86_REG_CR3,
    UC_X86_REG_CR4,
    UC_X86_REG_CS,
    UC_X86_REG_EAX,
    UC_X86_REG_ECX,
    UC_X86_REG_EDX,
    UC_X86_REG_EFLAGS,
    UC_X86_REG_ESI,
    UC_X86_REG_ESP,
    UC_X86_REG_GDTR,
    UC_X86_REG_MSR,
    UC_X86_REG_RSI,
    UC_X86_REG_RSP,
    UC_X86_REG_SS,
)

from emu.bits import PAGE_BYTES, PhysicalAddress
from emu.paging.fault import AccessType
from emu.paging.formats import RW, US, A, D, P
from emu.paging.modes import FIVE_LEVEL, PagingMode
from emu.paging.rights import Controls
from tests.referee.unicorn_mmu.case import PAGE_FAULT, Case, Outcome, Setting, plain_case, roots
from tests.referee.unicorn_mmu.memory import (
    GDT,
    LOW,
    MAXPHYADDR,
    OWN_TABLES,
    SUPERVISOR_CODE,
    SUPERVISOR_STACK,
    USER_CODE,
    Memory,
    address_of_word,
)

EFER: Final = 0xC000_0080
CS_SUPERVISOR, DS_SUPERVISOR, DS_USER, CS_USER = 0x08, 0x10, 0x1B, 0x23
SCRATCH_SELECTOR: Final = 8

# the same bytes do the same in 32-bit and in 64-bit code; ESI or RSI holds the linear address
READ, WRITE, LOAD_GS, WRPKRU, LAND, IRET = range(0, 0x600, 0x100)
INSTRUCTION: Final = {
    READ: bytes.fromhex("8b 06"),  # mov eax, [rsi]
    WRITE: bytes.fromhex("c6 06 b8"),  # mov byte [rsi], 0xb8: what a word under test begins with already
    LOAD_GS: bytes.fromhex("8e e8"),  # mov gs, ax: reads a descriptor, implicitly
    WRPKRU: bytes.fromhex("0f 01 ef"),
    LAND: bytes.fromhex("90"),
}
OUTSIDE_RAM: Final = (UC_ERR_READ_UNMAPPED, UC_ERR_WRITE_UNMAPPED, UC_ERR_FETCH_UNMAPPED)


class EngineMmu:
    """An engine in one paging mode whose guest makes one access at a time.

    RuntimeError if it does not behave as known.
    """

    def __init__(self, mode: PagingMode, cpu_model: int = UC_CPU_X86_ICELAKE_SERVER) -> None:
        """`cpu_model` must be one that offers SMAP, PKU and LA57, or the engine drops those bits silently."""
        self.mode = mode
        self.memory = Memory()
        self._long = mode.sign_extended
        uc = self._uc = Uc(UC_ARCH_X86, UC_MODE_64 if self._long else UC_MODE_32)
        self._pointer = UC_X86_REG_RSI if self._long else UC_X86_REG_ESI
        self._stack = UC_X86_REG_RSP if self._long else UC_X86_REG_ESP
        uc.ctl_set_cpu_model(cpu_model)
        uc.ctl_set_tcg_buffer_size(32 << 20)
        uc.ctl_exits_enabled(True)
        uc.ctl_set_exits([])
        for bank, buffer in self.memory.buffers.items():
            start = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
            uc.mem_map_ptr(bank.base, bank.bytes, UC_PROT_ALL, start)
        self._vector: int | None = None
        self._physical: int | None = None
        uc.hook_add(UC_HOOK_INTR, self._interrupted)
        uc.hook_add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, self._accessed)
        uc.hook_add(UC_HOOK_MEM_UNMAPPED, self._accessed)
        self._write_harness()
        self._rings = self._supervisor_context(), self._user_context()
        self._start = {}
        self._fault_context = uc.context_save()
        self._error_at = self._fault_context.context.value + self._find_error_code()

    def enter(self, setting: Setting) -> None:
        """Load the registers with `setting`, for the cases that follow."""
        uc, controls = self._uc, setting.controls
        cr4 = (
            controls.PSE << 4
            | (self.mode.entry_bytes == 8) << 5
            | controls.PGE << 7
            | (self.mode is FIVE_LEVEL) << 12
            | controls.SMEP << 20
            | controls.SMAP << 21
            | controls.PKE << 22
        )
        for cpl3, ring in enumerate(self._rings):
            uc.context_restore(ring)
            uc.reg_write(UC_X86_REG_MSR, (EFER, 0x500 * self._long | controls.NXE << 11))
            uc.reg_write(UC_X86_REG_CR4, cr4)
            uc.reg_write(UC_X86_REG_CR3, controls.root)
            uc.reg_write(UC_X86_REG_CR0, 0x8000_0011 | controls.WP << 16)
            if uc.reg_read(UC_X86_REG_CR4) != cr4:
                raise RuntimeError(f"the engine does not take CR4 {cr4:#x}")
            if controls.PKE:
                self._load_pkru((USER_CODE if cpl3 else SUPERVISOR_CODE) + WRPKRU, controls.PKRU)
            for ac in (False, True):
                uc.reg_write(UC_X86_REG_EFLAGS, 2 | ac << 18)
                self._start[cpl3 == 1, ac] = uc.context_save()

    def outcome(self, case: Case) -> Outcome:
        """Make the access of `case`, in the setting entered, and see what comes of it."""
        memory, size = self.memory, self.mode.entry_bytes
        for address, value in case.entries:
            memory.write(address, value, size)
        self._access(case)
        entries = tuple([memory.read(address, size) for address, _ in case.entries])
        for address, _ in case.entries:
            memory.reset(address)
        if self._physical is not None:
            if case.type is AccessType.WRITE:
                memory.reset(self._physical)
            return Outcome(None, None, None, self._physical, entries)
        if self._vector is None:
            word = self._uc.reg_read(UC_X86_REG_EAX)
            return Outcome(None, None, None, address_of_word(word), entries)
        cr2 = self._uc.reg_read(UC_X86_REG_CR2) if self._vector == PAGE_FAULT else None
        return Outcome(self._vector, self._error_code(), cr2, None, entries)

    def _interrupted(self, uc: Uc, vector: int, _data: object) -> None:
        self._vector = vector
        uc.emu_stop()

    def _accessed(self, _uc: Uc, _type: int, address: int, _size: int, _value: int, _data: object) -> bool:
        if self._physical is None:
            self._physical = address
        return False

    def _access(self, case: Case) -> None:
        uc = self._uc
        uc.context_restore(self._start[case.cpl3, case.ac])
        uc.reg_write(self._pointer, case.linear)
        code = USER_CODE if case.cpl3 else SUPERVISOR_CODE
        if case.implicit:
            uc.reg_write(UC_X86_REG_GDTR, (0, case.linear - SCRATCH_SELECTOR, 0xFFFF, 0))
            uc.reg_write(UC_X86_REG_EAX, SCRATCH_SELECTOR)
            code += LOAD_GS
        elif case.type is AccessType.FETCH:
            code = case.linear
        else:
            code += WRITE if case.type is AccessType.WRITE else READ
        uc.ctl(UC_CTL_TLB_FLUSH, UC_CTL_IO_WRITE)
        self._step(code)

    def _step(self, code: int) -> None:
        self._vector = self._physical = None
        try:
            self._uc.emu_start(code, 0, count=1)
        except UcError as error:
            if error.errno not in OUTSIDE_RAM or self._physical is None:
                raise

    def _error_code(self) -> int:
        self._uc.context_update(self._fault_context)
        return ctypes.c_uint32.from_address(self._error_at).value

    def _load_pkru(self, code: int, value: int) -> None:
        uc = self._uc
        for register, number in ((UC_X86_REG_EAX, value), (UC_X86_REG_ECX, 0), (UC_X86_REG_EDX, 0)):
            uc.reg_write(register, number)
        self._step(code)
        if self._vector is not None:
            raise RuntimeError(f"WRPKRU gave vector {self._vector}")

    def _write_harness(self) -> None:
        memory, size = self.memory, self.mode.entry_bytes
        levels = self.mode.levels
        for root in roots(self.mode):
            memory.write(root, OWN_TABLES[0] | self._table_flags(0), size)
        for depth in range(1, len(levels) - 1):
            memory.write(OWN_TABLES[depth - 1], OWN_TABLES[depth] | self._table_flags(depth), size)
        last = OWN_TABLES[len(levels) - 2]
        for page in (SUPERVISOR_CODE, USER_CODE, GDT, SUPERVISOR_STACK):
            flags = P | RW | A | D | (US if page == USER_CODE else 0)
            memory.write(last + page // PAGE_BYTES * size, page | flags, size)
        low = memory.buffers[LOW]
        width = 0x00AF_0000_0000_0000 if self._long else 0x00CF_0000_0000_0000
        data = 0x00CF_0000_0000_FFFF
        descriptors = (
            0,
            width | 0x9B00_0000_FFFF,
            data | 0x9300 << 32,
            data | 0xF300 << 32,
            width | 0xFB00_0000_FFFF,
        )
        low[GDT : GDT + 40] = struct.pack("<5Q", *descriptors)
        iret = bytes.fromhex("48 cf" if self._long else "cf")
        for page in (SUPERVISOR_CODE, USER_CODE):
            for offset, code in (*INSTRUCTION.items(), (IRET, iret)):
                low[page + offset : page + offset + len(code)] = code
        frame = (USER_CODE + LAND, CS_USER, 2, SUPERVISOR_STACK, DS_USER)
        packed = struct.pack("<5Q" if self._long else "<5I", *frame)
        low[SUPERVISOR_STACK : SUPERVISOR_STACK + len(packed)] = packed
        memory.seal()

    def _table_flags(self, depth: int) -> int:
        form = self.mode.levels[depth].table
        return (P | RW | US) & ~form.implied | form.accessed

    def _supervisor_context(self):
        uc = self._uc
        uc.reg_write(UC_X86_REG_GDTR, (0, GDT, 39, 0))
        uc.reg_write(UC_X86_REG_CR3, roots(self.mode)[0])
        uc.reg_write(UC_X86_REG_CR4, (self.mode.entry_bytes == 8) << 5 | (self.mode is FIVE_LEVEL) << 12)
        uc.reg_write(UC_X86_REG_MSR, (EFER, 0x500 * self._long))
        uc.reg_write(UC_X86_REG_CR0, 0x8000_0011)
        uc.reg_write(UC_X86_REG_CS, CS_SUPERVISOR)
        uc.reg_write(UC_X86_REG_SS, DS_SUPERVISOR)
        return uc.context_save()

    def _user_context(self):
        """The engine changes its privilege level only by running an instruction that does."""
        uc = self._uc
        uc.reg_write(self._stack, SUPERVISOR_STACK)
        self._step(SUPERVISOR_CODE + IRET)
        if uc.reg_read(UC_X86_REG_CS) != CS_USER:
            raise RuntimeError("iret did not reach user mode")
        return uc.context_save()

    def _find_error_code(self) -> int:
        """The error code is not in the API: faults of known code show where it is in the saved context."""
        controls = Controls(
            True,
            True,
            False,
            False,
            self.mode,
            PhysicalAddress(roots(self.mode)[0]),
            PGE=False,
            maxphyaddr=MAXPHYADDR,
        )
        setting = Setting(controls)
        self.enter(setting)
        leaf = LOW.pages | P | RW | US
        candidates: Iterable[int] = range(0, self._fault_context.size - 3, 4)
        for raw, type, user, known in (
            (0, AccessType.READ, False, 0x00),
            (0, AccessType.WRITE, False, 0x02),
            (0, AccessType.WRITE, True, 0x06),
            (0, AccessType.FETCH, True, 0x14),
            (leaf ^ RW, AccessType.WRITE, True, 0x07),
            (leaf ^ RW, AccessType.WRITE, False, 0x03),
            (leaf, AccessType.FETCH, False, 0x11),
        ):
            blob = self._blob_after(plain_case(setting, raw, type, user))
            candidates = [at for at in candidates if int.from_bytes(blob[at : at + 4], "little") == known]
        if len(list(candidates)) != 1:
            raise RuntimeError(f"the error code may be at any of {candidates} in the saved context")
        return next(iter(candidates))

    def _blob_after(self, case: Case) -> bytes:
        for address, value in case.entries:
            self.memory.write(address, value, self.mode.entry_bytes)
        self._access(case)
        for address, _ in case.entries:
            self.memory.reset(address)
        if self._vector != PAGE_FAULT:
            raise RuntimeError(f"no page fault where there must be one\n{case}")
        self._uc.context_update(self._fault_context)
        return ctypes.string_at(self._fault_context.context, self._fault_context.size)
