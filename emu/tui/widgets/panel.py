# SPDX-License-Identifier: GPL-2.0-or-later
"""What all panels have in common: a frame, a number to jump by, lines that fit, and a place to scroll to."""

from rich.text import Text
from textual import events
from textual.widget import Widget

from emu.tui.showing import Showing
from emu.tui.style import to_text
from emu.view.spans import Line, clip


class Panel(Widget):
    """One panel. Subclasses say their heading and their lines."""

    key = ""
    role = ""
    scrolls = False

    def __init__(self) -> None:
        super().__init__(id=self.role)
        self.showing: Showing | None = None
        self.top = 0
        self.length = 0

    def show(self, showing: Showing) -> None:
        """Show another moment."""
        self.showing = showing
        self.border_title = Text(f"{self.key} {self.heading(showing)}", no_wrap=True).plain.replace(
            "[", r"\["
        )
        self.refresh()

    def heading(self, showing: Showing) -> str:
        """What the frame says."""
        del showing
        return self.role

    def footing(self, showing: Showing) -> str:
        """What the frame says at its foot."""
        del showing
        return ""

    def lines(self, showing: Showing, width: int, height: int) -> list[Line]:
        """The panel's text in `width` columns; `height` rows are seen."""
        raise NotImplementedError

    def render(self) -> Text:
        """The lines that fit, from `top` on."""
        width, height = self.content_size
        if self.showing is None or width < 4 or height < 1:
            return Text("")
        rows = self.lines(self.showing, width, height)
        self.length = len(rows)
        self.top = max(0, min(self.top, len(rows) - height))
        rest = len(rows) - self.top - height
        scroll = f"{'↑ ' if self.top else ''}{f'↓ {rest} more' if rest > 0 else ''}".strip()
        self.border_subtitle = "  ".join(part for part in (self.footing(self.showing), scroll) if part)
        return to_text(clip(row, width) for row in rows[self.top : self.top + height])

    def scroll_rows(self, rows: int) -> None:
        """Scroll by `rows`; negative is up."""
        self.top = max(0, self.top + rows)
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll a panel that is longer than its frame."""
        event.stop()
        self.scroll_rows(2)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll back."""
        event.stop()
        self.scroll_rows(-2)
