# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk check` on the real guest: what is true of it, and what each dangerous switch makes of it."""

from tests.unit.cli.conftest import Pagewalk


def test_our_kernel_has_nothing_worse_than_notes_and_the_exit_code_says_fine(pagewalk: Pagewalk) -> None:
    said = pagewalk("check", "overrun", "--json")
    answer = said.json
    assert said.code == 0
    assert (answer["errors"], answer["warnings"], answer["cut_short"]) == (0, 0, "")
    assert answer["spaces"] == ["idle(0)", "init(1)", "overrun(2)"]
    rules = {found["rule"] for found in answer["findings"]}
    assert rules == {"USER_PAGE_KNOWN_TO_KERNEL", "PAGE_OUTSIDE_RAM"}, (
        "the direct map, and the devices' registers"
    )
    assert answer["pages"] > 8192
    assert answer["at"].startswith("fill_window")


def test_kernel_memory_in_a_users_window_is_an_error_and_the_exit_code_1(pagewalk: Pagewalk) -> None:
    said = pagewalk("check", "overrun", "--at", "fill_window", "--set", "ukshm.map=kernel_range", "--json")
    window = pagewalk(
        "walk", "overrun", "*window", "--at", "fill_window", "--set", "ukshm.map=kernel_range", "--json"
    ).json
    (error,) = [found for found in said.json["findings"] if found["severity"] == "error"]
    assert said.code == 1
    assert error["rule"] == "USER_REACHES_KERNEL"
    assert error["spaces"] == ["overrun(2)"]
    assert (error["linear"], error["entries"]) == (window["linear"], 2)
    assert (error["level"], error["entry"]) == ("PTE", window["steps"][-1]["address"])
    assert error["value"] == window["steps"][-1]["entry"]
    assert error["name"] == "window"


def test_without_nx_one_warning_says_that_everything_can_be_executed(pagewalk: Pagewalk) -> None:
    said = pagewalk("check", "overrun", "--set", "cpu.nx=off")
    assert said.code == 0
    assert said.out.count("warning: ") == 1
    assert "IA32_EFER.NXE = 0" in " ".join(said.out.split())


def test_as_text_the_place_comes_first_and_no_line_is_wider_than_a_page(pagewalk: Pagewalk) -> None:
    lines = pagewalk("check", "overrun", "--at", "fill_window").out.splitlines()
    assert lines[0].startswith("at fill_window, after ") and lines[0].endswith(" in overrun(2)")
    assert lines[1].startswith("3 address spaces, ")
    assert max(map(len, lines)) <= 80
    assert lines[-1].endswith("more of these")


def test_the_boot_tables_are_writable_executable_and_shared(pagewalk: Pagewalk) -> None:
    answer = pagewalk("check", "overrun", "--at", "kmain", "--json").json
    assert answer["spaces"] == ["the loaded address space"]
    assert {"NOTHING_FORBIDS_FETCHES", "SHARED_TABLE", "PAGE_OUTSIDE_RAM"} == {
        found["rule"] for found in answer["findings"]
    }


def test_one_process_can_be_checked_alone(pagewalk: Pagewalk) -> None:
    assert pagewalk("check", "overrun", "--process", "init", "--json").json["spaces"] == ["init(1)"]


def test_what_cannot_be_checked_is_one_line(pagewalk: Pagewalk) -> None:
    for arguments, says in (
        (["overrun", "--process", "nobody"], "--process nobody: no such process lives then"),
        (["overrun", "--at", "nowhere"], "nowhere"),
        ([], "no program given"),
        (["overrun", "--instructions", "0"], "--instructions 0: give a number from 1"),
    ):
        said = pagewalk("check", *arguments)
        assert (said.code, said.out) == (2, "")
        assert says in said.errors and said.errors.count("\n") == 1
