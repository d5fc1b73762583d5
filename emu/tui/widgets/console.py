# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest has printed."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.console import console_lines
from emu.view.spans import Line, Span, line


class ConsolePanel(Panel):
    """The guest's console."""

    key = "7"
    role = "console"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The newest lines."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return console_lines(showing.snapshot.console, width, height)
