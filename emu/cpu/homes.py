# SPDX-License-Identifier: GPL-2.0-or-later
"""Under which number the engine knows a page: a window of RAM and a frame, or a page of the I/O window.

Memory hooks report only engine addresses, so each page record that was granted anything has a home of its own, and
the home tells two linear pages that reach one frame apart.
"""

from emu.bits import OFFSET_MASK, PAGE_SHIFT, PhysicalAddress
from emu.cpu import engine as eng
from emu.tlb.record import PageRecord

NO_HOME = -1


class Homes:
    """Page records by home. A record that lost its home is still found there until another moves in: an access that
    was under way when its translation was dropped may yet be reported."""

    def __init__(self, frames: int) -> None:
        """`frames`: how many frames of RAM there are; whatever lies above gets a page of the I/O window."""
        self.records: dict[int, PageRecord] = {}
        self._frames = frames
        self._next_to_leave = 0

    def give(self, record: PageRecord) -> bool:
        """Find `record` the first free home; True if another had to leave, so that the engine must forget."""
        if record.frame < self._frames:
            homes = [window << 20 | record.frame for window in range(eng.WINDOWS)]
        else:
            homes = [(eng.IO_WINDOW >> PAGE_SHIFT) + page for page in range(eng.IO_PAGES)]
        crowded = False
        for home in homes:
            holder = self.records.get(home)
            if holder is None or holder.home != home:
                break
        else:
            crowded = True
            home = homes[self._next_to_leave % len(homes)]
            self._next_to_leave += 1
            self.records[home].home = NO_HOME
        record.home = home
        self.records[home] = record
        return crowded

    @staticmethod
    def lose(record: PageRecord) -> None:
        """The record's translation is gone: its home is free."""
        record.home = NO_HOME

    def io_address(self, offset: int) -> PhysicalAddress:
        """The guest's physical address behind `offset` of the I/O window."""
        record = self.records[(eng.IO_WINDOW + offset) >> PAGE_SHIFT]
        return PhysicalAddress(record.frame << PAGE_SHIFT | offset & OFFSET_MASK)

    def clear(self) -> None:
        """Forget everybody."""
        self.records.clear()
