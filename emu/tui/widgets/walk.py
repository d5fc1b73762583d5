# SPDX-License-Identifier: GPL-2.0-or-later
"""The walk of the last access, or of an address that was asked for."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class WalkPanel(Panel):
    """Level by level, with what the last instruction read and wrote."""

    key = "2"
    role = "walk"

    def heading(self, showing: Showing) -> str:
        """The panel's role and, while entries are stepped through, which."""
        if showing.look is not None:
            return "walk ── v: the next view"
        return "walk" if showing.entry is None else f"walk ── entry {showing.entry + 1}"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The walk's rows."""
        access = showing.access
        if access is None:
            return [line(Span("no machine yet", "dim"))]
        covered = showing.covered and showing.look is None  # what the lesson has shown is no secret
        return access.lines(width, 99, covered, showing.entry)
