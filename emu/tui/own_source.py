# SPDX-License-Identifier: GPL-2.0-or-later
"""Pagewalk's own source for what has just happened: the function that decided it, in its file."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emu.events import Accessed, Event, Faulted, Invalidated
from emu.mmu import Mmu
from emu.paging.rights import check
from emu.paging.walk import walk
from emu.view.spans import Line, Span, line


class OwnSource(NamedTuple):
    """A file of Pagewalk's, and the lines of the function that is meant, from 0."""

    file: str
    name: str
    lines: tuple[Line, ...]
    first: int


def behind(step: Sequence[Event]) -> OwnSource:
    """The function that decided what the last instruction met: rights, walk, invalidation, or the look into the TLB."""
    return _source(_decided(step))


def _decided(step: Sequence[Event]) -> Callable[..., Any]:
    if any(isinstance(event, Faulted) and event.cr2 is not None for event in step):
        return check
    if any(isinstance(event, Accessed) and event.tlb == "miss" for event in step):
        return walk
    if any(isinstance(event, Invalidated) for event in step):
        return Mmu.flush
    return Mmu.translate


def _source(function: Callable[..., Any]) -> OwnSource:
    path = Path(inspect.getsourcefile(function) or "")
    own, first = inspect.getsourcelines(function)
    last = first + len(own) - 1
    rows = tuple(
        line(
            Span(f"{number:>4} ", "here" if first <= number <= last else "dim"),
            Span(text, "code" if first <= number <= last else "dim"),
        )
        for number, text in enumerate(path.read_text("utf-8").splitlines(), 1)
    )
    package = path.parts[path.parts.index("emu") :] if "emu" in path.parts else (path.name,)
    return OwnSource("/".join(package[-3:]), function.__qualname__, rows, first - 1)
