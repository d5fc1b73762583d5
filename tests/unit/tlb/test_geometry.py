# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.tlb.geometry import CostModel, GeometryError
from emu.tlb.geometry_file import geometry
from emu.tlb.presets import DEFAULT, PRESETS
from tests.helpers.bench import array

FULL = """
name = "mine"
source = "a guess"
confidence = "secondary"
[[array]]
level = 1
serves = "data"
page_sizes = ["2M", "4K"]
entries = 6
ways = 2
policy = "lru"
[[array]]
level = 2
serves = "both"
page_sizes = ["1G"]
entries = 3
ways = "full"
[cost]
l2_hit = 9
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def test_a_preset_goes_by_its_name_and_carries_its_source() -> None:
    for name, preset in PRESETS.items():
        assert geometry(name) is preset
        assert preset.source
        assert preset.confidence in ("stated", "secondary", "assumed")
    assert DEFAULT in PRESETS


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "pentium3",
            [
                "L1I 4K: 32 entries, 8 sets x 4 ways, lru",
                "L1I 2M/4M: 2 entries, fully associative, lru",
                "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
                "L1D 2M/4M: 8 entries, 2 sets x 4 ways, lru",
            ],
        ),
        (
            "haswell",
            [
                "L1I 4K: 128 entries, 32 sets x 4 ways, lru",
                "L1I 2M/4M: 8 entries, fully associative, lru",
                "L1D 4K: 64 entries, 16 sets x 4 ways, lru",
                "L1D 2M/4M: 32 entries, 8 sets x 4 ways, lru",
                "L1D 1G: 4 entries, fully associative, lru",
                "L2 4K/2M: 1024 entries, 128 sets x 8 ways, lru",
            ],
        ),
    ],
)
def test_a_preset_has_the_published_arrays(name: str, rows: list[str]) -> None:
    assert [str(row) for row in geometry(name).arrays] == rows


@pytest.mark.parametrize(
    ("serves", "types", "letter"),
    [
        ("instruction", ("fetch",), "L1I"),
        ("load", ("read",), "L1L"),
        ("store", ("write",), "L1S"),
        ("data", ("read", "write"), "L1D"),
        ("both", ("fetch", "read", "write"), "L1"),
    ],
)
def test_an_array_answers_the_types_it_serves(serves: str, types: tuple[str, ...], letter: str) -> None:
    made = array(serves=serves)
    assert made.types == types
    assert made.name == f"{letter} 4K"


def test_a_file_says_everything_about_a_geometry(toml: Path) -> None:
    toml.write_text(FULL)
    mine = geometry(str(toml))
    assert (mine.name, mine.source, mine.confidence) == ("mine", "a guess", "secondary")
    assert mine.cost == CostModel(l2_hit=9)
    first, second = mine.arrays
    assert (first.sets, first.way_count, first.page_bytes) == (3, 2, (4096, 2 << 20))
    assert (second.sets, second.way_count, second.types) == (1, 3, ("fetch", "read", "write"))


def test_what_a_file_leaves_out_has_a_default(toml: Path) -> None:
    toml.write_text(FULL[FULL.index("[[array]]") : FULL.index("[cost]")])
    mine = geometry(str(toml))
    assert (mine.name, mine.source, mine.confidence, mine.cost) == ("mine", "", "assumed", CostModel())


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(GeometryError, match=r"no TLB geometry 'haswel'; try haswell, or name a \.toml file"):
        geometry("haswel")
    with pytest.raises(GeometryError, match="try pentium3, haswell"):
        geometry("zzzz")


def test_a_file_that_cannot_be_read_is_named(toml: Path) -> None:
    with pytest.raises(GeometryError, match=r"cannot read the geometry .*mine\.toml: No such file"):
        geometry(str(toml))


@pytest.mark.parametrize("content", [b"name = \n", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(GeometryError, match=r"mine\.toml is no TOML: .*; mend that place"):
        geometry(str(toml))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "nmae = 1", r"unknown key 'nmae'; .*known are base, name, .*"),
        (
            'confidence = "secondary"',
            'confidence = "sure"',
            r"confidence 'sure'; use stated, secondary or assumed",
        ),
        ("l2_hit = 9", "l3_hit = 9", r"unknown cost 'l3_hit'; did you mean l2_hit. known are l1_hit"),
        ("l2_hit = 9", "l2_hit = -1", r"cost l2_hit = -1; give whole cycles, 0 or more"),
        ("l2_hit = 9", "l2_hit = true", r"cost l2_hit = True"),
        ("l2_hit = 9", "l2_hit = 1.5", r"cost l2_hit = 1.5"),
        ("level = 2", "lvel = 2", r"array 2: unknown key 'lvel'"),
        ("level = 2\n", "", r"array 2: level is missing; add it"),
        ("level = 2", "level = 3", r"array 2: level 3; use 1 or 2"),
        (
            'serves = "both"',
            'serves = "all"',
            r"array 2: serves 'all'; use instruction, load, store, data or both",
        ),
        ('serves = "both"', "serves = [1]", r"array 2: serves \[1\]"),
        ("entries = 6", "entries = 0", r"array 1: entries 0; give a number from 1 to 65536"),
        ("entries = 6", "entries = 65537", r"entries 65537"),
        ("entries = 6", "entries = true", r"entries True"),
        ("entries = 6", 'entries = "6"', r"entries '6'"),
        ("ways = 2", "ways = 4", r'array 1: ways 4; give a number that divides 6, or "full"'),
        ("ways = 2", "ways = 0", r"ways 0"),
        ("ways = 2", "ways = true", r"ways True"),
        ("level = 2", "level = true", r"level True"),
        ("ways = 2", 'ways = "half"', r"ways 'half'"),
        (
            'page_sizes = ["1G"]',
            'page_sizes = ["8K"]',
            r"array 2: page size '8K'; use 4K, 2M, 4M or 1G",
        ),
        ('page_sizes = ["1G"]', "page_sizes = []", r"page_sizes \[\]"),
        ('page_sizes = ["1G"]', 'page_sizes = "1G"', r"page_sizes '1G'"),
        ('page_sizes = ["1G"]', "page_sizes = [[1]]", r"page_sizes \[\[1\]\]"),
        ('policy = "lru"', 'policy = "mru"', r"array 1: policy 'mru'; use lru, tree-plru, fifo or random"),
        ('policy = "lru"', "policy = [1]", r"array 1: policy \[1\]"),
    ],
)
def test_what_no_tlb_could_have_is_refused_with_place_and_mend(
    toml: Path, old: str, new: str, message: str
) -> None:
    assert old in FULL
    toml.write_text(FULL.replace(old, new))
    with pytest.raises(GeometryError, match=r"mine\.toml: .*" + message):
        geometry(str(toml))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "x"', r"no \[\[array\]\]; give at least one"),
        ("array = []", r"no \[\[array\]\]"),
        ("array = 3", r"no \[\[array\]\]"),
        ("array = [1]", r"array 1: not a table; write it as \[\[array\]\]"),
        (FULL[: FULL.index("[cost]")].replace('name = "mine"', "cost = 1"), r"\[cost\] is no table"),
    ],
)
def test_a_file_of_another_shape_is_refused(toml: Path, content: str, message: str) -> None:
    toml.write_text(content)
    with pytest.raises(GeometryError, match=r"mine\.toml: .*" + message):
        geometry(str(toml))
