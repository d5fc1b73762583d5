# SPDX-License-Identifier: GPL-2.0-or-later
"""What each guest program says: a program with a text in console/ says just that, process by process.

A new program needs nothing here but its text: `pytest tests/golden/test_consoles.py --update-consoles` writes the
text of each referee program; then read what changed. Where code lies moves with every compilation, so the last
digits of a fault's address and all of RIP are masked.
"""

import re
import tomllib
from pathlib import Path

import pytest

from tests.helpers.kernel import OUT, boot, lines_by_process

TEXTS = Path(__file__).parent / "console"
CATALOGUE = tomllib.loads((OUT.parent / "user" / "programs.toml").read_text("utf-8"))["program"]
REFEREES = sorted(row["name"] for row in CATALOGUE if row["referee"])
HEAVY = ("abuser", "chase", "fuzz", "hog", "pressure")
"""Their runs take seconds; beside QEMU they run in every full test."""
BUDGET = 60_000_000

_KILLED = re.compile(r"^(\d+: killed: .*?)(0x[0-9a-f_]+)?( \(.*\))?, rip 0x[0-9a-f_]+$")


def spoken(console: bytes) -> str:
    """The lines of each process together, in order of their numbers, without what a compilation moves."""
    lines = lines_by_process(console)
    ordered = sorted(lines, key=lambda pid: (len(pid), pid))
    return "".join(masked(line) + "\n" for pid in ordered for line in lines[pid])


def masked(line: str) -> str:
    """A line about a killed process, its fault's offset in the page and its RIP left out; others as they are."""
    return _KILLED.sub(lambda m: f"{m[1]}{m[2][:-3] + '...' if m[2] else ''}{m[3] or ''}, rip ...", line)


def programs() -> list[object]:
    return [
        pytest.param(name, marks=[pytest.mark.nightly] if name in HEAVY else [], id=name) for name in REFEREES
    ]


@pytest.mark.parametrize("program", programs())
def test_a_program_says_what_its_golden_text_says(program: str, request: pytest.FixtureRequest) -> None:
    path = TEXTS / f"{program}.txt"
    updating = request.config.getoption("--update-consoles")
    assert updating or path.is_file(), (
        f"{program} has no golden text: write it with --update-consoles, and read it"
    )
    machine = boot(program)
    machine.run(BUDGET)
    assert machine.ended is not None, "the budget ran out"
    said = spoken(bytes(machine.console))
    if updating:
        path.write_text(said, "utf-8")
    assert said == path.read_text("utf-8")


def test_each_golden_text_belongs_to_a_referee_program() -> None:
    texts = {path.stem for path in TEXTS.glob("*.txt")}
    assert texts
    assert texts <= set(REFEREES)


def test_a_line_about_a_fault_loses_only_what_a_compilation_moves() -> None:
    line = (
        "2: killed: page fault at 0x0000_7fff_ffff_6ff8 (write, user, not present), rip 0x0000_0000_0040_0c83"
    )
    assert (
        masked(line) == "2: killed: page fault at 0x0000_7fff_ffff_6... (write, user, not present), rip ..."
    )
    line = "3: killed: general protection fault (error code 0x0), rip 0x0000_0000_0040_0123"
    assert masked(line) == "3: killed: general protection fault (error code 0x0), rip ..."
    line = "2: my own data lies at 0x0000_7000_0000_1000"
    assert masked(line) == line
