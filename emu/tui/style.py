# SPDX-License-Identifier: GPL-2.0-or-later
"""What each role of `emu.view` looks like. The only place that knows colours of text."""

from collections.abc import Iterable
from typing import Final

from rich.style import Style
from rich.text import Text

from emu.view.spans import Line

_DARK: Final = {
    "": "#d7dae0",
    "dim": "#7f8794",
    "head": "bold #e5c07b",
    "strong": "bold #ffffff",
    "em": "italic #d7dae0",
    "name": "#8cc8ff",
    "number": "#c3c9d4",
    "code": "#b5d99c",
    "flag": "bold #e5c07b",
    "here": "bold #ffffff",
    "changed": "bold #ffd866",
    "cover": "#a58fd6",
    "hit": "bold #7fd88f",
    "miss": "bold #ffb86c",
    "fill": "bold #6fd3e0",
    "evict": "#ffb86c",
    "stale": "bold #ff79c6",
    "bad": "bold #ff7b72",
    "good": "bold #7fd88f",
    "key": "bold #0e1116 on #8cc8ff",
    "shared": "bold #ff9ff3",
    "owner-kernel": "#ff9e80",
    "owner-table": "#e5c07b",
    "owner-slab": "#b39ddb",
    "owner-user": "#8cc8ff",
    "owner-shared": "bold #ff9ff3",
    "owner-module": "#8fb8a8",
    "owner-file": "#b5cf8f",
    "owner-free": "#5d6573",
    "owner-reserved": "#5d6573",
}
_LIGHT: Final = {
    "": "#24292f",
    "dim": "#656d76",
    "head": "bold #7d4e00",
    "strong": "bold #000000",
    "em": "italic #24292f",
    "name": "#0550ae",
    "number": "#3d444d",
    "code": "#116329",
    "flag": "bold #7d4e00",
    "here": "bold #000000",
    "changed": "bold #7d4e00",
    "cover": "#6639ba",
    "hit": "bold #116329",
    "miss": "bold #953800",
    "fill": "bold #0a5d6b",
    "evict": "#953800",
    "stale": "bold #99286e",
    "bad": "bold #a40e26",
    "good": "bold #116329",
    "key": "bold #ffffff on #0550ae",
    "shared": "bold #99286e",
    "owner-kernel": "#a0320a",
    "owner-table": "#7d4e00",
    "owner-slab": "#6639ba",
    "owner-user": "#0550ae",
    "owner-shared": "bold #99286e",
    "owner-module": "#2f6b55",
    "owner-file": "#4a6b1f",
    "owner-free": "#8c959f",
    "owner-reserved": "#8c959f",
}
STYLES: Final = {
    theme: {role: Style.parse(text) for role, text in roles.items()}
    for theme, roles in (("dark", _DARK), ("light", _LIGHT))
}
_in_use = STYLES["dark"]
_REVERSE: Final = Style(reverse=True)
_UNDERLINE: Final = Style(underline=True)


def use(theme: str) -> None:
    """Draw with the colours of "dark" or "light" from now on."""
    global _in_use
    _in_use = STYLES[theme]


def style_of(role: str, changed: bool = False) -> Style:
    """The style of a role; what has changed is inverted, what is exempt from swapping underlined."""
    base = _in_use.get(role.removesuffix("-exempt"), _in_use[""])
    if role.endswith("-exempt"):
        base += _UNDERLINE
    return base + _REVERSE if changed else base


def to_text(lines: Iterable[Line]) -> Text:
    """Lines as one Rich text. Nothing in them is markup."""
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, row in enumerate(lines):
        if number:
            text.append("\n")
        for span in row:
            text.append(span.text, style_of(span.role, span.changed))
    return text
