# SPDX-License-Identifier: GPL-2.0-or-later
"""Rights of a translation, and the check of an access against them."""

from dataclasses import FrozenInstanceError, replace

import pytest

from emu.paging.fault import AccessType, Reason
from emu.paging.formats import PDE, PTE, RW, US, XD, EntryFormat, Field, P
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import ALL_RIGHTS, Controls, Rights, check

STRICT = Controls(WP=True, SMEP=True, SMAP=True, NXE=True, mode=FOUR_LEVEL, root=0x1000, PGE=True)
FETCH, READ, WRITE = AccessType.FETCH, AccessType.READ, AccessType.WRITE


def test_rights_only_shrink_from_level_to_level():
    upper = ALL_RIGHTS.combine(PDE.decode(P | RW | US | XD))
    assert upper == Rights(US=True, RW=True, XD=True)
    assert upper.combine(PTE.decode(P | US)) == Rights(US=True, RW=False, XD=True)
    assert upper.combine(PTE.decode(P | RW)) == Rights(US=False, RW=True, XD=True)


def test_an_entry_without_rights_bits_leaves_the_rights_alone():
    silent = EntryFormat("PDPTE", 8, (Field("P", 0, 0, "Present"),))
    assert ALL_RIGHTS.combine(silent.decode(P)) == ALL_RIGHTS


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        (Rights(True, True, True), "user, write, no execute"),
        (Rights(False, False, False), "supervisor, read only, execute"),
    ],
)
def test_rights_read_as_words(rights: Rights, words: str):
    assert str(rights) == words


def test_controls_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        STRICT.WP = False  # type: ignore[misc]


@pytest.mark.parametrize("type", AccessType)
def test_user_mode_may_do_to_a_user_page_what_the_page_allows(type: AccessType):
    assert check(Rights(True, True, False), type, True, False, False, STRICT) is None


@pytest.mark.parametrize("type", AccessType)
def test_supervisor_mode_may_do_to_its_own_page_what_the_page_allows(type: AccessType):
    assert check(Rights(False, True, False), type, False, False, False, STRICT) is None


@pytest.mark.parametrize("type", AccessType)
def test_the_first_thing_wrong_with_a_user_access_is_whose_page_it_is(type: AccessType):
    rights = Rights(US=False, RW=False, XD=True)
    assert check(rights, type, True, False, False, STRICT) is Reason.USER_ACCESS_TO_SUPERVISOR_PAGE


def test_smap_is_named_before_the_write_protection():
    rights = Rights(US=True, RW=False, XD=False)
    assert check(rights, WRITE, False, False, False, STRICT) is Reason.SMAP_ACCESS_TO_USER_PAGE
    assert check(rights, WRITE, False, False, True, STRICT) is Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE


def test_smep_is_named_before_xd():
    rights = Rights(US=True, RW=True, XD=True)
    assert check(rights, FETCH, False, False, False, STRICT) is Reason.SMEP_FETCH_FROM_USER_PAGE
    no_smep = replace(STRICT, SMEP=False)
    assert check(rights, FETCH, False, False, False, no_smep) is Reason.FETCH_FROM_XD_PAGE


def test_a_cached_xd_means_nothing_once_nxe_is_off():
    rights = Rights(US=True, RW=True, XD=True)
    assert check(rights, FETCH, True, False, False, replace(STRICT, NXE=False)) is None


def test_a_read_asks_for_neither_write_nor_execute():
    assert check(Rights(True, False, True), READ, True, False, False, STRICT) is None
