# SPDX-License-Identifier: GPL-2.0-or-later
import csv
import io
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Pagewalk


@pytest.fixture
def overrun(pagewalk: Pagewalk, tmp_path: Path) -> Path:
    path = tmp_path / "overrun.jsonl"
    assert pagewalk("run", "overrun", "--trace", path).code == 0
    return path


def test_two_runs_do_not_differ(pagewalk: Pagewalk, overrun: Path, tmp_path: Path) -> None:
    other = tmp_path / "again.jsonl"
    pagewalk("run", "overrun", "--trace", other)
    said = pagewalk("trace", "diff", overrun, other)
    assert (said.code, said.out) == (0, "no difference\n")
    assert overrun.read_bytes() == other.read_bytes()


def test_the_first_event_that_differs_is_shown_by_name(
    pagewalk: Pagewalk, overrun: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.jsonl"
    pagewalk("run", "overrun", "--set", "ukshm.guard=off", "--trace", other)
    said = pagewalk("trace", "diff", overrun, other)
    assert said.code == 1
    assert said.out.startswith("header: command_line: 'program=overrun' and ")
    lines = said.out.splitlines()
    assert any(line.startswith("event ") for line in lines)
    assert any(line.startswith("- ") for line in lines) and any(line.startswith("+ ") for line in lines)


def test_events_are_shown_with_the_names_of_their_own_program(pagewalk: Pagewalk, overrun: Path) -> None:
    said = pagewalk("trace", "show", overrun, "--kind", "fault")
    last = said.out.splitlines()[-1]
    assert "fill_window+" in last and "NOT_PRESENT" in last
    assert "init" not in said.out and "_start (" in said.out, (
        "the page of its first instruction came by a fault too"
    )


def test_a_range_cuts_by_event_number(pagewalk: Pagewalk, overrun: Path) -> None:
    lines = pagewalk("trace", "show", overrun).out.splitlines()
    numbers = [int(line.split()[0]) for line in lines]
    cut = pagewalk("trace", "show", overrun, "--range", f"{numbers[5]}:{numbers[9]}").out.splitlines()
    assert cut == lines[5:9]


def test_counters_of_a_whole_trace_are_those_of_the_run_in_its_window(
    pagewalk: Pagewalk, tmp_path: Path
) -> None:
    path = tmp_path / "all"
    whole = pagewalk("run", "overrun", "--trace", path, "--kinds", "all", "--json").json["counters"]
    counted = pagewalk("trace", "stats", path, "--json").json["counters"]
    assert set(counted) == set(whole)
    assert 0 < counted["accesses.read"] < whole["accesses.read"]
    assert counted["page_faults"] == whole["page_faults"] == 7
    assert counted["accesses.fetch"] >= counted["instructions"]


def test_what_a_paging_structure_cache_covers_is_not_counted_as_a_page(
    pagewalk: Pagewalk, tmp_path: Path
) -> None:
    trace, caches = tmp_path / "all", tmp_path / "caches.toml"
    caches.write_text(
        'base = "haswell"\nname = "with caches"\n[structure_caches]\npml4e = 2\npdpte = 2\npde = 4\n'
    )
    counted: list[dict[str, int]] = []
    for tlb in ("haswell", caches):
        pagewalk("run", "overrun", "--trace", trace, "--kinds", "all", "--tlb", tlb, "--json")
        counters = pagewalk("trace", "stats", trace, "--json").json["counters"]
        counted.append({name: n for name, n in counters.items() if "WALK_COMPLETED_" in name})
    assert counted[0] == counted[1]
    assert counted[0]["DTLB_LOAD_MISSES.WALK_COMPLETED_4K"] > 0


def test_what_a_trace_does_not_hold_is_not_counted(pagewalk: Pagewalk, overrun: Path) -> None:
    counters = pagewalk("trace", "stats", overrun, "--json").json["counters"]
    assert counters["accesses.read"] is None
    assert counters["page_faults"] > 1
    text = pagewalk("trace", "stats", overrun).out
    assert "accesses.read" not in text and "page_faults" in text


def test_csv_has_a_row_an_event_and_a_column_a_field(
    pagewalk: Pagewalk, overrun: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    assert pagewalk("trace", "export", overrun, "--to", "csv", "-o", out).code == 0
    text = out.read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(overrun.read_bytes().splitlines()) - 1
    fault = next(row for row in rows if row["kind"] == "fault")
    assert (fault["vector"], fault["reason"], fault["cpl"]) == ("14", "NOT_PRESENT", "3")
    assert pagewalk("trace", "export", overrun, "--to", "csv").out == text
