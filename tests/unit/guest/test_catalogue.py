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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[program", "not a TOML file"),
        ("\xff", "not a TOML file"),
        ("x = 1", r"no list of \[\[program\]\]"),
        ("program = 3", r"no list of \[\[program\]\]"),
        (
            '[[program]]\nname = "a"',
            "program 'a' has no source and no about and no referee; compare guest/README",
        ),
        ('[[program]]\nsource = "a.c"\nabout = "a"\nreferee = true', "program 1 has no name"),
        (
            '[[program]]\nname = "a"\nsource = "a.c"\nabout = "a"\nreferee = true\nparts = 3',
            "program 'a': parts is not a list",
        ),
    ],
)
def test_a_list_that_is_none_is_refused(folder, text, says):
    (folder / "user" / "programs.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(GuestImageError, match=f"list of programs .*{says}"):
        load_catalogue(folder, folder)


def test_a_program_in_the_list_that_was_never_built_says_how(folder):
    (folder / "overrun").unlink()
    with pytest.raises(GuestImageError, match=r"overrun: no such file; .*: pagewalk guest build"):
        load_catalogue(folder, folder).program("overrun").data.hex()
