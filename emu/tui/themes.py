# SPDX-License-Identifier: GPL-2.0-or-later
"""Dark and light: the colours of frames and grounds by name, for app.tcss. Those of text are in style.py."""

from dataclasses import replace
from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

_COLOURS: Final = {
    "pw-ground": ("#0e1116", "#ffffff"),
    "pw-ink": ("#d7dae0", "#24292f"),
    "pw-bar": ("#1b2130", "#e6eaf0"),
    "pw-frame": ("#3b4458", "#b6bfca"),
    "pw-frame-title": ("#9aa6bd", "#57606a"),
    "pw-accent-ink": ("#e5c07b", "#7d4e00"),
    "pw-lesson": ("#6f87b5", "#5b7bb8"),
    "pw-lesson-title": ("#cfe0ff", "#0550ae"),
    "pw-past": ("#a8609a", "#b0569b"),
    "pw-past-title": ("#ff79c6", "#99286e"),
    "pw-past-bar": ("#3a1f38", "#f6dff0"),
    "pw-sheet": ("#141a26", "#f6f8fa"),
    "pw-sheet-frame": ("#8cc8ff", "#0550ae"),
    "pw-cursor-row": ("#26324a", "#d5e3f7"),
    "pw-active-title": ("#ffffff", "#000000"),
}
"""Name -> (dark, light)."""
NAMES: Final = ("dark", "light")


def variables(name: str) -> dict[str, str]:
    """The colours of "dark" or "light" as variables of app.tcss."""
    return {variable: pair[NAMES.index(name)] for variable, pair in _COLOURS.items()}


def theme(name: str) -> Theme:
    """ "dark" or "light" as Textual wants it."""
    built_in = BUILTIN_THEMES[f"textual-{name}"]
    return replace(built_in, name=f"pagewalk-{name}", variables={**built_in.variables, **variables(name)})
