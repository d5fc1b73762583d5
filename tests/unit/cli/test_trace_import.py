# SPDX-License-Identifier: GPL-2.0-or-later
import gzip
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu.cli import trace_import
from emu.events import Accessed
from emu.trace.demand import Touch
from emu.trace.lackey import LackeyTrace
from emu.trace.reader import read_trace
from tests.unit.cli.conftest import Pagewalk

LINES = "==9== Command: ./a \x1b[31m\nI  00401000,4\n L 00600ffc,8\nI  00401004,2\n M 00600008,4\n"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "a.lackey"
    path.write_text(LINES)
    return path


def test_the_json_holds_the_counters_of_a_run_and_what_the_trace_was(
    pagewalk: Pagewalk, recorded: Path
) -> None:
    said = pagewalk("trace", "import", recorded, "--from", "lackey", "--json")
    assert (said.code, said.errors) == (0, "")
    answer = said.json
    counters = answer.pop("counters")
    assert answer == {
        "file": str(recorded),
        "command": "./a \x1b[31m",
        "geometry": "haswell",
        "page_size": "4K",
        "lines": 5,
        "skipped": 0,
        "pages": 3,
    }
    run = pagewalk("run", "hello", "--json").json["counters"]
    assert list(counters) == list(run)
    assert counters["instructions"] == 2
    assert [counters[f"accesses.{kind}"] for kind in ("fetch", "read", "write")] == [2, 3, 1]
    assert counters["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 2
    assert counters["page_faults"] == 0


def test_the_text_says_pages_and_counters_and_shows_control_characters(
    pagewalk: Pagewalk, recorded: Path
) -> None:
    said = pagewalk("trace", "import", recorded, "--from", "lackey")
    lines = said.out.splitlines()
    assert lines[:2] == [
        "command: ./a \\x1b[31m",
        "haswell: 5 lines, 2 instructions, 3 pages of 4K mapped at first use",
    ]
    assert [line.split() for line in lines if "accesses.read" in line] == [["accesses.read", "3"]]
    assert said.errors == ""


def test_a_large_page_and_another_geometry_change_the_counts(pagewalk: Pagewalk, recorded: Path) -> None:
    words = (
        "trace",
        "import",
        recorded,
        "--from",
        "lackey",
        "--json",
        "--page-size",
        "2M",
        "--tlb",
        "pentium3",
    )
    answer = pagewalk(*words).json
    assert (answer["pages"], answer["page_size"], answer["geometry"]) == (2, "2M", "pentium3")
    assert answer["counters"]["DTLB_LOAD_MISSES.WALK_COMPLETED_2M_4M"] == 1


def test_skipped_lines_are_counted_in_text_and_json(pagewalk: Pagewalk, recorded: Path) -> None:
    recorded.write_text(LINES + "oops\n" + LINES)
    words = ("trace", "import", recorded, "--from", "lackey", "--malformed", "skip")
    assert "11 lines (1 malformed, skipped), 4 instructions" in pagewalk(*words).out
    assert pagewalk(*words, "--json").json["skipped"] == 1


def test_a_malformed_line_is_refused_without_a_word_on_stdout(pagewalk: Pagewalk, recorded: Path) -> None:
    recorded.write_text(LINES * 30_000 + "oops\n")
    said = pagewalk("trace", "import", recorded, "--from", "lackey", "--json")
    assert (said.code, said.out) == (2, "")
    assert said.errors.count("\n") == 1 and "line 150001: 'oops' is no access" in said.errors


@pytest.mark.parametrize("end", [b"", b"oops\n"], ids=["a good end", "a bad end"])
@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "plain"])
def test_progress_is_one_line_of_a_terminal_that_is_gone_at_the_end(
    pagewalk: Pagewalk, recorded: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool, end: bytes
) -> None:
    data = LINES.encode() * 30_000 + end * 100_000
    recorded.write_bytes(gzip.compress(data) if compressed else data)
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(trace_import, "_REFRESH_SECONDS", 0.0)
    assert pagewalk("trace", "import", recorded, "--from", "lackey").code == (2 if end else 0)
    written, said = screen.getvalue(), ""
    if end:
        written, said = written[: written.rindex("\r") + 1], written[written.rindex("\r") + 1 :]
    lines = written.split("\r")
    assert not lines[0] and "\n" not in written
    assert " lines, " in lines[-3] and lines[-3].strip().endswith("%")
    assert end or lines[-3].strip() == "150,000 lines, 100%"
    assert len(lines[-2]) >= len(lines[-3].rstrip()) and not lines[-2].strip() and not lines[-1]
    assert said.startswith("pagewalk: lackey trace") == bool(end)


def test_there_is_no_progress_where_stderr_is_no_terminal(
    pagewalk: Pagewalk, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_import, "_REFRESH_SECONDS", 0.0)
    said = pagewalk("trace", "import", recorded, "--from", "lackey")
    assert (said.code, said.errors) == (0, "")


def test_ctrl_c_ends_with_130_and_says_how_far_it_came(
    pagewalk: Pagewalk, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.write_text(LINES * 30_000)
    whole = LackeyTrace.__iter__

    def one_block(trace: LackeyTrace) -> Iterator[Iterator[Touch]]:
        for block in whole(trace):
            yield block
            raise KeyboardInterrupt

    monkeypatch.setattr(LackeyTrace, "__iter__", one_block)
    said = pagewalk("trace", "import", recorded, "--from", "lackey", "--json")
    assert (said.code, said.out) == (130, "")
    assert said.errors.startswith("interrupted; so far ") and " 3 pages of 4K mapped" in said.errors


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_what_valgrind_records_here_and_now_has_no_malformed_line(pagewalk: Pagewalk, tmp_path: Path) -> None:
    path = tmp_path / "true"
    words = ["valgrind", "--tool=lackey", "--trace-mem=yes", f"--log-file={path}", "true"]
    subprocess.run(words, check=True, capture_output=True)
    answer = pagewalk("trace", "import", path, "--from", "lackey", "--json").json
    assert answer["skipped"] == 0 and answer["command"].endswith("true")
    counters = answer["counters"]
    assert counters["instructions"] == path.read_bytes().count(b"\nI ") > 10_000
    assert counters["accesses.read"] > counters["accesses.write"] > 1000
    assert answer["pages"] > 50


def test_a_guest_s_own_trace_goes_out_and_comes_in_with_the_same_accesses(
    pagewalk: Pagewalk, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "hello.jsonl", tmp_path / "hello.lackey"
    assert pagewalk("run", "hello", "--trace", ours, "--kinds", "all").code == 0
    assert pagewalk("trace", "export", ours, "--to", "lackey", "-o", theirs) == (0, "", "")
    _, events = read_trace(ours)
    made = [e for e in events if isinstance(e, Accessed) and e.cpl == 3 and not e.implicit]
    counters = pagewalk("trace", "import", theirs, "--from", "lackey", "--json").json["counters"]
    for kind in ("fetch", "read", "write"):
        count = sum(event.type == kind for event in made)
        assert counters[f"accesses.{kind}"] == count > 10
    assert counters["instructions"] == len({event.insn for event in made if event.type == "fetch"})
    assert pagewalk("trace", "export", ours, "--to", "lackey").out == theirs.read_text()


def test_a_trace_without_plain_hits_is_exported_with_a_word_about_it(
    pagewalk: Pagewalk, tmp_path: Path
) -> None:
    path = tmp_path / "t"
    pagewalk("run", "hello", "--trace", path)
    said = pagewalk("trace", "export", path, "--to", "lackey")
    assert said.code == 0 and said.out.startswith("I  ")
    assert "no plain level-1 hits" in said.errors and "--kinds all" in said.errors
    pagewalk("run", "hello", "--trace", path, "--kinds", "fault")
    said = pagewalk("trace", "export", path, "--to", "lackey")
    assert (said.code, said.out) == (2, "") and "holds no accesses; record it with --kinds all" in said.errors
