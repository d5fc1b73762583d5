# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk bench`: the benchmark table."""

from typing import TYPE_CHECKING

from emu.cli.errors import Exit, UsageError
from emu.cli.output import json_out, note, out, table

if TYPE_CHECKING:
    from emu.bench.report import Report

Rows = list[tuple[str, ...]]
"""A table; the first row is its heading."""


def bench(*, json: bool = False, stretch: int = 80_000) -> int:
    """Measure how fast Pagewalk is here, as ratios to the bare engine where a ratio is possible.

    The bare engine is the same Unicorn with its own MMU, no hooks, an instruction count, and the same loop.

    Example: pagewalk bench --json

    Args:
        json: Print one JSON object on stdout.
        stretch: Instructions that are measured in one piece, at most 90000.
    """
    from emu.bench.report import measure

    if not 100 <= stretch <= 90_000:
        raise UsageError(f"--stretch {stretch}: give 100 to 90000, so that it fits between two timer ticks")
    report = measure(stretch, progress=lambda what: note(f"measuring {what}"))
    if json:
        json_out(report.as_json())
    else:
        _print(report)
    return Exit.FINE if all(loop.same_registers for loop in report.loops) else Exit.CHECK_FAILED


def _print(report: "Report") -> None:
    tables = (_loops, _shares, _guest, _translations, _imports, _waits)
    out("\n\n".join(table(rows_of(report)) for rows_of in tables))


def _loops(report: "Report") -> Rows:
    rows: Rows = [("loop", "Pagewalk, million/s", "bare engine, million/s", "ratio", "same registers")]
    for loop in report.loops:
        numbers = f"{loop.pagewalk / 1e6:.2f}", f"{loop.bare / 1e6:.1f}", f"{loop.ratio:.4f}"
        rows.append((loop.program, *numbers, "yes" if loop.same_registers else "NO"))
    return rows


def _shares(report: "Report") -> Rows:
    rows: Rows = [("the emulator's share of", "microseconds", "bare instructions", "seen")]
    for share in report.shares:
        numbers = f"{share.microseconds:.1f}", f"{share.bare_instructions:,.0f}", f"{share.count}"
        rows.append((f"a {share.event}", *numbers))
    return rows


def _guest(report: "Report") -> Rows:
    rows: Rows = [("the guest kernel's work", "guest instructions", "seen")]
    rows += [(cost.what, f"{cost.instructions:,}", f"{cost.count:,}") for cost in report.guest]
    rows += [
        (
            f"a packet of {cost.size:,} bytes, firewall.path={cost.path}",
            f"{cost.instructions:,.0f}",
            f"{cost.count:,}",
        )
        for cost in report.paths
    ]
    return rows


def _translations(report: "Report") -> Rows:
    rows: Rows = [("thousand a second, 4K pages", "hits", "misses", "walks alone")]
    for rate in report.translations:
        numbers = (f"{number / 1e3:.0f}" for number in (rate.hits, rate.misses, rate.walks))
        rows.append((f"{rate.mode} paging", *numbers))
    return rows


def _imports(report: "Report") -> Rows:
    rows: Rows = [("trace import of", "lines", "thousand lines/s")]
    for rate in report.imports:
        rows.append((rate.trace, f"{rate.lines:,}", f"{rate.per_second / 1e3:.0f}"))
    return rows


def _waits(report: "Report") -> Rows:
    screen, steps = report.first_screen_seconds, report.steps
    rows: Rows = [("what a student waits for", "typical, ms", "worst, ms")]
    first = "not measured" if screen is None else f"{screen * 1e3:.0f}"
    rows.append(("command to first screen", first, ""))
    rows += [
        (f"key {wait.key}: {wait.what}, to the redrawn screen", f"{wait.typical:.0f}", f"{wait.worst:.0f}")
        for wait in report.keys
    ]
    if steps is not None:
        moves = ("a step", steps.forward), ("a step back", steps.back), ("a jump to anywhere", steps.jump)
        rows += [
            (f"{what} in a run of {steps.run:,} instructions", f"{wait.typical:.2f}", f"{wait.worst:.2f}")
            for what, wait in moves
        ]
    return rows
