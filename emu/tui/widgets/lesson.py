# SPDX-License-Identifier: GPL-2.0-or-later
"""The lesson: what to think about."""

from typing import Final

from emu.tui.page import first_news, page_lines
from emu.tui.showing import Showing
from emu.tui.widgets.panel import Panel
from emu.view.spans import Line

_READABLE: Final = 100
"""Columns of text, at the most: the eye loses its line in a longer one."""


class LessonPanel(Panel):
    """The step's text, what it showed, and its questions."""

    key = "1"
    role = "lesson"

    def show(self, showing: Showing) -> None:
        """Show a page: a new one from its top; after an answer, from the first line that is new."""
        before = self.showing
        width = min(_READABLE, max(20, self.content_size.width))
        if before is None or (before.step, before.lesson) != (showing.step, showing.lesson):
            self.top = 0
        elif before.page is not showing.page and before.page.items:
            old, new = page_lines(before.page, width), page_lines(showing.page, width)
            self.top = first_news(old, new, self.content_size.height)
        super().show(showing)

    def footing(self, showing: Showing) -> str:
        """That a question waits below, and how to get there."""
        if showing.page.open is not None and self.top + self.content_size.height < self.length:
            return "a question waits below: PgDn"
        alone = getattr(self.screen, "zoomed", None) == self.role
        return (
            ("PgDn" if alone else "PgDn, 1 alone")
            if self.top + self.content_size.height < self.length
            else ""
        )

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The page."""
        return page_lines(showing.page, min(_READABLE, width))
