# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen where the terminal has no UTF-8: each glyph and frame as one plain letter."""

import os
import sys
from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")
_PLAIN: Final = {
    "●": "*",
    "◐": "2",
    "○": "O",
    "+": "+",
    "−": "-",
    "≠": "!",
    "✗": "X",
    "✓": "v",
    "▸": ">",
    "·": ".",
    "‹": "<",
    "»": ">",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "▒": "#",
    "■": "#",
    "□": ".",
    "…": "~",
    "•": "-",
    "▶": ">",
    "▌": "|",
    "▏": "|",
    "≤": "<",
    "≥": ">",
    "\u00d7": "x",
    "µ": "u",
    "\u2013": "-",
    "—": "-",
    "\u2019": "'",
    "┤": "|",
    "├": "|",
}
"""Where two glyphs share a letter, their place tells them apart."""


def has_utf8() -> bool:
    """Whether the terminal takes UTF-8, by what the locale says; one that says nothing is taken to."""
    if os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver"):
        return True  # a browser
    named = next((os.environ[name] for name in _LOCALE if os.environ.get(name)), "UTF-8")
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return "utf" in named.lower() and "utf" in encoding.lower()


def plain_letter(character: str) -> str:
    """One ASCII letter for any character of one column."""
    code = ord(character)
    if code < 0x80:
        return character
    if character in _PLAIN:
        return _PLAIN[character]
    if 0x2500 <= code < 0x2580:
        return "-" if character in "─━╌╍┄┅═" else "|" if character in "│┃╎╏┆┇║" else "+"
    if 0x2580 <= code < 0x25A0:
        return "#"
    return "?"


class AsciiFilter(LineFilter):
    """Turns every character of a line into a plain one, in its place."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in ASCII."""
        del background
        return [
            Segment("".join(map(plain_letter, text)), style, control) for text, style, control in segments
        ]
