# SPDX-License-Identifier: GPL-2.0-or-later
"""The application behind a widget or screen. Textual leaves types open here; only this file knows."""

from typing import Any, cast

from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen


def host(pump: MessagePump) -> App[Any]:
    """The application that `pump` belongs to."""
    return cast("App[Any]", pump.app)  # pyright: ignore[reportUnknownMemberType]


def text_rows(screen: Screen[Any]) -> list[str]:
    """What is on screen, line by line. Textual has no public way to ask."""
    return [strip.text for strip in screen._compositor.render_strips()]  # pyright: ignore[reportPrivateUsage]


def switch(app: App[None], screen: Screen[None]) -> None:
    """Let `screen` take the place of the one on top, which ends."""
    app.switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]
