# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of the screen that are the same in every run."""

import re
from typing import Final

_ID: Final = re.compile(r"terminal-\d+")
_FONT_PIXELS: Final = 20.265
"""The size at which a column of DejaVu Sans Mono is as wide as the picture's columns."""
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def normal_svg(svg: str) -> str:
    """`svg` without what differs from run to run, and without fonts that would be fetched from other hosts."""
    text = _FONT_FACE.sub("", _ID.sub("terminal", svg))
    text = text.replace("Fira Code", "DejaVu Sans Mono, Fira Code")
    text = text.replace("font-size: 20px;", f"font-size: {_FONT_PIXELS}px; white-space: pre;")
    text = text.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
