# SPDX-License-Identifier: GPL-2.0-or-later
"""Markdown as plain text: paragraphs and lists wrapped, code and tables as they stand."""

import re
from textwrap import wrap
from typing import Final

WIDTH: Final = 80
_ITEM: Final = re.compile(r"(\s*)([-*]|\d+\.)\s+")
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*")


def plain_prose(markdown: str, width: int = WIDTH) -> list[str]:
    """The text in lines of at most `width` columns. Bold marks go; emphasis and code keep theirs."""
    lines: list[str] = []
    block: list[str] = []
    fenced = False
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("```"):
            lines += _flowed(block, width)
            block, fenced = [], not fenced
        elif fenced:
            lines.append("    " + line if line else "")
        elif not line.strip():
            lines += [*_flowed(block, width), ""]
            block = []
        elif line.startswith("#"):
            title = line.lstrip("#").strip()
            lines += [*_flowed(block, width), title, "-" * min(width, len(title))]
            block = []
        elif line.startswith("|") or (line.startswith("    ") and not block):
            lines += [*_flowed(block, width), line]
            block = []
        elif _ITEM.match(line) and block:
            lines += _flowed(block, width)
            block = [line]
        else:
            block.append(line)
    return _squeezed(lines)


def _flowed(block: list[str], width: int) -> list[str]:
    """One paragraph, quotation or list item, wrapped with its own indentation."""
    if not block:
        return []
    first = block[0]
    if first.startswith(">"):
        text = " ".join(line.lstrip("> ").strip() for line in block)
        return wrap(_BOLD.sub(r"\1", text), width, initial_indent="  > ", subsequent_indent="  > ")
    item = _ITEM.match(first)
    text = _BOLD.sub(r"\1", " ".join(line.strip() for line in block))
    if item is None:
        return wrap(text, width, break_on_hyphens=False, break_long_words=False)
    indent = item.group(1)
    hanging = " " * len(item.group(0))
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=hanging,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _squeezed(lines: list[str]) -> list[str]:
    """Without empty lines at the ends, and never two in a row."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
