# SPDX-License-Identifier: GPL-2.0-or-later
"""A bench, and the sentences for what happens on it."""

from types import SimpleNamespace
from typing import Any, cast

from emu.bits import PAGE_BYTES, PhysicalAddress
from emu.events import Event, Faulted
from emu.guest.symbols import Symbols
from emu.machine import Machine
from emu.paging.modes import FOUR_LEVEL, PagingMode
from emu.tlb.geometry import Geometry
from emu.view.explain import explain
from emu.view.inspector import Inspector
from emu.view.scene import Scene, linear_text
from tests.helpers.bench import PAGE, READ, Bench

CODE = 0x40_0000


class Rig(Bench):
    """Each access is one step, and `said` gives the sentences for its events."""

    def __init__(self, mode: PagingMode = FOUR_LEVEL, of: Geometry | str = "haswell") -> None:
        super().__init__(of, mode=mode)
        self.journal.rip = CODE
        board = SimpleNamespace(mmu=self.mmu, memory=self.memory, journal=self.journal)
        self.inspector = Inspector(cast(Machine, board), Symbols(None, {}))
        """Looks at a board that has no CPU, and at a guest without symbols."""

    def map(
        self, linear: int, physical: int, flags: int = PAGE, page_bytes: int = PAGE_BYTES
    ) -> PhysicalAddress:
        """Map a page; PDPTE registers are loaded anew."""
        address = super().map(linear, physical, flags, page_bytes)
        if self.mode.root_in_registers:
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
