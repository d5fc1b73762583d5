# SPDX-License-Identifier: GPL-2.0-or-later
"""The course: the list of lessons, with what is known of the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from emu.tui.course import CourseRow, course_rows, summary, where_stopped
from emu.tui.host import host
from emu.tui.screens.confirm import ConfirmScreen
from emu.tui.screens.help import HelpScreen
from emu.tui.screens.sized import Sized
from emu.tui.style import to_text
from emu.view.spans import Span, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emu.lesson.model import Lesson
    from emu.lesson.progress import ProgressStore


class CourseScreen(Sized):
    """Lists the lessons; says which one is opened by a message."""

    BINDINGS: list[BindingType] = [
        Binding("enter", "open", "open", show=True, key_display="Enter"),
        Binding("j", "cursor(1)", "down", show=False),
        Binding("k", "cursor(-1)", "up", show=False),
        Binding("R", "reset", "begin again", show=True, key_display="R"),
        Binding("T", "app.theme", "theme", show=False),
        Binding("x", "app.export", "export", show=False),
        Binding("question_mark", "help", "help", show=True, key_display="?"),
        Binding("q", "app.quit", "quit", show=True, key_display="q"),
    ]

    class Chosen(Message):
        """A lesson is to be opened."""

        def __init__(self, lesson: Lesson) -> None:
            super().__init__()
            self.lesson = lesson

    def __init__(self, lessons: Sequence[Lesson], store: ProgressStore) -> None:
        super().__init__()
        self._lessons, self._store = lessons, store
        self.rows: list[CourseRow] = course_rows(lessons, store.reload())

    def compose(self) -> ComposeResult:
        """Title, list, what is known of one, footer."""
        yield Static("", id="course-title")
        yield OptionList(id="course", markup=False)
        with VerticalScroll(id="details", can_focus=False):
            yield Static("", id="details-text")
        yield Static("", id="too-small")
        yield Footer(show_command_palette=True, compact=True)

    def on_mount(self) -> None:
        """Stand where the student stopped."""
        self._fill(where_stopped(self.rows, self._store.progress))
        if self._store.note:
            self.notify(self._store.note, title="progress", severity="warning", timeout=12, markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Another size, other lines."""
        del event
        if self.fits():
            self._fill(self.query_one(OptionList).highlighted or 0)

    def restyle(self) -> None:
        """Write the list anew, in other colours."""
        self._fill(self.query_one(OptionList).highlighted or 0)

    def _fill(self, at: int) -> None:
        """List the lessons as they stand."""
        width = self.size.width
        listed = self.query_one(OptionList)
        listed.border_title = "lessons"
        listed.clear_options()
        listed.add_options(Option(to_text([row.line(width - 5)])) for row in self.rows)
        listed.highlighted = at if self.rows else None
        listed.focus()
        text = line(
            Span(" Pagewalk ", "key"), Span("  the course  ", "strong"), Span(summary(self.rows), "name")
        )
        self.query_one("#course-title", Static).update(to_text([text]))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another lesson under the cursor."""
        row = self.rows[event.option_index]
        box = self.query_one("#details", VerticalScroll)
        box.border_title = row.lesson.id
        box.border_subtitle = "Enter goes on" if row.standing.begun else "Enter begins"
        box.scroll_home(animate=False)
        self.query_one("#details-text", Static).update(to_text(row.details(max(20, self.size.width - 8))))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or a click."""
        if not self.has_class("tiny"):
            self.post_message(self.Chosen(self.rows[event.option_index].lesson))

    def _current(self) -> CourseRow | None:
        at = self.query_one(OptionList).highlighted
        return None if at is None else self.rows[at]

    def action_open(self) -> None:
        """Open the lesson under the cursor."""
        row = self._current()
        if row is not None:
            self.post_message(self.Chosen(row.lesson))

    def action_cursor(self, by: int) -> None:
        """The next lesson, or the one before."""
        listed = self.query_one(OptionList)
        (listed.action_cursor_down if by > 0 else listed.action_cursor_up)()

    def action_reset(self) -> None:
        """Forget the progress of the lesson under the cursor, after asking."""
        row = self._current()
        if row is None or not row.standing.begun:
            return
        text = f"Begin {row.lesson.id} again? Its answers and its progress are forgotten."
        host(self).push_screen(ConfirmScreen(text), self._reset)

    def _reset(self, sure: bool | None) -> None:
        row = self._current()
        if not sure or row is None:
            return
        from emu.lesson.record import Record

        Record(self._store, row.lesson).reset()
        at = self.query_one(OptionList).highlighted or 0
        self.rows = course_rows(self._lessons, self._store.reload())
        self._fill(at)

    def action_help(self) -> None:
        """Keys and glyphs."""
        host(self).push_screen(HelpScreen())
