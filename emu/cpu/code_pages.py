# SPDX-License-Identifier: GPL-2.0-or-later
"""The code that the engine has translated: from which frames, whether it still holds, and where it needs a look.

The engine translates ahead of running and keeps what it translated by frame. It sees a store into such a frame only
through the window it fetched from, so a frame is either code or granted for stores: a store into code makes all
blocks stale, a fetch from a stored frame takes the grants back.
"""

import re
from typing import Any, Final

from emu.bits import OFFSET_MASK, PAGE_BYTES, PAGE_SHIFT, PhysicalAddress
from emu.cpu import engine as eng
from emu.cpu.decode import skip_prefixes
from emu.cpu.instruction import LONGEST
from emu.mem import PhysicalMemory

_NOTABLE: Final = re.compile(
    rb"\x0f(?:\x07|\x35)|[\x6c\x6d\x9a\x9d\xca\xcb\xcf\xfb]"
    rb"|\xff[\x18-\x1f\x28-\x2f\x58-\x5f\x68-\x6f\x98-\x9f\xa8-\xaf]"
)
"""SYSRET SYSEXIT, INS POPF RETF IRET STI, far CALL (direct in 32-bit code only) and JMP."""
_HIDDEN: Final = re.compile(rb"\x0f(?:\xc7[\xf0-\xff]|\x38\x82|\x01[\xee\xef])")
"""RDRAND RDSEED RDPID, INVPCID, RDPKRU WRPKRU."""
_MOST_PREFIXES: Final = 14
_NOTABLE_PREFIXES: Final = 4


class CodePages:
    """What the engine made of each code page, and the addresses at which the CPU must look before it executes."""

    def __init__(self, memory: PhysicalMemory, engine: eng.Engine, watched: set[int]) -> None:
        """`watched`: the set of addresses that take the slow path; addresses are added to it."""
        self._memory = memory
        self._engine = engine
        self._watched = watched
        self.marked: set[int] = set()
        """Where an instruction may start that needs a look."""
        self.stale = False
        """Blocks were made from bytes that have changed: they must go before the next instruction."""
        self.copying = False
        """The engine runs from copies of the code, because the instruction stores into its own page."""
        self._made_from: dict[int, int] = {}
        """Linear page -> the frame that the engine was last given for it, -1 for none."""
        self._frames: set[int] = set()
        self._scanned: set[tuple[int, int]] = set()
        self._plain: set[tuple[int, int]] = set()
        """(linear address, frame) that are marked, but an instruction that needs no look was found there."""
        self._stored: set[int] = set()

    def fill(self, page: int, frame: int | None, answer: Any) -> None:
        """Answer a fetch fill of the engine for `page`, which a peek found in `frame`, or nowhere."""
        answer[1] = eng.CODE
        self._made_from[page] = -1 if frame is None else frame
        if frame is None:
            answer[0] = eng.NO_CODE
        elif frame >= self._memory.frames:
            answer[0] = eng.ZERO_CODE
        elif self.copying:
            answer[0] = self._engine.copy_code(page, self._memory.frame(frame))
        else:
            answer[0] = frame << PAGE_SHIFT
            self._note_code(page, frame)

    def _note_code(self, page: int, frame: int) -> None:
        if frame not in self._frames:
            self._frames.add(frame)
            if frame in self._stored:
                self._engine.flush_translations()
                self._stored.clear()
        if (page, frame) not in self._scanned:
            self._scanned.add((page, frame))
            self._scan(page, frame)

    def _scan(self, page: int, frame: int) -> None:
        """Mark every place of a code page where an instruction may start that needs a look.

        Those are what the engine must not execute as it stands (see looks.py), and all that may change CPL or IF
        without stopping the engine.
        """
        code = self._memory.frame(frame)
        base = page << PAGE_SHIFT
        for pattern, prefixes in ((_NOTABLE, _NOTABLE_PREFIXES), (_HIDDEN, _MOST_PREFIXES)):
            for match in pattern.finditer(code):
                starts = range(max(0, match.start() - prefixes), match.start() + 1)
                self.marked.update(base | start for start in starts)
        self.marked.update(base | start for start in range(PAGE_BYTES - _MOST_PREFIXES, PAGE_BYTES))
        self._watched |= self.marked

    def needs_look(self, rip: int) -> bool:
        """Whether the instruction at `rip` may be one that needs a look, as the engine translated it."""
        return rip in self.marked and (rip, self._made_from.get(rip >> PAGE_SHIFT, -1)) not in self._plain

    def is_plain(self, rip: int, frame: int, code: bytes) -> bool:
        """Whether `code`, the bytes at `rip` in `frame`, begin with an instruction that needs no look after all.

        Most marks are such: the byte that made them is an operand of something else. What lies within the page stays
        plain as long as the blocks hold.
        """
        at = skip_prefixes(code, True)  # REX too: outside 64-bit code it begins an instruction that is plain
        if _NOTABLE.match(code, at) or _HIDDEN.match(code, at):
            return False
        if rip & OFFSET_MASK <= PAGE_BYTES - LONGEST:
            self._plain.add((rip, frame))
        return True

    def agree(self, page: int, frame: int) -> bool:
        """Whether the engine's blocks for `page`, if it has any, were made from `frame`."""
        return self._made_from.get(page, frame) == frame

    def made_of(self, frame: int) -> bool:
        """Whether the engine may have blocks that were made from `frame`."""
        return frame in self._frames

    def holds(self, frame: int, page: int) -> bool:
        """Whether a store into `frame` may change the block that makes it, which runs in linear `page` or the next."""
        if self.copying or frame not in self._frames:
            return False
        return frame in (self._made_from.get(page), self._made_from.get(page + 1))

    def note_store_granted(self, frame: int) -> None:
        """The engine may store into `frame` from now on."""
        self._stored.add(frame)
        self.stale |= frame in self._frames

    def note_write(self, address: PhysicalAddress, size: int) -> None:
        """Somebody else wrote RAM."""
        frames = range(address >> PAGE_SHIFT, ((address + size - 1) >> PAGE_SHIFT) + 1)
        self.stale |= any(frame in self._frames for frame in frames)

    def drop_blocks(self) -> None:
        """Between runs: let the engine forget all blocks."""
        self.stale = False
        self._engine.flush_blocks()
        self._frames.clear()
        self._scanned.clear()
        self._plain.clear()
        self._stored.clear()

    def forget(self) -> None:
        """Another state is loaded: pages may lie elsewhere now. Blocks of frames that did not change still hold."""
        self._made_from.clear()
