# SPDX-License-Identifier: GPL-2.0-or-later
"""Rights of a translation, and the check of an access against them."""

from dataclasses import FrozenInstanceError, replace

import pytest

from emu.paging.fault import AccessType, Reason
from emu.paging.formats import RW, US, XD, P
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import Controls, Rights, check, key_refusal

STRICT = Controls(WP=True, SMEP=True, SMAP=True, NXE=True, mode=FOUR_LEVEL, root=0x1000, PGE=True)
FETCH, READ, WRITE = AccessType.FETCH, AccessType.READ, AccessType.WRITE


def test_rights_are_read_off_the_values_anded_and_ored_over_the_levels():
    assert Rights.of(P | RW | US, XD) == Rights(US=True, RW=True, XD=True)
    assert Rights.of(P | US, 0) == Rights(US=True, RW=False, XD=False)
    assert Rights.of(P | RW, P | RW) == Rights(US=False, RW=True, XD=False)


def test_the_protection_key_is_the_leafs():
    assert Rights.of(P | US, XD, 0xF << 59 | XD).key == 15
    assert Rights.of(P | US, 5 << 59, 0).key == 0


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        (Rights(True, True, True), "user, write, no execute"),
        (Rights(False, False, False), "supervisor, read only, execute"),
        (Rights(True, False, False, 3), "user, read only, execute, key 3"),
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


KEYED = replace(STRICT, PKE=True, SMAP=False)
AD, WD = Reason.PROTECTION_KEY_DENIES_ACCESS, Reason.PROTECTION_KEY_DENIES_WRITE


@pytest.mark.parametrize(
    ("type", "user", "wp", "pkru", "reason"),
    [
        pytest.param(READ, True, 1, 0b01 << 6, AD, id="AD stops a user read"),
        pytest.param(WRITE, True, 1, 0b11 << 6, AD, id="AD stops a user write, and is named before WD"),
        pytest.param(READ, False, 0, 0b01 << 6, AD, id="AD stops supervisor mode too, whatever WP"),
        pytest.param(FETCH, True, 1, 0b11 << 6, None, id="a fetch asks no key"),
        pytest.param(READ, True, 1, 0b10 << 6, None, id="WD lets reads pass"),
        pytest.param(WRITE, True, 0, 0b10 << 6, WD, id="WD stops a user write, whatever WP"),
        pytest.param(WRITE, False, 1, 0b10 << 6, WD, id="WD stops a supervisor write with WP = 1"),
        pytest.param(WRITE, False, 0, 0b10 << 6, None, id="WD lets a supervisor write pass with WP = 0"),
        pytest.param(WRITE, True, 1, 0b11 << 4 | 0b11 << 8, None, id="the keys beside it do not matter"),
    ],
)
def test_pkru_has_two_bits_for_each_key(type, user: bool, wp: int, pkru: int, reason: Reason | None):
    rights = Rights(US=True, RW=True, XD=False, key=3)
    controls = replace(KEYED, WP=bool(wp), PKRU=pkru)
    assert check(rights, type, user, False, False, controls) is reason


def test_keys_mean_nothing_without_pke_and_on_supervisor_pages():
    denied = replace(KEYED, PKRU=0xFFFF_FFFF)
    assert key_refusal(Rights(True, True, False), READ, True, replace(denied, PKE=False)) is None
    assert key_refusal(Rights(False, True, False), READ, False, denied) is None


def test_a_key_is_named_before_the_write_protection_and_after_smap():
    rights = Rights(US=True, RW=False, XD=False)
    denied = replace(STRICT, PKE=True, PKRU=1)
    assert check(rights, WRITE, True, False, False, denied) is AD
    assert check(rights, WRITE, False, False, False, denied) is Reason.SMAP_ACCESS_TO_USER_PAGE
