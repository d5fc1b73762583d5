# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest has printed: its last lines, harmless."""

from emu.view.spans import Line, Span, harmless, line, wrap


def console_tail(console: bytes, count: int = 40) -> tuple[str, ...]:
    """The last `count` lines, control characters shown instead of sent."""
    text = console.decode("utf-8", "backslashreplace")
    return tuple(harmless(row) for row in text.split("\n") if row)[-count:]


def console_lines(tail: tuple[str, ...], width: int, height: int) -> list[Line]:
    """The panel: the newest line at the bottom; a line that came in is the last one."""
    if not tail:
        return [line(Span("nothing printed yet", "dim"))]
    rows = [line(text) for row in tail[-height:] for text in wrap(row, width, "   ")]
    return rows[-height:]
