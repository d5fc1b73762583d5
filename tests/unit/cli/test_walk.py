# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from tests.helpers.mode_guests import build
from tests.unit.cli.conftest import Pagewalk


def test_the_window_is_walked_at_the_programs_last_instruction(pagewalk: Pagewalk) -> None:
    answer = pagewalk("walk", "overrun", "*window", "--json").json
    assert answer["process"] == "overrun(2)"
    assert answer["at"].startswith("fill_window")
    assert [step["level"] for step in answer["steps"]] == ["PML4E", "PDPTE", "PDE", "PTE"]
    assert {"US", "RW", "XD", "D"} <= set(answer["steps"][-1]["flags"])
    assert answer["frame"] == answer["physical"] >> 12
    assert answer["dirty"] and answer["accessed"]
    assert {row["frame"] for row in answer["tlb"]} == {answer["frame"]}
    assert not any(row["stale"] for row in answer["tlb"])


def test_the_guard_page_behind_the_window_is_refused(pagewalk: Pagewalk) -> None:
    window = pagewalk("walk", "overrun", "*window", "--json").json["linear"]
    answer = pagewalk("walk", "overrun", hex(window + 4096), "--json").json
    assert answer["physical"] is None
    assert "NOT_PRESENT" in answer["result"]


def test_as_text_it_shows_each_level_and_the_tlb(pagewalk: Pagewalk) -> None:
    said = pagewalk("walk", "overrun", "*window")
    assert said.code == 0
    assert "PML4E" in said.out and "PTE" in said.out and "L1D 4K" in said.out
    assert said.out.startswith("at fill_window+")


def test_a_place_in_the_program_is_met_in_its_own_process(pagewalk: Pagewalk) -> None:
    answer = pagewalk("walk", "overrun", "main", "--at", "main", "--json").json
    assert (answer["process"], answer["at"], answer["name"]) == ("overrun(2)", "main", "main")


def test_a_place_in_the_kernel_is_met_wherever_it_runs(pagewalk: Pagewalk) -> None:
    answer = pagewalk("walk", "overrun", "kmain", "--at", "kmain", "--json").json
    assert (answer["process"], answer["at"]) == (None, "kmain")


def test_a_source_line_is_a_place(pagewalk: Pagewalk) -> None:
    assert pagewalk("walk", "overrun", "mine", "--at", "overrun.c:40", "--json").code == 0


def test_another_process_has_its_own_walk(pagewalk: Pagewalk) -> None:
    own = pagewalk("walk", "overrun", "main", "--json").json
    other = pagewalk("walk", "overrun", "main", "--process", "init", "--json").json
    assert other["process"] == "init(1)"
    assert other["steps"][0]["address"] != own["steps"][0]["address"]


def test_a_budget_that_runs_out_is_4(pagewalk: Pagewalk) -> None:
    said = pagewalk("walk", "forever", "main", "--instructions", "200000")
    assert said.code == 4
    assert "200,000" in said.errors and "--instructions" in said.errors


def test_a_guest_that_never_ends_is_walked_where_it_is_left(pagewalk: Pagewalk) -> None:
    assert pagewalk("walk", "halt", "main", "--json").json["process"] == "halt(2)"


@pytest.mark.parametrize(
    ("mode", "levels", "digits"),
    [
        ("32-bit", ["PDE", "PTE"], 8),
        ("PAE", ["PDPTE", "PDE", "PTE"], 8),
        ("4-level", ["PML4E", "PDPTE", "PDE", "PTE"], 16),
    ],
)
def test_a_kernel_of_ones_own_is_walked_in_its_own_paging_mode(
    mode: str, levels: list[str], digits: int, pagewalk: Pagewalk, pytestconfig: pytest.Config
) -> None:
    pytest.importorskip("ziglang", reason="compiling the guests needs pagewalk[guest]")
    kernel = build(mode, pytestconfig.cache.mkdir("mode-guests"))
    answer = pagewalk("walk", "rights", "--kernel", kernel, "--at", "rights", "--json").json
    assert (answer["mode"], answer["name"], answer["at"]) == (mode, "rights", "rights")
    assert [step["level"] for step in answer["steps"]] == levels
    assert answer["steps"][0]["source"] == ("a PDPTE register" if mode == "PAE" else "memory")
    assert answer["physical"] == answer["linear"]
    text = pagewalk("walk", "rights", "--kernel", kernel, "--at", "rights").out.splitlines()
    assert text[1].startswith("0x")
    assert len(text[1].split()[0].replace("_", "")) == 2 + digits
