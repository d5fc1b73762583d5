# SPDX-License-Identifier: GPL-2.0-or-later
"""The map of physical memory by owner."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class FramesPanel(Panel):
    """One letter a frame."""

    key = "5"
    role = "frames"

    def heading(self, showing: Showing) -> str:
        """The role, and how many frames changed hands."""
        changed = len(showing.snapshot.frames.changed) if showing.snapshot else 0
        return f"frames ── {changed} changed hands" if changed else "frames"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The map around what changed."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return showing.snapshot.frames.lines(width, height)
