# SPDX-License-Identifier: GPL-2.0-or-later
"""A bench of any paging mode, and the sentences for what happens on it."""

from itertools import count
from typing import Any

from emu.bits import PAGE_BYTES, PhysicalAddress
from emu.events import Event, Faulted
from emu.paging.build import TableBuilder
from emu.paging.modes import FOUR_LEVEL, PAE, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import load_pdptes
from emu.tlb.geometry import Geometry
from emu.view.explain import explain
from emu.view.scene import Scene, linear_text
from tests.helpers.bench import PAGE, READ, Bench

CODE = 0x40_0000


class Rig(Bench):
    """Tables of `mode`; each access is one step, and `said` gives the sentences for its events."""

    def __init__(self, mode: PagingMode = FOUR_LEVEL, of: Geometry | str = "haswell") -> None:
        self.mode = mode
        super().__init__(of)
        self._frames = count(4 << 20, PAGE_BYTES)
        self.tables = TableBuilder(self.memory, lambda: PhysicalAddress(next(self._frames)), mode)
        self.journal.rip = CODE
        self.set()

    def set(self, **changes: Any) -> None:
        bits = {"WP": True, "SMEP": False, "SMAP": False, "NXE": True, "PGE": True, **changes}
        root = self.tables.root
        pdptes = load_pdptes(self.memory.read_entry, root, 40) if self.mode is PAE else ()
        self.mmu.set_controls(Controls(mode=self.mode, root=root, pdptes=pdptes or (), **bits))

    def map(
        self, linear: int, physical: int, flags: int = PAGE, page_bytes: int = PAGE_BYTES
    ) -> PhysicalAddress:
        """Map a page; PDPTE registers are loaded anew."""
        address = super().map(linear, physical, flags, page_bytes)
        if self.mode is PAE:
            self.set()
        return address

    def say(self, event: Event, now: bool = True) -> str:
        """The sentence for one of the step's events."""
        controls = self.mmu.controls
        return explain(event, Scene(lambda at: linear_text(at, controls), self.events, self.mmu, now))

    def said(self, kind: str, now: bool = True) -> list[str]:
        """The sentences for the step's events of one kind."""
        return [self.say(event, now) for event in self.events if event.kind == kind]

    def fault(self, linear: int, kind: int = READ, user: bool = True, ac: bool = False) -> str:
        """Make an access that must be refused; the sentence for its fault."""
        self.events.clear()
        self.refused(linear, kind, user, ac)
        return next(self.say(event) for event in self.events if isinstance(event, Faulted))

    def step(self, linear: int, kind: int = READ, **more: Any) -> str:
        """Make an access; the sentence for it. A plain hit is reported too."""
        self.events.clear()
        self.mmu.report_all = True
        self.mmu.tlb.slow_down()
        self.journal.insn += 1
        self.access(linear, kind, **more)
        return self.said("access")[-1]
