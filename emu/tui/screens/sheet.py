# SPDX-License-Identifier: GPL-2.0-or-later
"""A sheet of text above the lesson: why something happened, or the source behind it."""

from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emu.tui.style import to_text
from emu.view.spans import Line

Lines = Callable[[int], Sequence[Line]]
"""The sheet's text in so many columns."""


class SheetScreen(ModalScreen[None]):
    """Shows `lines` under `title`, from row `first` on; Esc, q and the key that opened it close it."""

    BINDINGS: list[BindingType] = [Binding("escape,q,enter,y,p", "dismiss", "close")]

    def __init__(self, title: str, lines: Lines, first: int = 0, width: int = 100) -> None:
        super().__init__()
        self._width = width
        self._title, self._lines, self._first = title, lines, first

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(id="sheet"):
            yield Static("", id="sheet-text")

    def on_mount(self) -> None:
        """Say what it is and how to leave."""
        box = self.query_one("#sheet")
        box.border_title = self._title.replace("[", r"\[")
        box.border_subtitle = "Esc closes"
        if self._first:
            self.call_after_refresh(lambda: box.scroll_to(y=self._first, animate=False))

    def on_resize(self, event: events.Resize) -> None:
        """Another width, other lines."""
        del event
        self.restyle()

    def restyle(self) -> None:
        """Write the text anew, for this width and these colours."""
        width = min(self._width, self.size.width)
        self.query_one("#sheet").styles.width = width
        width -= 8
        self.query_one("#sheet-text", Static).update(to_text(self._lines(width)))
