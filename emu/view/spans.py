# SPDX-License-Identifier: GPL-2.0-or-later
"""Text with roles: what a panel says, before anybody chooses colours. A role is never the only bearer of a fact."""

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

COVER: Final = "▒▒▒"
"""What stands where a result is hidden until it has been predicted."""


class Span(NamedTuple):
    """A piece of a line. `role` names what it is; `changed` says that it differs from the last stop.

    `link` says what a click on it means, "" for nothing: "entry:2", "slot:14.1", "event:1204", "choice:0".
    """

    text: str
    role: str = ""
    changed: bool = False
    link: str = ""


Line = tuple[Span, ...]


def line(*parts: "str | Span") -> Line:
    """A line of plain strings and spans."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def plain(row: Line) -> str:
    """The text of a line."""
    return "".join(span.text for span in row)


def linked(row: Line, link: str) -> Line:
    """The line with one meaning for a click anywhere on it."""
    return tuple(span._replace(link=link) for span in row)


def link_at(row: Line, column: int) -> str:
    """What a click in `column` of the line means, "" for nothing."""
    for span in row:
        if column < len(span.text):
            return span.link if column >= 0 else ""
        column -= len(span.text)
    return ""


def clip(row: Line, width: int) -> Line:
    """The line in at most `width` columns; an ellipsis marks what was cut."""
    if sum(len(span.text) for span in row) <= width:
        return row
    room = max(0, width - 1)
    kept: list[Span] = []
    for span in row:
        if len(span.text) >= room:
            kept.append(span._replace(text=span.text[:room] + "…"))
            break
        kept.append(span)
        room -= len(span.text)
    return tuple(kept)


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """`text` in lines of at most `width` columns; later ones begin with `indent`."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        lead = indent if lines else ""
        if current and len(lead) + len(current) + 1 + len(word) > width:
            lines.append(lead + current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    if current or not lines:
        lines.append((indent if lines else "") + current)
    return lines


def window(rows: Sequence[Line], height: int, focus: int) -> list[Line]:
    """At most `height` rows around row `focus`; the edges say how many are left out."""
    if len(rows) <= height or height <= 0:
        return list(rows)
    start = max(0, min(focus - height // 2, len(rows) - height))
    shown = list(rows[start : start + height])
    if start and height > 2:
        shown[0] = line(Span(f"↑ {start + 1} more", "dim"))
    after = len(rows) - start - height
    if after and height > 2:
        shown[-1] = line(Span(f"↓ {after + 1} more", "dim"))
    return shown


def harmless(text: str) -> str:
    """Untrusted text with its control characters shown, not sent: ESC becomes ␛, others a symbol or \\x.."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or unicodedata.category(character) in ("Cf", "Cs", "Co", "Zl", "Zp"):
        return f"\\x{code:02x}"
    return character
