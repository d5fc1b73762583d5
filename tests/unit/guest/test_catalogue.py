# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from emu.guest.catalogue import UnknownProgramError, load_catalogue, own_program
from emu.guest.image import GuestImageError

LIST = """
[[program]]
name = "hello"
source = "hello.c"
referee = true
about = "a line"
[[program]]
name = "overrun"
source = "overrun.c"
referee = false
why = "it shows staleness"
about = "runs on"
"""


@pytest.fixture
def folder(tmp_path: Path, make_elf) -> Path:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "programs.toml").write_text(LIST)
    (tmp_path / "hello").write_bytes(make_elf())
    (tmp_path / "overrun").write_bytes(make_elf(bits=32))
    return tmp_path


def test_the_catalogue_says_what_each_program_is_and_who_can_judge_it(folder):
    catalogue = load_catalogue(folder, folder)
    assert list(catalogue.programs) == ["hello", "overrun"]
    program = catalogue.program("overrun")
    assert (program.referee, program.why, program.description) == (False, "it shows staleness", "runs on")
    assert catalogue.program("hello").data[:4] == b"\x7fELF"
    assert not list(catalogue.program("hello").symbols.names())


def test_an_unknown_program_is_refused_with_the_near_names(folder):
    with pytest.raises(UnknownProgramError, match=r"no program overun: did you mean overrun\?"):
        load_catalogue(folder, folder).program("overun")


def test_a_program_that_is_missing_or_of_32_bits_is_refused_when_it_is_used(folder):
    with pytest.raises(GuestImageError, match="a 32-bit program"):
        load_catalogue(folder, folder).program("overrun").data.hex()
    with pytest.raises(GuestImageError, match=r"program .*none.*: no such file"):
        own_program(folder / "none").data.hex()


def test_a_program_of_ones_own_is_named_by_its_file(folder):
    assert own_program(Path("a/b/mine.elf")).name == "mine"


@pytest.mark.parametrize("text", ["[[program", "x = 1", '[[program]]\nname = "a"', "program = 3", "\xff"])
def test_a_list_that_is_none_is_refused(folder, text):
    (folder / "user" / "programs.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(GuestImageError, match="list of programs"):
        load_catalogue(folder, folder)
