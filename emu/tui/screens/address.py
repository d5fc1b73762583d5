# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of input: the address to walk."""

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input


class AddressScreen(ModalScreen[str]):
    """Gives the text that was entered, "" if nothing was."""

    BINDINGS: list[BindingType] = [Binding("escape", "cancel", "cancel")]

    def compose(self) -> ComposeResult:
        """The field."""
        field = Input(placeholder="a number, symbol+n, or *expression", id="address")
        field.border_title = "walk which address?"
        yield field

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        """Esc."""
        self.dismiss("")
