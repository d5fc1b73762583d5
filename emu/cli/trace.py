# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk trace`: show, compare, count and export what `--trace` wrote."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from emu.cli.errors import Exit, UsageError, shown
from emu.cli.output import json_out, note, out, table
from emu.cli.trace_import import import_trace

if TYPE_CHECKING:
    from emu.events import Event, Kind
    from emu.trace.header import TraceHeader

app = App(
    "trace", help="Show, compare, count and export traces. Example: pagewalk trace diff a.jsonl b.jsonl"
)
app.command(import_trace, name="import")


@app.command
def show(
    file: Path,
    /,
    *,
    kind: Annotated[str | None, Parameter(name=["--kind", "--kinds"])] = None,
    range: str | None = None,
) -> int:
    """Print the events of a trace, one a line, addresses by name where the bundled guest made them.

    A trace begins at the first user instruction; what came before has numbers too, so the first is not 0.

    Example: pagewalk trace show overrun.jsonl --kind fault,mark --range 150000:

    Args:
        file: What `pagewalk run --trace` wrote.
        kind: Only these kinds, with commas between them.
        range: Only events with numbers from A up to B - 1, as A:B; either may be left out.
    """
    from emu.cli.trace_names import Names
    from emu.trace.reader import read_trace
    from emu.trace.recorder import parse_kinds
    from emu.trace.show import format_event, parse_range

    kinds = parse_kinds(kind)[0] if kind else None
    first, last = parse_range(range) if range else (0, None)
    header, events = read_trace(file)
    names = Names(header)
    for event in events:
        names.follow(event)
        if last is not None and event.seq >= last:
            break
        if event.seq >= first and (kinds is None or event.kind in kinds):
            out(format_event(event, names.name))
    return Exit.FINE


@app.command
def diff(a: Path, b: Path, /) -> int:
    """Compare two traces; exit 1 and print the first event that differs, if one does.

    How the headers differ is printed and decides nothing.

    Example: pagewalk trace diff before.jsonl after.jsonl

    Args:
        a: One trace.
        b: The other.
    """
    from emu.cli.trace_names import Names
    from emu.trace.diff import diff_files
    from emu.trace.reader import read_trace

    headers, difference = diff_files(a, b)
    for line in headers:
        out(shown(f"header: {line}"))
    if difference is None:
        out("no difference")
        return Exit.FINE
    header, events = read_trace(a)
    names = Names(header)
    for _, event in zip(range(difference.index), events, strict=False):
        names.follow(event)
    out(difference.text(names.name))
    return Exit.CHECK_FAILED


@app.command
def stats(file: Path, /, *, json: bool = False) -> int:
    """Count what a trace holds.

    Counters that it does not hold the events for are null: a trace has the plain level-1 hits only with --kinds all.

    Example: pagewalk trace stats overrun.jsonl --json

    Args:
        file: What `pagewalk run --trace` wrote.
        json: Print one JSON object on stdout.
    """
    from emu.cli.trace_counters import TraceCounters
    from emu.trace.reader import read_trace
    from emu.trace.stats import count

    header, events = read_trace(file)
    counters = TraceCounters(header)
    counted = count(_through(events, counters))
    values = counters.report()
    if json:
        json_out(
            {
                "events": counted.events,
                "first_instruction": counted.first_insn,
                "last_instruction": counted.last_insn,
                "kinds": {kind.value: number for kind, number in counted.by_kind.items()},
                "accesses": counted.accesses,
                "faults": counted.faults,
                "invalidations": counted.invalidations,
                "counters": values,
            }
        )
        return Exit.FINE
    out(f"{counted.events:,} events, instructions {counted.first_insn} to {counted.last_insn}")
    for title, numbers in (
        ("kind", {kind.value: number for kind, number in counted.by_kind.items()}),
        ("access", counted.accesses),
        ("fault", counted.faults),
        ("invalidation", counted.invalidations),
        ("counter", {name: value for name, value in values.items() if value is not None}),
    ):
        if numbers:
            out("")
            out(table([(title, "events"), *((shown(name), f"{value:,}") for name, value in numbers.items())]))
    return Exit.FINE


def _through(events: "Iterator[Any]", observer: "Callable[[Event], None]") -> "Iterator[Event]":
    for event in events:
        observer(event)
        yield event


@app.command
def export(
    file: Path,
    /,
    *,
    to: Literal["csv", "lackey"],
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
) -> int:
    """Write a trace in another form.

    csv has one line an event and one column a field. lackey has the accesses that user-mode code made, in the lines
    of valgrind's lackey, which `pagewalk trace import` and other simulators read; record them with --kinds all.

    Example: pagewalk trace export overrun.jsonl --to csv -o overrun.csv

    Args:
        file: What `pagewalk run --trace` wrote.
        to: The form.
        output: The file to write; stdout if it is left out.
    """
    from emu.trace.reader import read_trace

    header, events = read_trace(file)
    lines = _csv_lines(header, events) if to == "csv" else _lackey_lines(file, header, events)
    if output is None:
        for line in lines:
            out(line, end="")
    else:
        _write_whole(output, lines)
    return Exit.FINE


def _lackey_lines(file: Path, header: "TraceHeader", events: "Iterator[Any]") -> Iterator[str]:
    from emu.trace.export_lackey import lackey_lines

    if "all" not in header.kinds:
        if "access" not in header.kinds:
            raise UsageError(f"trace {file}: holds no accesses; record it with --kinds all")
        note(f"trace {file} holds no plain level-1 hits, so they are missing; record it with --kinds all")
    return lackey_lines(events)


def _csv_lines(header: "TraceHeader", events: "Iterator[Any]") -> Iterator[str]:
    import csv
    import io

    from emu.events import EVENT_TYPES, Event

    common = list(Event.__struct_fields__)
    own = dict.fromkeys(
        field
        for kind in _kinds_of(header)
        for field in EVENT_TYPES[kind].__struct_fields__
        if field not in common
    )
    columns = [*common, "kind", *own]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for event in events:
        writer.writerow([_cell(getattr(event, column, None)) for column in columns])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _kinds_of(header: "TraceHeader") -> "list[Kind]":
    from emu.events import Kind

    return [kind for kind in Kind if kind.value in header.kinds] or list(Kind)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return shown(value)
    return "" if value is None else value


def _write_whole(path: Path, lines: Iterator[str]) -> None:
    """Write the file under another name and rename it: it is there whole or not at all."""
    from secrets import token_hex

    scratch = path.with_name(
        f".{path.name}.{token_hex(8)}"
    )  # known before it is there: Ctrl-C may come between
    try:
        try:
            with scratch.open("x", encoding="utf-8", newline="") as file:
                file.writelines(lines)
            scratch.replace(path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; choose another place") from None
