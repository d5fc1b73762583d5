# SPDX-License-Identifier: GPL-2.0-or-later
"""The address spaces and their ranges."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class SpacesPanel(Panel):
    """Each process's ranges with their rights."""

    key = "8"
    role = "spaces"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The loaded space first."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return showing.snapshot.space_lines()
