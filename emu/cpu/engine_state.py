# SPDX-License-Identifier: GPL-2.0-or-later
"""Unicorn's private layout: the only file that knows it. Found by running unicorn 2.1.4, verified at start-up.

A saved context is a 40-byte header, whose first word is END (the offset of the end of the register state), and then
the raw register state of QEMU's x86 CPU. Some of it has no public name: the privilege level and code size (`hflags`),
segment caches, the pending exception. Two counters of the engine object itself have no public name either.
"""

import ctypes
import struct
from contextlib import suppress
from typing import Any, Final, cast

import unicorn
from unicorn import unicorn_const as uc_const
from unicorn import x86_const
from unicorn.unicorn import Uc, UcError
from unicorn.unicorn_py3 import unicorn as binding

NEEDED: Final = "2.1.4"
_HEADER: Final = 40
_GPR, _RIP, _HFLAGS, _SEGMENTS = 0, 128, 176, 184
_SEGMENT_BYTES: Final = 24
_LDT, _TR, _GDT, _IDT, _CR0, _EFER = 328, 352, 376, 400, 424, 592
_ERROR_CODE, _IS_INT, _OLD_EXCEPTION = -184, -180, -72
_VMCB, _INTERCEPT, _CR_READ, _CR_WRITE = -64, -48, -40, -38
_EMU_COUNTER, _INVALID_ADDRESS = 1368, 1416

ES, CS, SS, DS, FS, GS = range(6)
DESCRIPTOR_L: Final = 1 << 21
"""In a descriptor's high word: 64-bit code."""
HF_CPL: Final = 3
HF_INHIBIT_IRQ: Final = 1 << 3
HF_CS32: Final = 1 << 4
HF_SS32: Final = 1 << 5
HF_ADDSEG: Final = 1 << 6
HF_PE: Final = 1 << 7
HF_LMA: Final = 1 << 14
HF_CS64: Final = 1 << 15
HF_GUEST: Final = 1 << 21


class EngineMismatch(RuntimeError):
    """The installed Unicorn is not the one whose layout this file describes."""


uclib = cast(Any, binding).uclib


_DESCRIPTOR: Final = struct.Struct("<I4xQII")
"""Selector, base, limit, flags."""
_SYSTEM_SEGMENTS: Final = struct.Struct("<8xQI4x8xQI4x8xQI")


class SavedContext:
    """One reusable saved context whose bytes can be read and patched. 64-bit offsets are checked by `verify`."""

    def __init__(self, uc: Uc) -> None:
        self._uch = cast(Any, uc)._uch
        self._context = cast(Any, binding).UcContext(self._uch, cast(Any, uc)._arch, cast(Any, uc)._mode)
        size = int(self._context.size)
        address = ctypes.cast(self._context.context, ctypes.c_void_p).value
        assert address is not None
        self._raw = (ctypes.c_char * size).from_address(address)
        self._bytes = memoryview(self._raw).cast("B")
        self._end = _HEADER + struct.unpack_from("<Q", self._raw, 0)[0]

    def save(self) -> "SavedContext":
        """Take the engine's registers."""
        uclib.uc_context_save(self._uch, self._context.context)
        return self

    def restore(self) -> None:
        """Give the engine these registers."""
        uclib.uc_context_restore(self._uch, self._context.context)

    def content(self) -> bytes:
        """Everything, for a checkpoint."""
        return bytes(self._bytes)

    def set_content(self, content: bytes) -> None:
        """Take back what `content` gave."""
        self._bytes[:] = content

    def _get(self, form: str, offset: int) -> int:
        return struct.unpack_from(form, self._bytes, _HEADER + offset)[0]

    def _set(self, form: str, offset: int, value: int) -> None:
        struct.pack_into(form, self._bytes, _HEADER + offset, value)

    def gpr(self, number: int) -> int:
        """General-purpose register by its encoding: 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8 to 15."""
        return self._get("<Q", _GPR + 8 * number)

    def set_gpr(self, number: int, value: int) -> None:
        """Set a general-purpose register."""
        self._set("<Q", _GPR + 8 * number, value & (1 << 64) - 1)

    @property
    def rip(self) -> int:
        """Instruction pointer."""
        return self._get("<Q", _RIP)

    @rip.setter
    def rip(self, value: int) -> None:
        self._set("<Q", _RIP, value & (1 << 64) - 1)

    @property
    def hflags(self) -> int:
        """The engine's summary of mode and privilege (HF_ constants)."""
        return self._get("<I", _HFLAGS)

    @hflags.setter
    def hflags(self, value: int) -> None:
        self._set("<I", _HFLAGS, value)

    def segment(self, number: int) -> tuple[int, int, int, int]:
        """(selector, base, limit, flags) of a segment register's cache; flags are the descriptor's high word."""
        return self._descriptor(_SEGMENTS + _SEGMENT_BYTES * number)

    def set_segment(self, number: int, selector: int, base: int, limit: int, flags: int) -> None:
        """Load a segment register's cache directly."""
        at = _SEGMENTS + _SEGMENT_BYTES * number
        self._set("<I", at, selector)
        self._set("<Q", at + 8, base)
        self._set("<I", at + 16, limit)
        self._set("<I", at + 20, flags)

    def _descriptor(self, at: int) -> tuple[int, int, int, int]:
        return _DESCRIPTOR.unpack_from(self._bytes, _HEADER + at)

    @property
    def gdt(self) -> tuple[int, int]:
        """(base, limit)."""
        return self._descriptor(_GDT)[1:3]

    @property
    def idt(self) -> tuple[int, int]:
        """(base, limit)."""
        return self._descriptor(_IDT)[1:3]

    @property
    def ldt(self) -> tuple[int, int]:
        """(base, limit)."""
        return self._descriptor(_LDT)[1:3]

    @property
    def tr(self) -> tuple[int, int]:
        """(base, limit) of the task-state segment."""
        return self._descriptor(_TR)[1:3]

    @property
    def system_segments(self) -> tuple[int, int, int, int, int, int]:
        """Base and limit of LDT, task-state segment and GDT, in one piece: each fill asks for them."""
        return _SYSTEM_SEGMENTS.unpack_from(self._bytes, _HEADER + _LDT)

    @property
    def tr_type(self) -> int:
        """The type of the task-state segment's descriptor: 1 or 3 for a 16-bit one."""
        return self._descriptor(_TR)[3] >> 8 & 15

    @property
    def linear_rip(self) -> int:
        """The linear address of the next instruction: RIP, and outside 64-bit code the base of CS."""
        if self.hflags & HF_CS64:
            return self.rip
        return self.rip + self.segment(CS)[1] & 0xFFFFFFFF

    @linear_rip.setter
    def linear_rip(self, value: int) -> None:
        self.rip = value if self.hflags & HF_CS64 else value - self.segment(CS)[1] & 0xFFFFFFFF

    def cr(self, number: int) -> int:
        """Control register 0 to 4."""
        return self._get("<Q", _CR0 + 8 * number)

    def set_cr(self, number: int, value: int) -> None:
        """Set a control register without any of its side effects."""
        self._set("<Q", _CR0 + 8 * number, value)

    @property
    def efer(self) -> int:
        """IA32_EFER."""
        return self._get("<Q", _EFER)

    @efer.setter
    def efer(self, value: int) -> None:
        self._set("<Q", _EFER, value)

    def _tail(self, offset: int) -> int:
        return self._end - _HEADER + offset

    @property
    def error_code(self) -> int:
        """Error code of the exception that stopped the engine."""
        return self._get("<I", self._tail(_ERROR_CODE))

    @property
    def exception_is_int(self) -> int:
        """Nonzero if the exception is an INT n or INT3."""
        return self._get("<I", self._tail(_IS_INT))

    def settle_exception(self) -> None:
        """Do what delivering an exception inside the engine would have done: no exception is under way any more."""
        self._set("<i", self._tail(_OLD_EXCEPTION), -1)
        self._set("<I", self._tail(_IS_INT), 0)

    def set_intercepts(
        self, codes: tuple[int, ...], cr_reads: int, cr_writes: int, control_block: int
    ) -> None:
        """Stop before what SVM would intercept: exit codes from 0x60, and masks of control registers."""
        word = 0
        for code in codes:
            word |= 1 << (code - 0x60)
        self._set("<Q", self._tail(_INTERCEPT), word)
        self._set("<H", self._tail(_CR_READ), cr_reads)
        self._set("<H", self._tail(_CR_WRITE), cr_writes)
        self._set("<Q", self._tail(_VMCB), control_block)


class EngineCounters:
    """Two numbers inside the engine object: instructions begun in this run, and the address of a refused access."""

    def __init__(self, uc: Uc) -> None:
        base = ctypes.cast(cast(Any, uc)._uch, ctypes.c_void_p).value
        assert base is not None
        self._begun = ctypes.c_uint64.from_address(base + _EMU_COUNTER)
        self._refused = ctypes.c_uint64.from_address(base + _INVALID_ADDRESS)

    @property
    def begun(self) -> int:
        """Instructions begun since the run started; the run ends when they are as many as it was given."""
        return self._begun.value

    @begun.setter
    def begun(self, value: int) -> None:
        self._begun.value = value

    @property
    def refused_address(self) -> int:
        """Exact address of the access whose fill was refused last."""
        return self._refused.value


def verify() -> None:
    """Check every offset this file relies on against a small run; EngineMismatch names the version that is needed."""
    found = getattr(unicorn, "__version__", "unknown")
    if found != NEEDED or not _layout_holds():
        raise EngineMismatch(
            f"this Unicorn ({found}) is not laid out as version {NEEDED}; install it: pip install unicorn=={NEEDED}"
        )


def _layout_holds() -> bool:
    uc: Any = Uc(uc_const.UC_ARCH_X86, uc_const.UC_MODE_64)
    uc.ctl_set_cpu_model(x86_const.UC_CPU_X86_ICELAKE_SERVER)
    uc.ctl_set_tcg_buffer_size(1 << 20)
    uc.mem_map(0, 0x1000)
    uc.mem_write(0, bytes.fromhex("90 90 48 8b 03 cd 21"))
    context = SavedContext(uc)
    counters = EngineCounters(uc)
    probe = {x86_const.UC_X86_REG_RAX: 0x1122334455667788, x86_const.UC_X86_REG_R15: 0x8877665544332211}
    for register, value in probe.items():
        uc.reg_write(register, value)
    uc.reg_write(x86_const.UC_X86_REG_IDTR, (0, 0x1234000, 0xABC, 0))
    uc.reg_write(x86_const.UC_X86_REG_CR4, 0x20)
    context.save()
    if (context.gpr(0), context.gpr(15)) != tuple(probe.values()) or context.idt != (0x1234000, 0xABC):
        return False
    if context.cr(4) != 0x20 or not context.hflags & HF_CS64:
        return False
    missing = 0x5A5A_1234_5678
    uc.reg_write(x86_const.UC_X86_REG_RBX, missing)
    seen: list[int] = []

    def refuse(*args: object) -> bool:
        seen.append(0)
        return False

    uc.hook_add(uc_const.UC_HOOK_MEM_READ_UNMAPPED, refuse)
    with suppress(UcError):
        uc.emu_start(0, 0x800, 0, 5)
    if not seen or counters.refused_address != missing or counters.begun != 3 or context.save().rip != 2:
        return False

    def stop(*args: object) -> None:
        uc.emu_stop()

    uc.hook_add(uc_const.UC_HOOK_INTR, stop)
    uc.emu_start(5, 0x800, 0, 5)
    return bool(context.save().exception_is_int) and context.rip == 7
