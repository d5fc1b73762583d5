# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.bits import PhysicalAddress
from emu.tlb.cache import TlbArray
from emu.tlb.entry import TlbEntry, page_number
from tests.helpers.bench import array


def entry(**changes: object) -> TlbEntry:
    fields: dict[str, object] = {
        "page": 5,
        "page_bytes": 4096,
        "frame": PhysicalAddress(0x9000),
        "US": True,
        "RW": True,
        "XD": False,
        "D": False,
        "is_global": False,
        "pcid": 0,
        "chain": (),
        "filled_insn": 0,
        "filled_rip": 0,
    }
    return TlbEntry(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("user", "write", "execute_disable", "letters"),
    [
        (True, True, False, "UWX"),
        (True, False, True, "UR-"),
        (False, True, True, "SW-"),
        (False, False, False, "SRX"),
    ],
)
def test_rights_are_three_letters(user: bool, write: bool, execute_disable: bool, letters: str) -> None:
    assert entry(US=user, RW=write, XD=execute_disable).rights == letters


def test_dirty_and_global_add_their_letters() -> None:
    assert entry(D=True).rights == "UWXD"
    assert entry(is_global=True).rights == "UWXG"
    assert entry(D=True, is_global=True).rights == "UWXDG"


def test_a_protection_key_that_is_not_0_is_among_the_rights() -> None:
    assert entry(key=5, D=True).rights == "UWXD key 5"


def test_a_piece_lies_where_it_lay_in_its_page_and_knows_how_large_that_is() -> None:
    page = entry(page=1, page_bytes=1 << 30, frame=PhysicalAddress(0x8000_0000), key=3, is_global=True)
    piece = page.piece((1 << 18) + 3 * 512 + 7, 2 << 20)
    assert (piece.linear, piece.frame) == ((1 << 30) + (6 << 20), 0x8060_0000)
    assert (piece.page_bytes, piece.whole_bytes, page.whole_bytes) == (2 << 20, 1 << 30, 1 << 30)
    assert (piece.rights, piece.slots) == (page.rights, [])
    smallest = piece.piece((1 << 18) + 3 * 512 + 7, 4096)
    assert (smallest.frame, smallest.whole_bytes) == (0x8060_7000, 1 << 30)
    assert page.piece(1 << 18, 1 << 30) is page


def test_pieces_of_one_walk_know_each_other() -> None:
    page = entry(page=1, page_bytes=1 << 30, chain=((PhysicalAddress(0x1000), 1),))
    other = entry(page=1, page_bytes=1 << 30, chain=((PhysicalAddress(0x1000), 0xFFF & ~page.D),))
    assert page.piece(1 << 18, 2 << 20).same_walk(page.piece((1 << 18) + 512, 4096))
    assert not page.same_walk(other)


def test_an_entry_is_usable_under_its_own_pcid_and_a_global_one_under_every() -> None:
    assert entry(pcid=3).usable(3)
    assert not entry(pcid=3).usable(4)
    assert entry(pcid=3, is_global=True).usable(4)


def test_a_page_gives_each_of_its_4k_pages_the_frame_that_lies_as_far_in() -> None:
    large = entry(page=3, page_bytes=2 << 20, frame=PhysicalAddress(0x40_0000))
    assert large.frame_of(3 * 512 + 5) == 0x405


def test_a_large_entry_knows_its_first_address_and_says_its_size() -> None:
    large = entry(page=3, page_bytes=2 << 20, frame=PhysicalAddress(0x40_0000))
    assert large.linear == 0x60_0000
    assert str(large) == "0x0000_0000_0060_0000 -> 0x0000_0000_0040_0000 2M UWX"


def test_a_size_without_a_name_is_written_in_bytes() -> None:
    assert " 12288 " in str(entry(page_bytes=12288))


def test_a_slot_is_named_after_array_set_and_way() -> None:
    slot = list(TlbArray(array(entries=8, ways=4)))[5]
    assert slot.name == "L1D 4K 1.1"


@pytest.mark.parametrize(("page_bytes", "number"), [(4096, 0x12345), (2 << 20, 0x91), (1 << 30, 0)])
def test_a_page_number_counts_in_its_own_size(page_bytes: int, number: int) -> None:
    assert page_number(0x12345, page_bytes) == number
