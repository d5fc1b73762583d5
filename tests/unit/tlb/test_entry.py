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
