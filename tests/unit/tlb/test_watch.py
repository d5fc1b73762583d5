# SPDX-License-Identifier: GPL-2.0-or-later
from emu.bits import PhysicalAddress
from emu.tlb.entry import TlbEntry
from emu.tlb.watch import Watch


def entry(*addresses: int) -> TlbEntry:
    chain = tuple((PhysicalAddress(address), 1) for address in addresses)
    return TlbEntry(1, 4096, PhysicalAddress(0), True, True, False, False, False, 0, chain, 0, 0)


def watch(*entries: TlbEntry) -> tuple[Watch, list[int]]:
    new_frames: list[int] = []
    made = Watch(new_frames.append)
    for each in entries:
        made.add(each)
    return made, new_frames


def test_a_write_makes_those_suspect_that_were_made_from_its_bytes() -> None:
    first, second = entry(0x1000, 0x2008), entry(0x1000, 0x2010)
    watched, _ = watch(first, second)
    assert list(watched.written(PhysicalAddress(0x2008), 8)) == [first]
    assert (first.suspect, second.suspect) == (True, False)
    assert list(watched.written(PhysicalAddress(0x1000), 1)) == [first, second]


def test_a_write_into_the_upper_half_of_an_8_byte_entry_counts() -> None:
    watched, _ = watch(made := entry(0x2008))
    assert list(watched.written(PhysicalAddress(0x200F), 1)) == [made]


def test_entries_of_4_bytes_are_told_apart() -> None:
    watched, _ = watch(entry(0x2004), other := entry(0x2008))
    assert list(watched.written(PhysicalAddress(0x2008), 4)) == [other]


def test_a_write_across_two_frames_finds_what_lies_in_the_second() -> None:
    watched, _ = watch(made := entry(0x2000))
    assert list(watched.written(PhysicalAddress(0x1FFE), 4)) == [made]


def test_a_frame_is_watched_as_long_as_anything_was_made_from_it_and_told_of_once() -> None:
    first, second = entry(0x1000, 0x2000), entry(0x1000, 0x2008)
    watched, new_frames = watch(first, second)
    assert new_frames == [1, 2]
    watched.remove(first)
    assert set(watched.frames) == {1, 2}
    watched.remove(second)
    assert not watched.frames
    assert not list(watched.written(PhysicalAddress(0x1000), 8))


def test_tables_that_map_themselves_give_one_address_more_than_once() -> None:
    watched, _ = watch(made := entry(0x1000, 0x1000, 0x2000))
    watched.remove(made)
    assert not watched.frames
