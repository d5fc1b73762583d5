# SPDX-License-Identifier: GPL-2.0-or-later
"""A lesson's Markdown as lines: paragraphs flow, lists and code keep their shape. What it does not know it shows."""

import re
from typing import Final

from emu.view.spans import Line, Span, harmless, line

_INLINE: Final = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)")
_QUOTE: Final = "│ "
_LIST: Final = re.compile(r"^(\s*)([-*]|\d+[.)])\s+(.*)$")


def prose_lines(markdown: str, width: int) -> list[Line]:
    """`markdown` in lines of at most `width` columns."""
    rows: list[Line] = []
    for block in _blocks(markdown):
        if rows and block:
            rows.append(line(""))
        rows += _block_lines(block, width)
    return rows


def _blocks(markdown: str) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    fenced = False
    for raw in markdown.splitlines():
        fence = raw.startswith("```")
        if fence and not fenced and blocks[-1]:
            blocks.append([])
        if fence or raw.strip() or fenced:
            blocks[-1].append(raw)
        elif blocks[-1]:
            blocks.append([])
        fenced ^= fence
        if fence and not fenced:
            blocks.append([])
    return [block for block in blocks if block]


def _block_lines(block: list[str], width: int) -> list[Line]:
    if block[0].startswith("```"):
        return [line(Span("  " + harmless(row), "code")) for row in block[1:] if not row.startswith("```")]
    if all(row.startswith(("    ", "|")) for row in block):
        return [line(Span(harmless(row), "code")) for row in block]
    if block[0].startswith("#"):
        heading = line(Span(harmless(block[0].lstrip("#").strip()), "head"))
        return [heading, *(_block_lines(block[1:], width) if block[1:] else [])]
    rows: list[Line] = []
    for lead, text in _items(block):
        rows += _flow(text, width, lead)
    return rows


def _items(block: list[str]) -> list[tuple[str, str]]:
    """(what a line begins with, its text) of each item; a plain paragraph is one item with no lead."""
    items: list[tuple[str, str]] = []
    for raw in block:
        found = _LIST.match(raw)
        if found:
            mark = "•" if found[2] in "-*" else found[2]
            items.append((f"{found[1]}{mark} ", found[3]))
        elif items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {raw.strip().removeprefix('> ')}")
        else:
            items.append((_QUOTE if raw.startswith(">") else "", raw.strip().removeprefix("> ")))
    return items


def flow(text: str, width: int, role: str = "") -> list[Line]:
    """One paragraph of Markdown, its plain words in `role`; there is a line even if there is no word."""
    return _flow(text, width, "", role)


def _flow(text: str, width: int, lead: str, plain: str = "") -> list[Line]:
    rows: list[list[Span]] = [[Span(lead, "dim")] if lead else []]
    used = len(lead)
    hang = lead if lead == _QUOTE else " " * len(lead)
    for group in _glued(_words(text)):
        length = sum(len(word) for word, _ in group)
        gap = 0 if used <= len(lead) else 1
        if used > len(lead) and used + gap + length > width:
            rows.append([Span(hang, "dim")] if hang else [])
            used, gap = len(lead), 0
        for number, (word, role) in enumerate(group):
            rows[-1].append(Span(word if number else " " * gap + word, role or plain))
        used += gap + length
    return [tuple(row) for row in rows]


def _glued(words: list[tuple[str, str, bool]]) -> list[list[tuple[str, str]]]:
    """The words with what hangs on them: a full stop behind a piece of code does not begin a line."""
    groups: list[list[tuple[str, str]]] = []
    for word, role, glued in words:
        if glued and groups:
            groups[-1].append((word, role))
        else:
            groups.append([(word, role)])
    return groups


def _words(text: str) -> list[tuple[str, str, bool]]:
    """(word, role, whether it follows the one before without a blank)."""
    words: list[tuple[str, str, bool]] = []
    blank = True
    for piece in _INLINE.split(harmless(text)):
        if not piece:
            continue
        role, content = _inline(piece)
        for number, word in enumerate(content.split()):
            words.append((word, role, not number and not blank and not content[0].isspace()))
        blank = content[-1:].isspace()
    return words


def _inline(piece: str) -> tuple[str, str]:
    if len(piece) > 2 and piece[0] == piece[-1] == "`":
        return "code", piece[1:-1]
    if piece.startswith("**") and piece.endswith("**") and len(piece) > 4:
        return "strong", piece[2:-2]
    if len(piece) > 2 and piece[0] == piece[-1] == "*":
        return "em", piece[1:-1]
    return "", piece
