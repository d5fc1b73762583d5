# SPDX-License-Identifier: GPL-2.0-or-later
"""The walk: steps, outcomes, what it asks to be written."""

from dataclasses import replace

import pytest

from emu.bits import sign_extend
from emu.paging.build import TableBuilder
from emu.paging.fault import Reason
from emu.paging.formats import PML4E, PS, PTE, RW, US, XD, A, D, EntryFormat, Field, G, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, PAE, TWO_LEVEL, Level, PagingMode
from emu.paging.rights import Controls, Rights
from emu.paging.walk import Source, accessed_updates, load_pdptes, walk

LINEAR = 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12
CONTROLS = Controls(WP=True, SMEP=True, SMAP=True, NXE=True, mode=FOUR_LEVEL, root=0x1000, PGE=True)


@pytest.fixture
def tables(memory) -> TableBuilder:
    """Four-level tables that map LINEAR to 0x9000."""
    builder = TableBuilder(memory, memory.allocate, FOUR_LEVEL)
    builder.map(LINEAR, 0x9000)
    memory.reads.clear()
    return builder


def walk_of(memory, linear: int = LINEAR, controls: Controls = CONTROLS):
    return walk(memory.read_entry, linear, controls)


def test_a_walk_reads_one_entry_a_level_from_the_root_down(memory, tables):
    result = walk_of(memory)
    assert [step.level.name for step in result.steps] == ["PML4E", "PDPTE", "PDE", "PTE"]
    assert [step.index for step in result.steps] == [1, 2, 3, 4]
    assert [step.table for step in result.steps] == [0x1000, 0x2000, 0x3000, 0x4000]
    assert memory.reads == [(0x1008, 8), (0x2010, 8), (0x3018, 8), (0x4020, 8)]
    assert [step.address for step in result.steps] == [address for address, _ in memory.reads]
    assert [step.entry.format for step in result.steps][::3] == [PML4E, PTE]


def test_a_complete_walk_gives_page_frame_and_physical_address(memory, tables):
    result = walk_of(memory, LINEAR | 0x123)
    assert result.complete and result.refusal is None
    assert result.leaf is result.steps[-1]
    assert (result.page_bytes, result.frame, result.physical) == (4096, 0x9000, 0x9123)
    assert result.rights == Rights(US=True, RW=True, XD=False)


@pytest.mark.parametrize(
    ("page_bytes", "frame", "steps"),
    [(2 << 20, 0x1234_5620_0000 & 0xFF_FFE0_0000, 3), (1 << 30, 0xFF_C000_0000, 2)],
    ids=["2M", "1G"],
)
def test_a_large_page_ends_the_walk_early(memory, page_bytes: int, frame: int, steps: int):
    builder = TableBuilder(memory, memory.allocate, FOUR_LEVEL)
    builder.map(0, frame, page_bytes, P | RW | 1 << 12)
    result = walk_of(memory, page_bytes - 5)
    assert (len(result.steps), result.page_bytes) == (steps, page_bytes)
    assert result.leaf.entry.PAT
    assert (result.frame, result.physical) == (frame, frame + page_bytes - 5)


def test_rights_are_gathered_on_the_way_down(memory, tables):
    memory.entries[tables.entry_address(LINEAR, "PML4E")] ^= US
    memory.entries[tables.entry_address(LINEAR, "PDE")] |= XD
    memory.entries[tables.entry_address(LINEAR, "PTE")] ^= RW
    assert [str(step.rights) for step in walk_of(memory).steps] == [
        "supervisor, write, execute",
        "supervisor, write, execute",
        "supervisor, write, no execute",
        "supervisor, read only, no execute",
    ]


@pytest.mark.parametrize("level", [level.name for level in FOUR_LEVEL.levels])
def test_a_walk_stops_at_an_entry_that_is_not_present(memory, tables, level: str):
    memory.entries[tables.entry_address(LINEAR, level)] &= ~(P | RW | US)
    result = walk_of(memory)
    assert not result.complete and result.refusal is not None
    assert result.refusal.reason is Reason.NOT_PRESENT
    assert result.refusal.step is result.steps[-1]
    assert result.steps[-1].level.name == level
    assert result.steps[-1].rights == Rights(US=True, RW=True, XD=False)


@pytest.mark.parametrize("level", [level.name for level in FOUR_LEVEL.levels])
def test_a_walk_stops_at_a_reserved_bit(memory, tables, level: str):
    memory.entries[tables.entry_address(LINEAR, level)] |= 1 << 40
    result = walk_of(memory)
    assert result.refusal is not None
    assert result.refusal.reason is Reason.RESERVED_BIT_SET
    assert result.refusal.step is result.steps[-1]
    assert result.steps[-1].level.name == level


def test_reserved_bits_of_an_absent_entry_do_not_matter(memory, tables):
    memory.entries[tables.entry_address(LINEAR, "PDE")] = 1 << 51
    assert walk_of(memory).refusal.reason is Reason.NOT_PRESENT


def test_xd_without_nxe_is_a_reserved_bit(memory, tables):
    memory.entries[tables.entry_address(LINEAR, "PTE")] |= XD
    assert walk_of(memory).complete
    assert walk_of(memory, controls=replace(CONTROLS, NXE=False)).refusal.reason is Reason.RESERVED_BIT_SET


def test_a_larger_maxphyaddr_makes_address_bits_of_reserved_ones(memory, tables):
    memory.entries[tables.entry_address(LINEAR, "PTE")] |= 1 << 40
    assert walk_of(memory, controls=replace(CONTROLS, maxphyaddr=46)).frame == 1 << 40 | 0x9000


def test_a_1g_page_on_a_cpu_without_them_is_a_reserved_bit(memory):
    TableBuilder(memory, memory.allocate, FOUR_LEVEL).map(0, 0, 1 << 30)
    assert walk_of(memory, 0).complete
    result = walk_of(memory, 0, replace(CONTROLS, page_1g=False))
    assert result.refusal.reason is Reason.RESERVED_BIT_SET
    assert result.refusal.step.level.name == "PDPTE"


def test_a_non_canonical_address_is_refused_before_any_entry_is_read(memory, tables):
    result = walk_of(memory, 1 << 47)
    assert result.refusal.reason is Reason.NON_CANONICAL
    assert (result.refusal.step, result.steps, memory.reads) == (None, (), [])


def test_the_upper_half_uses_the_upper_half_of_the_root_table(memory, tables):
    assert walk_of(memory, sign_extend(1 << 47)).steps[0].index == 256


@pytest.mark.parametrize("attribute", ["leaf", "rights", "page_bytes", "frame", "physical", "is_global"])
def test_a_walk_that_stopped_has_no_translation_to_show(memory, attribute: str):
    result = walk_of(memory)
    with pytest.raises(ValueError, match="the walk stopped: an entry on the way is not present"):
        getattr(result, attribute)


@pytest.mark.parametrize(("g", "pge", "is_global"), [(G, True, True), (G, False, False), (0, True, False)])
def test_a_page_is_global_if_g_is_set_and_pge_heeds_it(memory, tables, g: int, pge: bool, is_global: bool):
    memory.entries[tables.entry_address(LINEAR, "PTE")] |= g
    assert walk_of(memory, controls=replace(CONTROLS, PGE=pge)).is_global is is_global


def test_an_access_sets_a_in_each_entry_used(memory, tables):
    before = dict(memory.entries)
    updates = accessed_updates(walk_of(memory), write=False)
    assert [update.step.level.name for update in updates] == ["PML4E", "PDPTE", "PDE", "PTE"]
    assert all(update.after == update.before | A and update.why == "A" for update in updates)
    assert memory.entries == before


def test_a_write_sets_d_in_the_leaf_alone(memory, tables):
    *upper, leaf = accessed_updates(walk_of(memory), write=True)
    assert [update.why for update in upper] == ["A", "A", "A"]
    assert (leaf.why, leaf.after) == ("A and D", leaf.before | A | D)


def test_bits_already_set_are_not_written_again(memory, tables):
    for level in FOUR_LEVEL.levels:
        memory.entries[tables.entry_address(LINEAR, level.name)] |= A
    result = walk_of(memory)
    assert accessed_updates(result, write=False) == []
    (update,) = accessed_updates(result, write=True)
    assert (update.step, update.why, update.after) == (result.leaf, "D", update.before | D)
    memory.entries[update.step.address] = update.after
    assert accessed_updates(walk_of(memory), write=True) == []


def test_a_walk_that_stopped_sets_nothing(memory):
    with pytest.raises(ValueError, match="the walk stopped"):
        accessed_updates(walk_of(memory), write=False)


def test_five_level_paging_is_one_more_step_of_the_same_loop(memory):
    builder = TableBuilder(memory, memory.allocate, FIVE_LEVEL)
    builder.map(7 << 48 | LINEAR, 0x9000)
    result = walk_of(memory, 7 << 48 | LINEAR, replace(CONTROLS, mode=FIVE_LEVEL))
    assert [step.index for step in result.steps] == [7, 1, 2, 3, 4]
    assert result.frame == 0x9000


def test_32_bit_paging_is_two_levels_of_small_entries(memory):
    builder = TableBuilder(memory, memory.allocate, TWO_LEVEL)
    controls = replace(CONTROLS, mode=TWO_LEVEL)
    builder.map(0x8040_1000, 0x9000)
    builder.map(0xC000_0000, 0xAB_CDC0_0000, 4 << 20)
    memory.reads.clear()
    assert walk_of(memory, 0x8040_1234, controls).physical == 0x9234
    assert memory.reads == [(0x1000 + 4 * 0x201, 4), (0x2000 + 4, 4)]
    large = walk_of(memory, 0xC012_3456, controls)
    assert (large.physical, large.page_bytes) == (0xAB_CDD2_3456, 4 << 20)
    memory.entries[builder.entry_address(0xC000_0000, "PDE")] |= 1 << 21
    assert walk_of(memory, 0xC012_3456, controls).reason is Reason.RESERVED_BIT_SET


def test_without_pse_a_pde_with_ps_refers_to_a_table(memory):
    builder = TableBuilder(memory, memory.allocate, TWO_LEVEL)
    builder.map(0x8040_1000, 0x9000)
    memory.entries[builder.entry_address(0x8040_1000, "PDE")] |= PS
    assert walk_of(memory, 0x8040_1000, replace(CONTROLS, mode=TWO_LEVEL, PSE=False)).frame == 0x9000


@pytest.fixture
def pae(memory) -> Controls:
    """PAE tables that map 0x8040_1000 to 0x9000 and the 2M page at 0xC000_0000; the PDPTEs are loaded."""
    builder = TableBuilder(memory, memory.allocate, PAE)
    builder.map(0x8040_1000, 0x9000)
    builder.map(0xC000_0000, 0xFF_FFE0_0000, 2 << 20)
    pdptes = load_pdptes(memory.read_entry, builder.root, 40)
    assert pdptes is not None
    memory.reads.clear()
    return replace(CONTROLS, mode=PAE, pdptes=pdptes)


def test_a_pae_walk_takes_its_first_entry_from_a_register(memory, pae):
    result = walk_of(memory, 0x8040_1234, pae)
    assert result.physical == 0x9234
    assert memory.reads == [(0x2000 + 8 * 2, 8), (0x3000 + 8, 8)]
    assert [step.source for step in result.steps] == [Source.REGISTER, Source.MEMORY, Source.MEMORY]
    assert (result.first_read, result.reads) == (1, 2)
    memory.entries[0x1010] = 0
    assert walk_of(memory, 0x8040_1234, pae).complete, "memory is asked when CR3 is loaded, not before"


def test_a_pdpte_limits_no_rights_and_is_never_written(memory, pae):
    result = walk_of(memory, 0x8040_1000, pae)
    assert [str(step.rights) for step in result.steps] == ["user, write, execute"] * 3
    assert [update.step.level.name for update in accessed_updates(result, write=True)] == ["PDE", "PTE"]


def test_a_pdpte_register_that_is_not_present_ends_the_walk(memory, pae):
    result = walk_of(memory, 0x4000_0000, pae)
    assert (result.reason, result.reads, memory.reads) == (Reason.NOT_PRESENT, 0, [])
    assert result.steps[0].source is Source.REGISTER


def test_a_2m_page_of_pae_paging_may_lie_above_4_gbytes(memory, pae):
    result = walk_of(memory, 0xC012_3456, pae)
    assert (result.physical, result.page_bytes) == (0xFF_FFF2_3456, 2 << 20)


@pytest.mark.parametrize("bit", [1, 2, 5, 6, 7, 8, 40, 51, 52, 62, 63])
def test_a_present_pdpte_with_a_reserved_bit_cannot_be_loaded(memory, bit: int):
    memory.entries[0x1018] = 0x5000 | P | 1 << bit
    assert load_pdptes(memory.read_entry, 0x1000, 40) is None
    memory.entries[0x1018] ^= P
    assert load_pdptes(memory.read_entry, 0x1000, 40) == (0, 0, 0, memory.entries[0x1018])


@pytest.mark.parametrize("bit", [3, 4, 9, 10, 11, 12, 39])
def test_the_other_bits_of_a_pdpte_are_free(memory, bit: int):
    memory.entries[0x1000] = P | 1 << bit
    assert load_pdptes(memory.read_entry, 0x1000, 40) == (P | 1 << bit, 0, 0, 0)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_walk_goes_on_from_what_is_known(memory, tables, depth: int):
    memory.entries[tables.entry_address(LINEAR, "PML4E")] ^= RW
    memory.entries[tables.entry_address(LINEAR, "PDE")] |= XD
    whole = walk_of(memory)
    memory.reads.clear()
    rest = walk(memory.read_entry, LINEAR, CONTROLS, whole.upper(depth))
    assert len(memory.reads) == rest.reads == 4 - depth
    assert (rest.values, rest.addresses, rest.rights) == (whole.values, whole.addresses, whole.rights)
    assert [step.source for step in rest.steps] == [Source.CACHE] * depth + [Source.MEMORY] * (4 - depth)
    assert [step.rights for step in rest.steps] == [step.rights for step in whole.steps]
    assert [update.step.level.name for update in accessed_updates(rest, write=False)] == [
        level.name for level in FOUR_LEVEL.levels[depth:]
    ]


def test_what_is_known_of_a_pae_walk_includes_the_register(memory, pae):
    known = walk_of(memory, 0x8040_1000, pae).upper(2)
    memory.reads.clear()
    rest = walk(memory.read_entry, 0x8040_1000, replace(pae, pdptes=(0, 0, 0, 0)), known)
    assert (rest.frame, memory.reads) == (0x9000, [(0x3008, 8)])


def test_the_key_is_the_leafs_and_no_upper_entrys(memory, tables):
    memory.entries[tables.entry_address(LINEAR, "PDE")] |= 7 << 59
    assert walk_of(memory).rights.key == 0
    memory.entries[tables.entry_address(LINEAR, "PTE")] |= 9 << 59
    assert walk_of(memory).rights.key == 9


def test_an_entry_without_an_a_bit_is_never_written(memory):
    bare = EntryFormat("PDPTE", 8, (PTE.fields[0], Field("address", 12, 51, "table", address_bit=12)))
    mode = PagingMode(
        "three", (Level("PDPTE", 21, 2, bare, None), FOUR_LEVEL.levels[-1]), 32, sign_extended=False
    )
    builder = TableBuilder(memory, memory.allocate, mode)
    builder.map(0, 0x9000)
    assert memory.entries[0x1000] == 0x2000 | P
    updates = accessed_updates(walk_of(memory, 0, replace(CONTROLS, mode=mode)), write=False)
    assert [update.step.level.name for update in updates] == ["PTE"]
