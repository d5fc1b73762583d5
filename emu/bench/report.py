# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark table: what is measured, in which order, and as plain values."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from emu.bench.guest_costs import GuestCost, measure_guest_costs
from emu.bench.loops import (
    LOOPS,
    STRETCH,
    STRETCHES,
    LoopResult,
    Share,
    measure_loop,
    measure_shares,
)
from emu.bench.path_costs import PathCost, measure_paths
from emu.bench.screen import KeyWait, measure_first_screen, measure_keys
from emu.bench.steps import RUN, Steps, measure_steps
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
    steps: Steps | None = None
    keys: list[KeyWait] = field(default_factory=list[KeyWait])
    """Empty where no terminal can be made."""
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
            "keys_milliseconds": {
                wait.key: {"what": wait.what, "typical": wait.typical, "worst": wait.worst}
                for wait in self.keys
            },
            "steps_milliseconds": asdict(self.steps) if self.steps is not None else None,
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
    run: int = RUN,
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
    progress(f"steps and jumps in a run of {run:,} instructions")
    report.steps = measure_steps(run)
    if screen:
        progress("the first screen, and keys")
        report.first_screen_seconds = measure_first_screen()
        report.keys = measure_keys()
    return report
