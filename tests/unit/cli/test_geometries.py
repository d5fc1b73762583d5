# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk geometries`: to read, for programs, and as a file to edit."""

from pathlib import Path

import pytest

from emu.tlb.geometry_file import from_table
from emu.tlb.presets import DEFAULT, PRESETS
from tests.unit.cli.conftest import Pagewalk


def test_every_preset_is_listed_with_source_and_confidence(pagewalk: Pagewalk) -> None:
    text = pagewalk("geometries").out
    heads = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert heads[:-1] == [
        f"{one.name} ({one.confidence}{', the default' if one.name == DEFAULT else ''})"
        for one in PRESETS.values()
    ]
    flat = " ".join(text.split())
    for preset in PRESETS.values():
        assert preset.source in flat
        assert preset.note in flat
        for array in preset.arrays:
            assert f"    {array}\n" in text


def test_one_geometry_is_shown_alone(pagewalk: Pagewalk) -> None:
    said = pagewalk("geometries", "core2")
    assert said.out.startswith("core2 (stated)\n")
    assert "haswell" not in said.out
    assert "  paging-structure caches: off\n" in said.out
    assert "  no array keeps 1G pages for fetch, read, write: each such access walks\n" in said.out
    assert "cycles of the cost model (a model, no measurement): l1_hit 0, l2_hit 2," in said.out


def test_a_file_is_shown_as_it_was_understood(pagewalk: Pagewalk, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "haswell"\nnote = "a \\u001b[31m trick"\n[structure_caches]\npde = 32\n')
    said = pagewalk("geometries", path)
    assert said.out.startswith("mine (assumed)\n  haswell, changed: Intel")
    assert "  paging-structure caches: pml5e 0, pml4e 0, pdpte 0, pde 32\n" in said.out
    assert "\x1b" not in said.out


def test_json_has_the_words_of_a_file(pagewalk: Pagewalk) -> None:
    rows = pagewalk("geometries", "--json").json["geometries"]
    assert [row["name"] for row in rows] == list(PRESETS)
    assert [row["name"] for row in rows if row.pop("default")] == [DEFAULT]
    assert [from_table(row, "") for row in rows] == list(PRESETS.values())


def test_json_of_one_is_a_list_of_one(pagewalk: Pagewalk) -> None:
    (row,) = pagewalk("geometries", "zen2", "--json").json["geometries"]
    assert row["array"][2]["splits"] == {"1G": "2M", "4M": "2M"}
    assert row["default"] is False


@pytest.mark.parametrize("name", PRESETS)
def test_a_printed_file_shows_the_same_geometry(pagewalk: Pagewalk, tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(pagewalk("geometries", name, "--toml").out)
    shown = pagewalk("geometries", name).out
    assert pagewalk("geometries", path).out == shown.replace(", the default", "")


@pytest.mark.parametrize("words", [["--toml"], ["haswell", "--toml", "--json"]])
def test_a_file_is_printed_for_one_geometry_and_nothing_else(pagewalk: Pagewalk, words: list[str]) -> None:
    said = pagewalk("geometries", *words)
    assert (said.code, said.out) == (2, "")
    assert said.errors == (
        "pagewalk: --toml prints one geometry as a file; name it, as in `pagewalk geometries haswell --toml`\n"
    )
