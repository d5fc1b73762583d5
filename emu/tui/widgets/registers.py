# SPDX-License-Identifier: GPL-2.0-or-later
"""The registers."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class RegistersPanel(Panel):
    """Registers, and what they point at."""

    key = "9"
    role = "registers"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """One register a line."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return [row.line() for row in showing.snapshot.registers]
