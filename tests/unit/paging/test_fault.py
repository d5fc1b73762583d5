# SPDX-License-Identifier: GPL-2.0-or-later
"""Reasons, error codes and their words."""

from dataclasses import replace

import pytest

from emu.paging.fault import AccessType, ErrorCode, Reason, describe_error, error_code
from emu.paging.formats import PTE, EntryFormat
from emu.paging.modes import FOUR_LEVEL, Level, PagingMode
from emu.paging.rights import Controls

PLAIN = Controls(WP=True, SMEP=False, SMAP=False, NXE=True, mode=FOUR_LEVEL, root=0x1000, PGE=False)


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_has_words_and_a_section_of_the_manual(reason: Reason):
    assert reason.value and reason.section.startswith("SDM vol. ")
    assert Reason(reason.value) is reason


def test_words_are_not_shared_between_reasons():
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)


def test_a_non_canonical_address_is_no_page_fault():
    with pytest.raises(ValueError, match="not a page fault"):
        error_code(Reason.NON_CANONICAL, AccessType.READ, False, PLAIN)


def test_the_fetch_bit_needs_a_mode_with_xd_unless_smep_is_on():
    bare = EntryFormat("PTE", 4, PTE.fields[:3])
    no_xd = PagingMode("no XD", (Level("PTE", 12, 9, bare, bare),), 21)
    controls = replace(PLAIN, mode=no_xd)
    assert error_code(Reason.NOT_PRESENT, AccessType.FETCH, False, controls) == 0
    assert error_code(Reason.NOT_PRESENT, AccessType.FETCH, False, replace(controls, SMEP=True)) == 16


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "read + supervisor + not present"),
        (6, "write + user + not present"),
        (7, "write + user + protection violation"),
        (0x11, "fetch + supervisor + protection violation"),
        (9, "read + supervisor + protection violation + reserved bit set"),
        (0x65, "read + user + protection violation + protection key + shadow stack"),
        (ErrorCode.SGX | ErrorCode.P, "read + supervisor + protection violation + SGX"),
    ],
)
def test_an_error_code_reads_as_words(code: int, words: str):
    assert describe_error(code) == words
