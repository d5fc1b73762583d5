# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that come with the guest, and those that a user brings."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from emu.guest.build import ProgramEntry, ProgramListError, parse_programs
from emu.guest.elf import Elf, GuestImageError, read_file
from emu.guest.near import did_you_mean, shown
from emu.guest.symbols import SymbolTable


class UnknownProgramError(Exception):
    """No program has that name. One line, with the near names."""


@dataclass(frozen=True)
class Program:
    """A user program: its static ELF64 file, and whether QEMU can judge it (`why` not, if not)."""

    name: str
    path: Path
    referee: bool = False
    why: str = ""
    description: str = ""
    source: str = ""
    where: str = field(default="program", repr=False)
    network: bool = False
    """Whether the network cards are plugged in for it without being asked for."""

    @cached_property
    def data(self) -> bytes:
        """The bytes of the ELF file; GuestImageError if they are not those of a program for this guest."""
        if self.source and not self.path.exists():
            raise GuestImageError(
                f"guest program {self.path}: no such file; build what the list names: pagewalk guest build"
            )
        data = read_file(self.path, self.where)
        elf = Elf(data, f"{self.where} {self.path}")
        if elf.bits != 64:
            raise elf.error("a 32-bit program", "build it for x86_64")
        return data

    @cached_property
    def symbols(self) -> SymbolTable:
        """The program's symbols, types and source lines."""
        return SymbolTable(Elf(self.data, f"{self.where} {self.path}"), self.name)


class Catalogue:
    """The programs by name, in the order of programs.toml."""

    def __init__(self, programs: dict[str, Program]) -> None:
        """From name -> program."""
        self.programs = programs

    def program(self, name: str) -> Program:
        """The program called `name`; UnknownProgramError with the near names."""
        found = self.programs.get(name)
        if found is None:
            raise UnknownProgramError(
                f"no program {shown(name)}: {did_you_mean(name, self.programs)} "
                "(a program of one's own is given by its path, with a / in it)"
            )
        return found


def load_catalogue(images: Path, sources: Path) -> Catalogue:
    """The programs that `sources`/user/programs.toml lists, whose ELF files lie in `images` under their
    names.

    GuestImageError if the list cannot be read. The ELF files are read when they are asked for.
    """
    path = Path(sources) / "user" / "programs.toml"
    try:
        entries = parse_programs(read_file(path, "list of programs"))
    except ProgramListError as error:
        raise GuestImageError(f"list of programs {path}: {error}") from None
    return Catalogue({entry.name: _program(entry, Path(images)) for entry in entries})


def _program(entry: ProgramEntry, images: Path) -> Program:
    return Program(
        entry.name,
        images / entry.name,
        entry.referee,
        entry.why,
        entry.about,
        entry.source,
        "guest program",
        entry.network,
    )


def own_program(path: Path) -> Program:
    """A program of the user's own, a static ELF64 file at `path`, named by its file name without suffix."""
    return Program(Path(path).stem, Path(path))
