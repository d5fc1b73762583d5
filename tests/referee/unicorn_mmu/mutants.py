# SPDX-License-Identifier: GPL-2.0-or-later
"""Bugs to plant: what a mode's table, a register or a rule could have wrong. The referee must notice each."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from emu.paging import rights
from emu.paging.fault import AccessType, Reason
from emu.paging.formats import EntryFormat, Field
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls
from tests.referee.unicorn_mmu import judge
from tests.referee.unicorn_mmu.judge import Suspect, unchanged

WITHOUT_EFFECT: Final = ("P", "PWT", "PCD", "PAT", "G", "PS")
"""Fields that decide nothing in a translation, and two that the walk does not look up in the format."""


def table_mutants(mode: PagingMode) -> Iterator[tuple[str, Suspect]]:
    """The mode with one field of one format wrong, for each field of each format of each level."""
    for depth, level in enumerate(mode.levels):
        loaded = mode.root_in_registers and depth == 0
        for side in ("table",) if level.page in (None, level.table) else ("table", "page"):
            form = getattr(level, side)
            for what, fields in field_mutants(form, reserved=not loaded):
                wrong = replace(form, fields=fields)
                changed = {"table": wrong, "page": wrong} if level.page is level.table else {side: wrong}
                levels = (*mode.levels[:depth], replace(level, **changed), *mode.levels[depth + 1 :])
                yield f"{form.name} as {side}: {what}", _under(replace(mode, levels=levels))


def _under(wrong: PagingMode) -> Suspect:
    """Walks in the wrong mode. Only with CR4.PSE: what it changes in 32-bit paging is bound to the right format."""
    return lambda controls: replace(controls, mode=wrong) if controls.PSE else controls


def field_mutants(form: EntryFormat, reserved: bool) -> Iterator[tuple[str, tuple[Field, ...]]]:
    """The fields of a format with one of them wrong, and in words what is wrong.

    `reserved`: whether the engine looks at the format's reserved bits.
    """
    for at, f in enumerate(form.fields):
        before, after = form.fields[:at], form.fields[at + 1 :]
        for what, instead in _wrong_field(f, reserved):
            yield what, (*before, *instead, *after)


def _wrong_field(f: Field, reserved: bool) -> Iterator[tuple[str, tuple[Field, ...]]]:
    if f.reserved:
        if reserved:
            yield f"bits {f.low} to {f.high} are not reserved", ()
        if reserved and f.low < f.high:
            yield f"bit {f.high} is not reserved", (replace(f, high=f.high - 1),)
            yield f"bit {f.low} is not reserved", (replace(f, low=f.low + 1),)
    elif f.address_bit is not None:
        yield f"bits {f.low} to {f.high} are not of the address", ()
        yield (
            f"bit {f.low} is not of the address",
            (replace(f, low=f.low + 1, address_bit=f.address_bit + 1),),
        )
    elif f.name in ("RW", "US", "XD", "A", "D"):
        yield f"{f.name} is ignored", ()
    elif f.name not in WITHOUT_EFFECT and reserved:
        yield f"{f.name}, bits {f.low} to {f.high}, is reserved", (replace(f, reserved=True),)


Plant = Callable[[pytest.MonkeyPatch], Suspect]
"""Puts a bug into the model; what it returns changes the controls that the model walks under."""

ALL: Final = tuple(MODES.values())
LONG: Final = (FOUR_LEVEL, FIVE_LEVEL)
WITH_XD: Final = (PAE, *LONG)


def _controls(**wrong: Any) -> Plant:
    return lambda _patch: lambda controls: replace(controls, **wrong)


def _mode(**wrong: Any) -> Plant:
    return lambda _patch: lambda controls: replace(controls, mode=replace(controls.mode, **wrong))


def _key_of(shift: int) -> Plant:
    return lambda _patch: lambda controls: replace(controls, PKRU=controls.PKRU >> shift)


def _wrapped(name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]], room: Any = judge) -> Plant:
    """Replaces a function of the model, as the judge calls it, by what `wrap` makes of it."""

    def plant(patch: pytest.MonkeyPatch) -> Suspect:
        patch.setattr(room, name, wrap(getattr(room, name)))
        return unchanged

    return plant


def _check(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Plant:
    """Calls check with other arguments."""
    names = ("rights", "type", "user", "implicit", "ac", "controls")

    def wrap(right: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(*values: Any) -> Reason | None:
            arguments = dict(zip(names, values, strict=True))
            return right(*(arguments | change(arguments)).values())

        return wrong

    return _wrapped("check", wrap)


def _error(change: Callable[[int, Reason, AccessType, Controls], int]) -> Plant:
    """Changes the error code."""

    def wrap(right: Callable[..., int]) -> Callable[..., int]:
        def wrong(
            reason: Reason, type: AccessType, user: bool, controls: Controls, **key_denies: bool
        ) -> int:
            return change(right(reason, type, user, controls, **key_denies), reason, type, controls)

        return wrong

    return _wrapped("error_code", wrap)


def _key(change: Callable[[Any, AccessType, bool, Controls], tuple[Any, ...]]) -> Plant:
    """Calls key_refusal with other arguments, from check too."""

    def plant(patch: pytest.MonkeyPatch) -> Suspect:
        right = rights.key_refusal
        for room in (judge, rights):
            patch.setattr(room, "key_refusal", lambda *values: right(*change(*values)))
        return unchanged

    return plant


def _updates(change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Plant:
    return _wrapped("accessed_updates", change)


RULE_MUTANTS: Final[dict[str, tuple[tuple[PagingMode, ...], Plant]]] = {
    # registers
    "CR0.WP is taken for 1": (ALL, _controls(WP=True)),
    "CR0.WP is taken for 0": (ALL, _controls(WP=False)),
    "CR4.SMEP is ignored": (ALL, _controls(SMEP=False)),
    "CR4.SMAP is ignored": (ALL, _controls(SMAP=False)),
    "EFER.NXE is taken for 1": (WITH_XD, _controls(NXE=True)),
    "EFER.NXE is ignored": (WITH_XD, _controls(NXE=False)),
    "CR4.PSE is taken for 1": ((TWO_LEVEL,), _controls(PSE=True)),
    "CR4.PSE is ignored": ((TWO_LEVEL,), _controls(PSE=False)),
    "bits 13 to 20 of a 4M PDE are reserved as without PSE-36": ((TWO_LEVEL,), _controls(pse36=False)),
    "CR4.PKE is taken for 1": (LONG, _controls(PKE=True)),
    "CR4.PKE is ignored": (LONG, _controls(PKE=False)),
    "a key looks at its neighbour's bits in PKRU": (LONG, _key_of(2)),
    "AD and WD are exchanged": (LONG, _key_of(1)),
    "MAXPHYADDR is one too low": (WITH_XD, _controls(maxphyaddr=39)),
    "MAXPHYADDR is one too high": (WITH_XD, _controls(maxphyaddr=41)),
    "there are no 1G pages": (LONG, _controls(page_1g=False)),
    "canonical addresses are one bit too narrow in 4-level paging": ((FOUR_LEVEL,), _mode(linear_bits=47)),
    "canonical addresses are one bit too wide in 4-level paging": ((FOUR_LEVEL,), _mode(linear_bits=49)),
    "canonical addresses are one bit too narrow in 5-level paging": ((FIVE_LEVEL,), _mode(linear_bits=56)),
    "canonical addresses are one bit too wide in 5-level paging": ((FIVE_LEVEL,), _mode(linear_bits=58)),
    "non-canonical addresses are walked": (LONG, _mode(sign_extended=False)),
    # rights
    "AC means the opposite": (ALL, _check(lambda a: {"ac": not a["ac"]})),
    "AC is ignored": (ALL, _check(lambda a: {"ac": False})),
    "AC lifts SMAP for implicit accesses too": (ALL, _check(lambda a: {"implicit": False})),
    "an implicit access at CPL 3 is a user-mode access": (
        ALL,
        _check(lambda a: {"user": a["user"] or a["implicit"]}),
    ),
    "every access is a user-mode access": (ALL, _check(lambda a: {"user": True})),
    "U/S of the entries is ignored": (ALL, _check(lambda a: {"rights": a["rights"]._replace(US=True)})),
    "R/W of the entries is ignored": (ALL, _check(lambda a: {"rights": a["rights"]._replace(RW=True)})),
    "XD of the entries is ignored": (WITH_XD, _check(lambda a: {"rights": a["rights"]._replace(XD=False)})),
    "the protection key is always 0": (LONG, _check(lambda a: {"rights": a["rights"]._replace(key=0)})),
    "keys guard supervisor pages": (LONG, _key(lambda r, t, u, c: (r._replace(US=True), t, u, c))),
    "keys guard fetches": (LONG, _key(lambda r, _t, u, c: (r, AccessType.READ, u, c))),
    "WD stops supervisor writes whatever WP says": (LONG, _key(lambda r, t, _u, c: (r, t, True, c))),
    "WD stops no supervisor write": (LONG, _key(lambda r, t, u, c: (r, t, u, replace(c, WP=False)))),
    "keys are there without long mode": (
        (TWO_LEVEL, PAE),
        _key(lambda r, t, u, c: (r, t, u, replace(c, mode=FOUR_LEVEL))),
    ),
    # the error code
    "RSVD comes without P": (
        ALL,
        _error(lambda code, why, _t, _c: code & ~1 if why is Reason.RESERVED_BIT_SET else code),
    ),
    "P is missing after a missed right": (
        ALL,
        _error(lambda code, why, _t, _c: code if why is Reason.RESERVED_BIT_SET else code & ~1),
    ),
    "I/D is always set for a fetch": (
        ALL,
        _error(lambda code, _w, type, _c: code | 16 * (type is AccessType.FETCH)),
    ),
    "I/D does not heed SMEP": (
        ALL,
        _error(lambda code, _w, _t, c: code & ~16 if c.SMEP and not c.NXE else code),
    ),
    "I/D is never set": (ALL, _error(lambda code, _w, _t, _c: code & ~16)),
    "I/D heeds NXE without PAE": (
        (TWO_LEVEL,),
        _error(lambda code, _w, type, c: code | 16 * (c.NXE and type is AccessType.FETCH)),
    ),
    "PK is never set": (LONG, _error(lambda code, _w, _t, _c: code & ~32)),
    "PK is set only if nothing else refuses": (
        LONG,
        _error(lambda code, why, _t, _c: code if "key" in why.value else code & ~32),
    ),
    "W is never set": (ALL, _error(lambda code, _w, _t, _c: code & ~2)),
    "U/S is never set": (ALL, _error(lambda code, _w, _t, _c: code & ~4)),
    # accessed and dirty
    "D is set by reads": (ALL, _updates(lambda right: lambda walk, _write: right(walk, True))),
    "D is never set": (ALL, _updates(lambda right: lambda walk, _write: right(walk, False))),
    "A and D are never set": (ALL, _updates(lambda _right: lambda _walk, _write: [])),
    "A is set in the leaf only": (ALL, _updates(lambda right: lambda walk, write: right(walk, write)[-1:])),
    "A of the leaf is forgotten": (
        ALL,
        _updates(lambda right: lambda walk, write: [u for u in right(walk, write) if u.step != walk.leaf]),
    ),
}
