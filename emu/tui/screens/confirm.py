# SPDX-License-Identifier: GPL-2.0-or-later
"""One question with yes or no, before something is forgotten."""

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static


class ConfirmScreen(ModalScreen[bool]):
    """True for y; n, Esc and q are no."""

    BINDINGS: list[BindingType] = [
        Binding("y", "dismiss(True)", "yes"),
        Binding("n,escape,q", "dismiss(False)", "no"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question, and the two keys."""
        box = Static(Text(f"{self._question}\n\n  y  yes      n  no"), id="confirm")
        box.border_title = "sure?"
        yield box
