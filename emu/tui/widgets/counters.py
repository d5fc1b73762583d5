# SPDX-License-Identifier: GPL-2.0-or-later
"""What a performance monitoring unit would have counted."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class CountersPanel(Panel):
    """Counters, with what this stop added."""

    key = "4"
    role = "counters"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """One counter a line."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return [row.line(width) for row in showing.snapshot.counters]
