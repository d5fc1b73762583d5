# SPDX-License-Identifier: GPL-2.0-or-later
"""The source line and the instructions about to run."""

from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line, Span, line


class SourcePanel(Panel):
    """What caused it."""

    key = "6"
    role = "source"

    def heading(self, showing: Showing) -> str:
        """The file."""
        code = showing.snapshot.code if showing.snapshot else None
        return f"source ── {code.file}:{code.number}" if code is not None and code.file else "source"

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The lines around the current one."""
        if showing.snapshot is None:
            return [line(Span("no machine yet", "dim"))]
        return showing.snapshot.code.lines(width, height)
