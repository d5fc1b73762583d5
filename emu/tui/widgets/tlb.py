# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLB array as a grid of sets and ways."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class TlbPanel(Panel):
    """One array; t shows the next."""

    key = "3"
    role = "tlb"

    def heading(self, showing: Showing) -> str:
        """The array, its shape and how full it is."""
        if showing.snapshot is None:
            return "TLB"
        grid = showing.snapshot.tlb[showing.array % len(showing.snapshot.tlb)]
        return f"TLB {grid.name} ── {grid.shape} ── {grid.used} used"

    def footing(self, showing: Showing) -> str:
        """How to see the others, and what a selected one can be asked."""
        return "O: who filled it?  y: why?" if showing.slot is not None else "t: next array"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The sets around what happened."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        grid = showing.snapshot.tlb[showing.array % len(showing.snapshot.tlb)]
        return grid.lines(width, height, showing.slot)
