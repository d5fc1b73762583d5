# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk trace import`: a real program's memory trace through the MMU and TLB model."""

import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from cyclopts import Parameter

from emu.cli.errors import Exit, UsageError, shown
from emu.cli.guest_run import GEOMETRY, check_seed
from emu.cli.output import json_out, note, out, table

if TYPE_CHECKING:
    from emu.trace.demand import DemandPaged
    from emu.trace.lackey import LackeyTrace

_STDIN: Final = "-"
_REFRESH_SECONDS: Final = 0.2


def import_trace(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    form: Annotated[Literal["lackey"], Parameter(name="--from")],
    tlb: str = GEOMETRY,
    page_size: Literal["4K", "2M"] = "4K",
    malformed: Literal["refuse", "skip"] = "refuse",
    seed: int = 0,
    json: bool = False,
) -> int:
    """Run a real program's memory trace through the MMU and TLB model; print its counters.

    valgrind --tool=lackey --trace-mem=yes --log-file=FILE PROGRAM records one.

    The trace says what a program reached, not what its kernel had mapped. So a
    page is mapped at its first use, before the access: nothing faults, and the
    pages are counted apart. A kernel that maps on demand would have taken about
    one minor page fault for each.

    A load and store by one instruction (M) are two accesses, and so are the two
    parts of an access that crosses a page.

    Example: pagewalk trace import true.lackey --from lackey --tlb haswell

    Args:
        file: What valgrind wrote, plain or gzip; - is stdin.
        form: Who wrote it.
        tlb: A TLB geometry: a name (see `pagewalk geometries`) or a TOML file.
        page_size: The size of the pages that are mapped.
        seed: Where the replacement policy "random" starts.
        malformed: What to do with a line that is neither an access nor valgrind's talk.
        json: Print one JSON object on stdout.
    """
    from emu.tlb.geometry_file import geometry
    from emu.trace.demand import DemandPaged, TablesFull
    from emu.trace.lackey import open_lackey

    check_seed(seed)
    space = DemandPaged(geometry(tlb), page_size, seed=seed)
    trace = open_lackey(None if file == _STDIN else Path(file), malformed == "skip")
    try:
        with _Progress(trace) as progress:
            for touches in trace:
                space.run(touches)
                progress()
    except TablesFull as error:
        raise UsageError(f"lackey trace {trace.name}: before line {trace.lines + 1:,}: {error}") from None
    except KeyboardInterrupt:
        note(f"interrupted; so far {_summary(trace, space)}")
        raise
    if json:
        json_out({"file": file} | _report(trace, space))
    else:
        _print(trace, space)
    return Exit.FINE


class _Progress:
    """A line on the terminal that says how far it is; nothing where stderr is no terminal."""

    def __init__(self, trace: "LackeyTrace") -> None:
        self._trace = trace
        self._wanted = sys.stderr.isatty()
        self._next = monotonic() + _REFRESH_SECONDS
        self._width = 0

    def __call__(self) -> None:
        if not self._wanted or monotonic() < self._next:
            return
        self._next = monotonic() + _REFRESH_SECONDS
        done = self._trace.done
        share = "" if done is None else f", {done:.0%}"
        self._write(f"{self._trace.lines:,} lines{share}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the line empty."""
        if self._width:
            self._write("")
            self._write("")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"\r{text:<{self._width}}")
            sys.stderr.flush()
        self._width = len(text)


def _report(trace: "LackeyTrace", space: "DemandPaged") -> dict[str, Any]:
    return {
        "command": trace.command,
        "geometry": space.mmu.geometry.name,
        "page_size": space.page_size,
        "lines": trace.lines,
        "skipped": trace.skipped,
        "pages": space.pages,
        "counters": space.counters(),
    }


def _summary(trace: "LackeyTrace", space: "DemandPaged") -> str:
    skipped = f" ({trace.skipped:,} malformed, skipped)" if trace.skipped else ""
    return (
        f"{trace.lines:,} lines{skipped}, {space.instructions:,} instructions, "
        f"{space.pages:,} pages of {space.page_size} mapped at first use"
    )


def _print(trace: "LackeyTrace", space: "DemandPaged") -> None:
    if trace.command is not None:
        out(shown(f"command: {trace.command}"))
    out(f"{space.mmu.geometry.name}: {_summary(trace, space)}")
    out("")
    counters = ((name, f"{value:,}") for name, value in space.counters().items() if value)
    out(table([("counter", "value"), *counters]))
