# SPDX-License-Identifier: GPL-2.0-or-later
"""Unicorn and nothing else: hooks in, registers out.

The engine sees physical memory through windows: window w is all of RAM again at w << 32. Its memory hooks report only
physical addresses, so the window tells two linear pages that reach one frame apart; window 0 is where code is
fetched. Frames without RAM behind them (devices, empty bus) get pages of their own in an I/O window.
"""

import ctypes
import mmap
from collections.abc import Callable
from typing import Any, Final, cast

from unicorn import unicorn_const as uc_const
from unicorn import x86_const
from unicorn.unicorn import Uc, UcError

from emu.bits import PAGE_BYTES, PAGE_SHIFT
from emu.cpu.engine_state import EngineCounters, SavedContext, uclib
from emu.mem import PhysicalMemory

WINDOWS: Final = 8
"""Window 0 and seven more for synonyms."""
IO_WINDOW: Final = 0x20 << 32
IO_PAGES: Final = 64
PRIVATE: Final = 0x30 << 32
"""Engine memory that no guest address reaches: a page that stands for code that is not there, and SVM's blocks."""
NO_CODE: Final = PRIVATE
CONTROL_BLOCK: Final = PRIVATE + PAGE_BYTES
_MSR_BITMAP: Final = PRIVATE + 2 * PAGE_BYTES
ZERO_CODE: Final = PRIVATE + 4 * PAGE_BYTES
COPIED_CODE: Final = PRIVATE + (1 << 32)
"""Two pages, for even and odd linear pages: code that is about to change itself runs from a copy."""
_PRIVATE_BYTES: Final = 5 * PAGE_BYTES

READ_ONLY: Final = uc_const.UC_PROT_READ
READ_WRITE: Final = uc_const.UC_PROT_READ | uc_const.UC_PROT_WRITE
CODE: Final = uc_const.UC_PROT_EXEC

FILL_WRITE: Final = uc_const.UC_MEM_WRITE
FILL_FETCH: Final = uc_const.UC_MEM_FETCH

OK: Final = uc_const.UC_ERR_OK
BAD_INSTRUCTION: Final = uc_const.UC_ERR_INSN_INVALID

RFLAGS: Final = x86_const.UC_X86_REG_EFLAGS
CR2: Final = x86_const.UC_X86_REG_CR2
CS_SELECTOR: Final = x86_const.UC_X86_REG_CS
RIP: Final = x86_const.UC_X86_REG_RIP
RCX: Final = x86_const.UC_X86_REG_RCX
RSI: Final = x86_const.UC_X86_REG_RSI
RDI: Final = x86_const.UC_X86_REG_RDI

CODE_BUFFER_BYTES: Final = 32 << 20
_FLUSH_TLB: Final = uc_const.UC_CTL_TLB_FLUSH | 1 << 30

_U64 = ctypes.c_uint64
_FILL = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, _U64, ctypes.c_int, ctypes.POINTER(_U64), ctypes.c_void_p
)
# These two are called for every instruction and every access. Each argument costs the making of an int, so the last
# ones are not declared (the caller clears them away, in every calling convention that there are wheels for), and of
# those that nobody looks at only the lowest byte is taken, for which Python keeps an int ready.
_CODE = ctypes.CFUNCTYPE(None, ctypes.c_uint8, _U64, ctypes.c_uint32)
_MEMORY = ctypes.CFUNCTYPE(None, ctypes.c_uint8, ctypes.c_uint8, _U64, ctypes.c_int)
_NUMBER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
_SYSCALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_IN = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p)
_OUT = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p
)

FillHook = Callable[[Any, int, int, Any, Any], bool]
"""(engine, linear page address, FILL_ type, answer, -): answer[0] engine address, answer[1] rights; False refuses."""


class Engine:
    """One Unicorn in virtual-TLB mode over `memory`. Hooks are called inside a run: they must not raise."""

    def __init__(self, memory: PhysicalMemory) -> None:
        self.uc = uc = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_64)
        uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
        uc.ctl_set_tcg_buffer_size(CODE_BUFFER_BYTES)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory.buffer))
        for window in range(WINDOWS):
            uc.mem_map_ptr(window << 32, memory.size_bytes, uc_const.UC_PROT_ALL, address)
        uc.mem_map(PRIVATE, _PRIVATE_BYTES)
        self._copies = mmap.mmap(-1, 2 * PAGE_BYTES)
        copies = ctypes.addressof(ctypes.c_char.from_buffer(self._copies))
        uc.mem_map_ptr(COPIED_CODE, 2 * PAGE_BYTES, uc_const.UC_PROT_ALL, copies)
        uc.mem_write(NO_CODE, b"\x90" * PAGE_BYTES)
        uc.mem_write(CONTROL_BLOCK + 0x48, _MSR_BITMAP.to_bytes(8, "little"))
        uc.mem_write(_MSR_BITMAP, b"\xff" * (2 * PAGE_BYTES))
        uc.ctl_set_tlb_mode(uc_const.UC_TLB_VIRTUAL)
        uc.ctl_exits_enabled(True)
        uc.ctl_set_exits([])
        self._uch = cast(Any, uc)._uch
        self.context = SavedContext(uc)
        self.counters = EngineCounters(uc)
        self._keep: list[object] = [memory]

    def hook(
        self,
        fill: FillHook,
        code: Callable[[int, int, int], None],
        read: Callable[[int, int, int, int], None],
        write: Callable[[int, int, int, int], None],
        interrupt: Callable[[Any, int, Any], None],
        syscall: Callable[[Any, Any], None],
        port_in: Callable[[Any, int, int, Any], int],
        port_out: Callable[[Any, int, int, int, Any], None],
    ) -> None:
        """Install the hooks, once. `code` gets (-, RIP, size), `read` and `write` (-, -, engine address, size)."""
        instruction = uc_const.UC_HOOK_INSN
        self._add(uc_const.UC_HOOK_TLB_FILL, _FILL(fill))
        self._add(uc_const.UC_HOOK_CODE, _CODE(code))
        self._add(uc_const.UC_HOOK_MEM_READ, _MEMORY(read))
        self._add(uc_const.UC_HOOK_MEM_WRITE, _MEMORY(write))
        self._add(uc_const.UC_HOOK_INTR, _NUMBER(interrupt))
        self._add(instruction, _SYSCALL(syscall), x86_const.UC_X86_INS_SYSCALL)
        self._add(instruction, _SYSCALL(syscall), x86_const.UC_X86_INS_SYSENTER)
        self._add(instruction, _IN(port_in), x86_const.UC_X86_INS_IN)
        self._add(instruction, _OUT(port_out), x86_const.UC_X86_INS_OUT)

    def _add(self, kind: int, callback: Any, *extra: int) -> None:
        handle = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            self._uch,
            ctypes.byref(handle),
            kind,
            ctypes.cast(callback, ctypes.c_void_p),
            None,
            _U64(1),
            _U64(0),
            *(ctypes.c_int(value) for value in extra),
        )
        if status != OK:
            raise UcError(status)
        self._keep.append(callback)

    def map_io(self, read: Callable[[int, int], int], write: Callable[[int, int, int], None]) -> None:
        """Make the I/O window: read(offset, size) and write(offset, size, value) get offsets into it."""
        self.uc.mmio_map(
            IO_WINDOW,
            IO_PAGES << PAGE_SHIFT,
            lambda uc, offset, size, data: read(offset, size),
            None,
            lambda uc, offset, size, value, data: write(offset, size, value),
            None,
        )

    def run(self, rip: int, count: int) -> int:
        """Execute up to `count` (> 0) instructions from `rip`; an engine error number, OK at a stop or at the count."""
        return uclib.uc_emu_start(self._uch, _U64(rip), _U64(0), _U64(0), ctypes.c_size_t(count))

    def stop(self) -> None:
        """From a hook: end the run before the next instruction."""
        uclib.uc_emu_stop(self._uch)

    def flush_translations(self) -> None:
        """Forget every translation that a fill granted."""
        uclib.uc_ctl(self._uch, _FLUSH_TLB)

    def flush_blocks(self) -> None:
        """Forget all translated code. Not from a hook."""
        self.uc.ctl_flush_tb()

    def copy_code(self, page: int, content: bytes) -> int:
        """Put the bytes of linear code page `page` where no store reaches them; the engine address of the copy."""
        at = (page & 1) * PAGE_BYTES
        self._copies[at : at + PAGE_BYTES] = content
        return COPIED_CODE + at

    def read(self, register: int) -> int:
        """A register by its engine constant."""
        value = _U64(0)
        uclib.uc_reg_read(self._uch, register, ctypes.byref(value))
        return value.value

    def write(self, register: int, value: int) -> None:
        """Set a register by its engine constant."""
        uclib.uc_reg_write(self._uch, register, ctypes.byref(_U64(value)))
