# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.guest.image import GuestImageError, parse_kernel
from emu.guest.switches import Switch, SwitchError, read_switches


@pytest.fixture
def switches(sample):
    return read_switches(sample)


def test_the_table_comes_from_the_image_with_the_default_first(switches):
    assert switches.switches == {
        "ukshm.map": Switch("ukshm.map", ("window", "kernel_range"), "what is mapped", 0),
        "ukshm.limit": Switch("ukshm.limit", ("64", "#"), "", 1),
        "cpu.pcid": Switch("cpu.pcid", ("on", "off"), "", 2),
    }
    assert switches.defaults() == {"ukshm.map": "window", "ukshm.limit": "64", "cpu.pcid": "on"}


def test_known_values_are_accepted_and_any_number_where_the_table_says_so(switches):
    switches.validate({"ukshm.map": "kernel_range", "ukshm.limit": "7", "cpu.pcid": "off"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ukshm.mpa": "window"}, "no switch ukshm.mpa: did you mean ukshm.map"),
        ({"x": "1"}, "there are: cpu.pcid, ukshm.limit, ukshm.map"),
        ({"ukshm.map": "Window"}, "switch ukshm.map has no value Window; it takes window, kernel_range"),
        ({"cpu.pcid": ""}, "has no value (empty); it takes on, off"),
        ({"ukshm.limit": "-1"}, "it takes 64, any number"),
        ({"ukshm.limit": "abc"}, "has no value abc"),
        ({"ukshm.limit": "#"}, "has no value #"),
        ({"cpu.pcid": "on", "a\x1bb": "1"}, "no switch a\\x1bb"),
    ],
)
def test_an_unknown_switch_or_value_is_refused_with_what_there_is(switches, settings, words):
    with pytest.raises(SwitchError) as caught:
        switches.validate(settings)
    assert words in str(caught.value)


def test_a_kernel_without_the_table_has_no_switches(make_elf):
    image = parse_kernel(make_elf(), "kernel image k", "k")
    assert read_switches(image).switches == {}


def test_a_table_without_debug_information_is_refused(sample_bytes):
    stripped = sample_bytes.replace(b".debug_info\0", b".xxxxx_info\0")
    with pytest.raises(GuestImageError, match="kernel_switches cannot be read; build the kernel again"):
        read_switches(parse_kernel(stripped, "kernel image k", "k"))
