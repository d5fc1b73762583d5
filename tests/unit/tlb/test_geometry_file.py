# SPDX-License-Identifier: GPL-2.0-or-later
"""A geometry by name or as a TOML file: what a file may say, and what is refused with place and mend."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bits import PAGE_SIZES
from emu.tlb.geometry import (
    CONFIDENCES,
    SERVES,
    ArrayGeometry,
    CostModel,
    Geometry,
    GeometryError,
    StructureCaches,
)
from emu.tlb.geometry_file import from_table, geometry, to_toml
from emu.tlb.policy import POLICIES
from emu.tlb.presets import PRESETS

FULL = """
name = "mine"
source = "a guess"
confidence = "secondary"
note = "to try it"
[[array]]
level = 1
serves = "data"
page_sizes = ["2M", "4K"]
entries = 6
ways = 2
policy = "lru"
splits = { "1G" = "2M" }
[[array]]
level = 2
serves = "both"
page_sizes = ["1G"]
entries = 3
ways = "full"
[structure_caches]
pde = 32
[cost]
l2_hit = 9
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


# -- by name ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_goes_by_its_name(name: str) -> None:
    assert geometry(name) is PRESETS[name]


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(GeometryError) as refused:
        geometry("haswel")
    assert str(refused.value) == "no TLB geometry 'haswel'; try haswell, or name a .toml file"
    with pytest.raises(GeometryError, match=f"try {', '.join(PRESETS)}, or name"):
        geometry("zzzz")


# -- reading ------------------------------------------------------------------------------------------------------


def test_a_file_says_everything_about_a_geometry(toml: Path) -> None:
    toml.write_text(FULL)
    assert geometry(str(toml)) == Geometry(
        "mine",
        "a guess",
        "secondary",
        (
            ArrayGeometry(1, "data", ("2M", "4K"), 6, 2, "lru", (("1G", "2M"),)),
            ArrayGeometry(2, "both", ("1G",), 3, "full", "lru"),
        ),
        CostModel(l2_hit=9),
        StructureCaches(pde=32),
        "to try it",
    )


def test_what_a_file_leaves_out_has_a_default(toml: Path) -> None:
    toml.write_text(FULL[FULL.index("[[array]]") : FULL.index("[structure")])
    mine = geometry(str(toml))
    assert (mine.name, mine.source, mine.confidence, mine.note) == ("mine", "", "assumed", "")
    assert (mine.cost, mine.structure_caches) == (CostModel(), StructureCaches())


def test_a_file_need_not_be_called_toml(tmp_path: Path) -> None:
    (tmp_path / "tlbs").write_text(FULL)
    assert geometry(str(tmp_path / "tlbs")).name == "mine"


def test_a_base_and_one_figure_are_enough(toml: Path) -> None:
    toml.write_text('base = "haswell"\n[structure_caches]\npde = 32\n[cost]\nwalk_step_memory = 200\n')
    mine, haswell = geometry(str(toml)), PRESETS["haswell"]
    assert mine.arrays == haswell.arrays
    assert mine.structure_caches == StructureCaches(pde=32)
    assert mine.cost == CostModel(walk_step_memory=200)
    assert mine.name == "mine"
    assert mine.source == f"haswell, changed: {haswell.source}"
    assert mine.confidence == "assumed", "whoever changes a figure vouches for it"


def test_figures_of_a_base_stay_unless_the_file_changes_them() -> None:
    mine = from_table({"base": "core2", "cost": {"fault": 5}}, "mine")
    assert mine.cost == CostModel(l2_hit=2, fault=5)


def test_arrays_of_a_file_take_the_place_of_all_those_of_its_base() -> None:
    row = {"level": 1, "serves": "both", "page_sizes": ["4K"], "entries": 4, "ways": "full"}
    mine = from_table({"base": "core2", "array": [row], "name": "tiny", "confidence": "stated"}, "mine")
    assert mine.arrays == (ArrayGeometry(1, "both", ("4K",), 4, "full"),)
    assert (mine.name, mine.confidence, mine.cost.l2_hit) == ("tiny", "stated", 2)


def test_arrays_that_share_accesses_and_page_sizes_are_fine() -> None:
    rows = [
        {"level": 1, "serves": serves, "page_sizes": ["4K"], "entries": 4, "ways": 2}
        for serves in ("data", "load", "both")
    ]
    assert [shape.name for shape in from_table({"array": rows}, "mine").arrays] == [
        "L1D 4K",
        "L1L 4K",
        "L1 4K",
    ]


def test_a_geometry_may_leave_accesses_without_any_array() -> None:
    rows = [{"level": 1, "serves": "data", "page_sizes": ["4K"], "entries": 4, "ways": 2}]
    assert "fetch" in from_table({"array": rows}, "mine").uncached()["4K"]


# -- refusing -----------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_read_is_named(toml: Path) -> None:
    with pytest.raises(GeometryError, match=r"cannot read the geometry .*mine\.toml: No such file"):
        geometry(str(toml))


@pytest.mark.parametrize("content", [b"name = \n", b"\xff\xfe", b"name = 1\nname = 2\n"])
def test_a_file_that_is_no_toml_is_named(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(GeometryError, match=r"mine\.toml is no TOML: .*; mend that place"):
        geometry(str(toml))


COSTS = ", ".join(CostModel.__dataclass_fields__)
ARRAY_KEYS = "level, serves, page_sizes, entries, ways, policy, splits"
IMPOSSIBLE = [
    (
        'name = "mine"',
        "nmae = 1",
        "unknown key 'nmae'; did you mean name? known are base, name, source, confidence, note, array, "
        "structure_caches, cost",
    ),
    ('name = "mine"', "name = 1", 'name 1; give text, such as name = "..."'),
    ('note = "to try it"', "note = []", 'note []; give text, such as note = "..."'),
    ('name = "mine"', 'base = "haswel"', "base 'haswel' is no preset; try haswell"),
    ('name = "mine"', "base = 1", 'base 1; give text, such as base = "..."'),
    ('"secondary"', '"sure"', "confidence 'sure'; use stated, secondary or assumed"),
    ("l2_hit = 9", "l2_hi = 9", f"unknown cost 'l2_hi'; did you mean l2_hit? known are {COSTS}"),
    ("l2_hit = 9", "dram = 9", f"unknown cost 'dram'; known are {COSTS}"),
    ("l2_hit = 9", "l2_hit = -1", "cost l2_hit = -1; give whole cycles, 0 or more"),
    ("l2_hit = 9", "l2_hit = true", "cost l2_hit = True; give whole cycles"),
    ("l2_hit = 9", "l2_hit = 1.5", "cost l2_hit = 1.5; give whole cycles"),
    ("pde = 32", "pde = -1", "structure_caches pde = -1; give a number from 0 (off) to 65536"),
    ("pde = 32", 'pde = "on"', "structure_caches pde = 'on'; give whole entries"),
    (
        "pde = 32",
        "pte = 32",
        "unknown structure_caches 'pte'; did you mean pdpte? known are pml5e, pml4e, pdpte, pde",
    ),
    ("level = 2", "lvel = 2", f"array 2: unknown key 'lvel'; did you mean level? known are {ARRAY_KEYS}"),
    ("level = 2\n", "", "array 2: level is missing; add it"),
    ("level = 2", "level = 3", "array 2: level 3; use 1 or 2"),
    ("level = 2", "level = true", "array 2: level True; use 1 or 2"),
    ("level = 1", "level = 2", "array 1: level 2 with no level 1 in the file; write level = 1"),
    (
        'serves = "both"',
        'serves = "all"',
        "array 2: serves 'all'; use instruction, load, store, data or both",
    ),
    ('serves = "both"', "serves = [1]", 'array 2: serves [1]; give text, such as serves = "..."'),
    ("entries = 6", "entries = 0", "array 1: entries 0; give a number from 1 to 65536"),
    ("entries = 6", "entries = 65537", "array 1: entries 65537; give a number from 1 to 65536"),
    ("entries = 6", "entries = true", "array 1: entries True; give a number"),
    ("entries = 6", 'entries = "6"', "array 1: entries '6'; give a number"),
    ("ways = 2", "ways = 4", 'array 1: ways 4; give a number that divides 6, or "full"'),
    ("ways = 2", "ways = 0", 'array 1: ways 0; give a number that divides 6, or "full"'),
    ("ways = 2", "ways = true", 'array 1: ways True; give a number, or "full"'),
    ("ways = 2", 'ways = "half"', "array 1: ways 'half'; give a number that divides 6, or \"full\""),
    ("ways = 2", "ways = 2.0", 'array 1: ways 2.0; give a number, or "full"'),
    ('["1G"]', '["8K"]', "array 2: page size '8K'; use 4K, 2M, 4M or 1G"),
    ('["1G"]', "[]", "array 2: page_sizes []; give a list of 4K, 2M, 4M, 1G"),
    ('["1G"]', '"1G"', 'array 2: page_sizes \'1G\'; give a list such as ["4K", "2M"]'),
    ('["1G"]', "[[1]]", 'array 2: page_sizes [[1]]; give a list such as ["4K", "2M"]'),
    ('["2M", "4K"]', '["4K", "4K"]', "array 1: page_sizes 4K 4K names a size twice; name it once"),
    ('policy = "lru"', 'policy = "mru"', "array 1: policy 'mru'; use lru, tree-plru, fifo or random"),
    ('policy = "lru"', "policy = [1]", 'array 1: policy [1]; give text, such as policy = "..."'),
    (
        'ways = "full"',
        'ways = "full"\npolicy = "tree-plru"',
        "array 2: tree-plru with 3 ways; give it 1, 2, 4, 8, 16 ... or use lru",
    ),
    (
        '"1G" = "2M"',
        '"4K" = "2M"',
        "array 1: splits 4K in pieces of 2M; only a page size that is not in page_sizes can be split",
    ),
    (
        '"1G" = "2M"',
        '"1G" = "4M"',
        "array 1: splits 1G in pieces of 4M; a piece is one of page_sizes and smaller than 1G",
    ),
    ('"1G" = "2M"', '"1G" = 2', 'array 1: splits {\'1G\': 2}; write it as { "1G" = "2M" }'),
    ('{ "1G" = "2M" }', '"1G"', 'array 1: splits \'1G\'; write it as { "1G" = "2M" }'),
    (
        'level = 2\nserves = "both"\npage_sizes = ["1G"]',
        'level = 1\nserves = "data"\npage_sizes = ["2M", "4K"]',
        "array 2: a second L1D 2M/4K beside array 1; make one array of both",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), IMPOSSIBLE)
def test_what_no_tlb_could_have_is_one_line_with_file_place_and_mend(
    toml: Path, old: str, new: str, message: str
) -> None:
    assert old in FULL
    toml.write_text(FULL.replace(old, new, 1))
    with pytest.raises(GeometryError) as refused:
        geometry(str(toml))
    assert str(refused.value) == f"{toml}: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "x"', "no [[array]]; give at least one, or a base"),
        ("array = []", "no [[array]]; give at least one, or a base"),
        ("array = 3", "no [[array]]; give at least one, or a base"),
        (
            'base = "haswell"\narray = []',
            "no [[array]]; give at least one, or leave the key out and take those of the base",
        ),
        ("array = [1]", "array 1: not a table; write it as [[array]]"),
        ('base = "haswell"\ncost = 1', "[cost] is no table; write keys and cycles below it"),
        (
            'base = "haswell"\nstructure_caches = 1',
            "[structure_caches] is no table; write keys and entries below it",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(toml: Path, content: str, message: str) -> None:
    toml.write_text(content)
    with pytest.raises(GeometryError) as refused:
        geometry(str(toml))
    assert str(refused.value) == f"{toml}: {message}"


# -- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_printed_preset_reads_as_the_same_preset(name: str, toml: Path) -> None:
    toml.write_text(to_toml(PRESETS[name]))
    assert geometry(str(toml)) == PRESETS[name]


@st.composite
def array_shapes(draw: st.DrawFn) -> ArrayGeometry:
    """Any array that can be, with splits wherever there is room for one."""
    sizes = draw(st.lists(st.sampled_from(list(PAGE_SIZES)), min_size=1, unique=True))
    others = draw(st.lists(st.sampled_from(list(PAGE_SIZES)), unique=True))
    splits = tuple(
        (size, piece)
        for size in others
        for piece in sizes[:1]
        if size not in sizes and PAGE_SIZES[piece] < PAGE_SIZES[size]
    )
    ways, sets = 1 << draw(st.integers(0, 4)), draw(st.integers(1, 100))
    return ArrayGeometry(
        draw(st.sampled_from((1, 2))),
        draw(st.sampled_from(list(SERVES))),
        tuple(sizes),
        ways * sets,
        "full" if sets == 1 else ways,
        draw(st.sampled_from(list(POLICIES))),
        splits,
    )


@given(
    st.lists(array_shapes(), min_size=1, unique_by=lambda shape: shape.name).filter(
        lambda shapes: any(shape.level == 1 for shape in shapes)
    ),
    st.text(),
    st.text(),
    st.sampled_from(CONFIDENCES),
    st.integers(0, 65536),
)
def test_any_printed_geometry_reads_as_itself(
    shapes: list[ArrayGeometry], name: str, note: str, confidence: str, figure: int
) -> None:
    whole = Geometry(
        name,
        note[::-1],
        confidence,
        tuple(shapes),
        CostModel(fault=figure),
        StructureCaches(pml5e=figure),
        note,
    )
    assert from_table(tomllib.loads(to_toml(whole)), "file") == whole
