# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark table: what is measured, in which order, and as plain values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emu.bench.guest_costs import GuestCost, measure_guest_costs
from emu.bench.loops import (
    BACK_FROM,
    LOOPS,
    STEPS,
    STRETCH,
    STRETCHES,
    LoopResult,
    Share,
    measure_loop,
    measure_shares,
    measure_steps,
)
from emu.bench.path_costs import PathCost, measure_paths
from emu.bench.screen import measure_first_screen
from emu.bench.translations import (
    LINES,
    ROUNDS,
    ImportRate,
    TranslationRate,
    measure_import,
    measure_translations,
)
from emu.paging.modes import MODES


@dataclass
class Report:
    """Everything that `pagewalk bench` says."""

    loops: list[LoopResult] = field(default_factory=list[LoopResult])
    shares: list[Share] = field(default_factory=list[Share])
    translations: list[TranslationRate] = field(default_factory=list[TranslationRate])
    imports: list[ImportRate] = field(default_factory=list[ImportRate])
    guest: list[GuestCost] = field(default_factory=list[GuestCost])
    paths: list[PathCost] = field(default_factory=list[PathCost])
    step_microseconds: float = 0.0
    step_back_milliseconds: float = 0.0
    step_back_from: int = 0
    first_screen_seconds: float | None = None
    """None where no terminal can be made, or nothing came."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "loops": {
                loop.program: {
                    "instructions": loop.instructions,
                    "pagewalk_per_second": loop.pagewalk,
                    "bare_per_second": loop.bare,
                    "ratio": loop.ratio,
                    "same_registers": loop.same_registers,
                }
                for loop in self.loops
            },
            "first_screen_seconds": self.first_screen_seconds,
            "step_microseconds": self.step_microseconds,
            "step_back_milliseconds": self.step_back_milliseconds,
            "step_back_from": self.step_back_from,
            "shares": {
                share.event: {
                    "count": share.count,
                    "microseconds": share.microseconds,
                    "bare_instructions": share.bare_instructions,
                }
                for share in self.shares
            },
            "guest_instructions": {cost.what: cost.instructions for cost in self.guest},
            "packet": {f"{cost.path} {cost.size}": cost.counters for cost in self.paths},
            "translations": {
                rate.mode: {
                    "hits_per_second": rate.hits,
                    "misses_per_second": rate.misses,
                    "walks_per_second": rate.walks,
                }
                for rate in self.translations
            },
            "trace_import": {
                rate.trace: {"lines": rate.lines, "lines_per_second": rate.per_second}
                for rate in self.imports
            },
        }


def measure(
    stretch: int = STRETCH,
    stretches: int = STRETCHES,
    back_from: int = BACK_FROM,
    steps: int = STEPS,
    rounds: int = ROUNDS,
    lines: int = LINES,
    guest: bool = True,
    screen: bool = True,
    progress: Callable[[str], None] = lambda what: None,
) -> Report:
    """Measure everything. Fewer instructions make it quicker, not wrong."""
    report = Report()
    for loop in LOOPS:
        progress(f"{loop.program}: {loop.about}")
        report.loops.append(measure_loop(loop, stretch, stretches))
    bare_second = report.loops[-1].bare
    progress("a fill, a fault, a system call")
    report.shares = measure_shares(bare_second)
    if guest:
        progress("the guest kernel, in guest instructions")
        report.guest = measure_guest_costs()
        progress("a packet on each path of the firewall, in guest instructions")
        report.paths = measure_paths()
    progress("translations in each paging mode")
    report.translations = [measure_translations(mode, rounds) for mode in MODES.values()]
    progress("trace import")
    report.imports = measure_import(lines)
    progress("a step, and a step back")
    report.step_microseconds, report.step_back_milliseconds = measure_steps(back_from, steps)
    report.step_back_from = back_from
    if screen:
        progress("the first screen")
        report.first_screen_seconds = measure_first_screen()
    return report
