# SPDX-License-Identifier: GPL-2.0-or-later
"""What all panels have in common: a frame, a number to jump by, lines that fit, and a place to scroll to."""

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from emu.tui.showing import Showing
from emu.tui.style import to_text
from emu.view.spans import Line, clip, link_at


class Panel(Widget):
    """One panel. Subclasses say their heading and their lines."""

    key = ""
    role = ""

    class Picked(Message):
        """The panel was clicked; `link` says on what, "" for nothing in particular."""

        def __init__(self, role: str, link: str) -> None:
            super().__init__()
            self.role, self.link = role, link

    def __init__(self) -> None:
        super().__init__(id=self.role)
        self.showing: Showing | None = None
        self.top = 0
        self.length = 0
        self._seen: list[Line] = []
        self._title = self._foot = ""

    def show(self, showing: Showing) -> None:
        """Show another moment; a panel that would look the same is left alone."""
        self.showing = showing
        if self.display:
            self.draw()

    def draw(self) -> None:
        """Compute what is seen, and ask for a repaint if it differs from what is on screen."""
        width, height = self.content_size
        if self.showing is None or width < 4 or height < 1:
            return
        rows = self.lines(self.showing, width, height)
        self.length = len(rows)
        self.top = max(0, min(self.top, len(rows) - height))
        self._label(self.showing, len(rows) - self.top - height)
        seen = [clip(row, width) for row in rows[self.top : self.top + height]]
        if seen != self._seen:
            self._seen = seen
            self.refresh()

    def _label(self, showing: Showing, below: int) -> None:
        mark = "▸" if showing.active == self.role else ""
        title = f"{mark}{self.key} {self.heading(showing)}".replace("[", r"\[")
        scroll = f"{'↑ ' if self.top else ''}{f'↓ {below} more' if below > 0 else ''}".strip()
        foot = "  ".join(part for part in (self.footing(showing), scroll) if part)
        if title != self._title:
            self._title = self.border_title = title
        if foot != self._foot:
            self._foot = self.border_subtitle = foot

    def on_resize(self, event: events.Resize) -> None:
        """Another size, other lines."""
        del event
        self.draw()

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
        """What `draw` computed."""
        return to_text(self._seen)

    def scroll_rows(self, rows: int) -> None:
        """Scroll by `rows`; negative is up."""
        self.top = max(0, self.top + rows)
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Tell what was clicked."""
        event.stop()
        at = event.get_content_offset(self)
        row = self._seen[at.y] if at is not None and at.y < len(self._seen) else ()
        self.post_message(self.Picked(self.role, link_at(row, at.x if at is not None else -1)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll a panel that is longer than its frame."""
        event.stop()
        self.scroll_rows(2)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll back."""
        event.stop()
        self.scroll_rows(-2)
