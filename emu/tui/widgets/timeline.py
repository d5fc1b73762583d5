# SPDX-License-Identifier: GPL-2.0-or-later
"""The past in one line."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class TimelinePanel(Panel):
    """A glyph for each thing that happened, the newest at the right."""

    key = "0"
    role = "timeline"

    def heading(self, showing: Showing) -> str:
        """The role; behind the head, how far; while it plays, how fast."""
        return " ── ".join(part for part in ("timeline", showing.rewound, showing.tempo) if part)

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The newest things that fit."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return showing.snapshot.timeline_lines(width, height, bool(showing.rewound))
