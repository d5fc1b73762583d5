# SPDX-License-Identifier: GPL-2.0-or-later
"""REP STOS and REP MOVS within a page, many iterations at once.

The engine calls a hook for each instruction and one for each access, and clearing a page takes 512 iterations of
both. While an iteration can do nothing but hit level 1 with a translation that memory still holds, its whole effect
is known: so many bytes, and so many more of each count. What is noted of a use is only its latest moment, so a stretch
may be done here if the engine makes the iteration behind it.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT
from emu.cpu import engine as eng
from emu.cpu.engine_state import HF_CS64
from emu.cpu.registers import FLAG_DF
from emu.tlb.counters import FETCH, READ, WRITE
from emu.tlb.entry import Slot, TlbEntry
from emu.tlb.record import PageRecord

if TYPE_CHECKING:
    from emu.cpu.core import Cpu

_RAX, _RCX, _RSI, _RDI = 0, 1, 6, 7
_FEWEST: Final = 8
"""Iterations below which a stretch is not worth the look."""
_LATER: Final = 1000
_ELEMENTS: Final = {
    b"\xf3\xa4": (1, True),
    b"\xf3\xa5": (4, True),
    b"\xf3\x48\xa5": (8, True),
    b"\xf3\xaa": (1, False),
    b"\xf3\xab": (4, False),
    b"\xf3\x48\xab": (8, False),
}
"""REP, in 64-bit code: MOVSB MOVSD MOVSQ, STOSB STOSD STOSQ. Bytes of an element, and whether it is moved."""


class Stretch(NamedTuple):
    """One operand from where it is now: its record, physical address, and whole elements to the end of the page."""

    record: PageRecord
    address: int
    elements: int


class Repeats:
    """Looks at an instruction that follows itself."""

    def __init__(self, cpu: "Cpu") -> None:
        self._cpu = cpu
        self._rip = -1
        self._wait = 0
        """How many more iterations at `_rip` are left to the engine without a look."""

    def follow(self, rip: int, slot: Slot, entry: TlbEntry, room: int) -> None:
        """The instruction at `rip`, fetched through `slot`, is about to run and was the last to run too.

        If it is a string instruction, do all but the last of the iterations that are plain, at most `room`, which is
        what the engine may still count.
        """
        if rip == self._rip and self._wait > 0:
            self._wait -= 1
            return
        self._rip = rip
        at = entry.frame_of(rip >> PAGE_SHIFT) << PAGE_SHIFT | rip & OFFSET_MASK
        code = self._cpu.memory.buffer[at : at + 3]
        elements = _ELEMENTS.get(code[:2]) or _ELEMENTS.get(code)
        self._wait = _LATER if elements is None else self._iterate(slot, *elements, room)

    def _iterate(self, slot: Slot, size: int, moves: bool, room: int) -> int:
        """Do iterations on elements of `size` bytes. How many more to let pass before it is worth another look."""
        cpu = self._cpu
        context = cpu.engine.context.save()
        left = context.gpr(_RCX)
        if left <= _FEWEST or not context.hflags & HF_CS64:
            return left
        to = self._stretch(context.gpr(_RDI), size, WRITE)
        source = self._stretch(context.gpr(_RSI), size, READ) if moves else to
        if to is None or source is None:
            return 0
        if cpu.engine.read(eng.RFLAGS) & FLAG_DF:
            return left
        count = min(left, to.elements, source.elements) - 1
        if 0 < to.address - source.address < count * size:  # what one iteration writes, a later one reads
            count = (to.address - source.address) // size
        if min(count, room) < _FEWEST:
            return max(0, count)
        count = min(count, room)
        buffer, end = cpu.memory.buffer, count * size
        if moves:
            buffer[to.address : to.address + end] = buffer[source.address : source.address + end]
            cpu.engine.write(eng.RSI, context.gpr(_RSI) + end)
            self._count(source.record, READ, count)
        else:
            element = context.gpr(_RAX) & (1 << 8 * size) - 1
            buffer[to.address : to.address + end] = element.to_bytes(size, "little") * count
        cpu.engine.write(eng.RDI, context.gpr(_RDI) + end)
        cpu.engine.write(eng.RCX, left - count)
        self._count(to.record, WRITE, count)
        self._count_fetches(slot, count)
        return 0

    def _stretch(self, linear: int, size: int, kind: int) -> Stretch | None:
        """What plain accesses reach from `linear` on; None if the next one is not known to be plain.

        The iteration before made its access in the same page, so it is allowed. A frame that the engine made code of
        is left to the engine.
        """
        cpu = self._cpu
        offset = linear & OFFSET_MASK
        record = cpu.mmu.tlb.data.get(linear >> PAGE_SHIFT)
        if record is None or record.fast[kind] is None or offset < size:
            return None
        if not cpu.reaches_plainly(record, kind):
            return None
        return Stretch(record, record.frame << PAGE_SHIFT | offset, (PAGE_BYTES - offset) // size)

    def _count(self, record: PageRecord, kind: int, count: int) -> None:
        slot = record.fast[kind]
        assert slot is not None
        slot.array.clock += count
        self._cpu.mmu.counters.accesses[kind] += count
        self._cpu.journal.seq += count

    def _count_fetches(self, slot: Slot, count: int) -> None:
        slot.array.clock += count
        self._cpu.mmu.counters.accesses[FETCH] += count
        self._cpu.journal.seq += count
        self._cpu.journal.insn += count
        self._cpu.engine.counters.begun += count
