# SPDX-License-Identifier: GPL-2.0-or-later
"""What if? One line says what is to be otherwise, another for how long both runs go on."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from emu.tui.style import to_text
from emu.view.spans import Line, Span, line

_MOST_DIGITS: Final = 9


class Asked(NamedTuple):
    """What the student wrote: the change, and for how many instructions (None: to the end)."""

    change: str
    instructions: int | None


class WhatIfScreen(ModalScreen[Asked]):
    """Gives what was asked; dismissed without by Esc."""

    BINDINGS: list[BindingType] = [Binding("escape", "cancel", "cancel")]
    DEFAULT = 20_000

    def __init__(self, entry: str, switches: Sequence[str]) -> None:
        """`entry` names the entry whose bits can be flipped, "" if there is none; `switches` are SWITCH=VALUE."""
        super().__init__()
        self._entry, self._switches = entry, switches

    def compose(self) -> ComposeResult:
        """Two fields, and what they take."""
        with Vertical(id="what-if") as box:
            box.border_title = "what if"
            box.border_subtitle = "Enter runs both   Esc: cancel"
            yield Static(id="what-if-help")
            what = Input(id="what-if-change", suggester=SuggestFromList(self._switches))
            what.border_title = "flip which bit, or which switch?"
            yield what
            span = Input(str(self.DEFAULT), id="what-if-span")
            span.border_title = "for how many instructions, or end"
            yield span
            yield Static("", id="what-if-error")

    def restyle(self) -> None:
        """Write what the fields take anew, in these colours."""
        self.query_one("#what-if-help", Static).update(to_text(self._help()))

    def on_mount(self) -> None:
        """What the fields take."""
        self.restyle()

    def _help(self) -> list[Line]:
        bits = (
            f"a bit of {self._entry}: P RW US A D G XD, or its number" if self._entry else "no walk in view"
        )
        return [line(Span("  "), bits), line(Span("  or a switch of the kernel: ukshm.guard=off"))]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in either field."""
        del event
        change = self.query_one("#what-if-change", Input).value.strip()
        span = self.query_one("#what-if-span", Input).value.strip().replace(",", "").replace("_", "")
        if not change:
            self._refuse("say what is to be otherwise")
        elif span == "end":
            self.dismiss(Asked(change, None))
        elif span.isascii() and span.isdigit() and len(span) <= _MOST_DIGITS:
            self.dismiss(Asked(change, int(span)))
        else:
            self._refuse("instructions: give a number, or end")

    def _refuse(self, text: str) -> None:
        self.query_one("#what-if-error", Static).update(to_text([line(Span(text, "bad"))]))

    def action_cancel(self) -> None:
        """Esc."""
        self.dismiss(None)
