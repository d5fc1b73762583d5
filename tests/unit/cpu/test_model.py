# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU models by name and by feature, and what CPUID says of each."""

import pytest

from emu.cpu.cpuid import cpuid
from emu.cpu.model import DEFAULT, FEATURES, FULL, MODELS, CpuModel, CpuModelError, parse

BITS: dict[str, tuple[int, int, int]] = {
    "pse": (1, 3, 3),
    "pse36": (1, 3, 17),
    "pae": (1, 3, 6),
    "pge": (1, 3, 13),
    "nx": (0x8000_0001, 3, 20),
    "lm": (0x8000_0001, 3, 29),
    "pdpe1gb": (0x8000_0001, 3, 26),
    "la57": (7, 2, 16),
    "pcid": (1, 2, 17),
    "invpcid": (7, 1, 10),
    "smep": (7, 1, 7),
    "smap": (7, 1, 20),
    "pku": (7, 2, 3),
}
"""Feature -> CPUID leaf, register (0 EAX to 3 EDX) and bit, from the manual's table of CPUID."""


def offers(model: CpuModel, feature: str) -> bool:
    leaf, register, bit = BITS[feature]
    return bool(cpuid(leaf, 0, model, 0)[register] >> bit & 1)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_cpuid_offers_exactly_the_features_of_the_model(model: CpuModel) -> None:
    assert {feature for feature in FEATURES if offers(model, feature)} == model.features


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_is_taken_away_is_gone_from_cpuid(feature: str) -> None:
    assert offers(FULL, feature)
    assert not offers(parse(f"full,-{feature}"), feature)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_the_address_widths_are_those_of_the_model(model: CpuModel) -> None:
    widths = cpuid(0x8000_0008, 0, model, 0)[0]
    assert widths & 0xFF == model.maxphyaddr
    assert widths >> 8 & 0xFF == (57 if "la57" in model.features else 48 if "lm" in model.features else 32)


def test_syscall_and_lahf_come_with_long_mode() -> None:
    small = parse("full,-lm")
    for leaf, register, bit in ((0x8000_0001, 3, 11), (0x8000_0001, 2, 0), (1, 2, 13)):
        assert cpuid(leaf, 0, FULL, 0)[register] >> bit & 1
        assert not cpuid(leaf, 0, small, 0)[register] >> bit & 1


def test_cpuid_mirrors_cr4_pke() -> None:
    assert cpuid(7, 0, FULL, 1 << 22)[2] == cpuid(7, 0, FULL, 0)[2] | 1 << 4


def test_the_default_offers_everything_there_is() -> None:
    assert MODELS[DEFAULT].features == set(FEATURES)


def test_what_needs_a_feature_goes_with_it() -> None:
    assert parse("full,-lm").features == FULL.features - {"lm", "la57", "pcid", "pdpe1gb", "pku"}
    assert parse("full,-pse").features == FULL.features - {"pse", "pse36"}
    assert not parse("full,-pae").features & {"pae", "lm", "nx", "la57"}


def test_changes_are_made_from_left_to_right() -> None:
    assert parse("pentium3,+nx,+lm,phys-bits=40,-nx").features == MODELS["pentium3"].features | {"lm"}
    assert parse("pentium3,phys-bits=40").maxphyaddr == 40


def test_a_changed_model_is_called_what_was_asked_for() -> None:
    assert parse("full,-smep").name == "full,-smep"
    assert str(parse("full,-smep")).split()[1:5] == ["pse", "pse36", "pae", "pge"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("haswel", "no CPU model 'haswel'; did you mean haswell?"),
        ("vax", "no CPU model 'vax'; there are full, 486"),
        ("", "no CPU model ''; there are"),
        ("full,-smpe", "no feature 'smpe'; did you mean smep"),
        ("full,+avx512", "no feature 'avx512'"),
        ("full,smep", "'smep' is no change; write +FEATURE, -FEATURE or phys-bits=N"),
        ("full,", "'' is no change"),
        ("pentium3,+la57", "la57 needs lm; write +lm before it"),
        ("full,phys-bits=31", "phys-bits=31; give 32 to 52"),
        ("full,phys-bits=53", "phys-bits=53; give 32 to 52"),
        ("full,phys-bits=x", "'phys-bits=x' is no change"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(CpuModelError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
