# SPDX-License-Identifier: GPL-2.0-or-later
"""The few parts of an ELF file that a boot needs: program headers, notes, sections, symbols.

Every offset and size in the file is checked before use, so that a damaged file ends in one line and costs
no more memory than it has bytes. Debug information is read elsewhere, with pyelftools, when somebody asks
for it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

PT_LOAD: Final = 1
PT_NOTE: Final = 4
SHT_SYMTAB: Final = 2
SHT_NOBITS: Final = 8
SHF_ALLOC: Final = 2
SHF_COMPRESSED: Final = 0x800
SHN_UNDEF: Final = 0
SHN_ABS: Final = 0xFFF1
STT_FUNC: Final = 2
STT_SECTION: Final = 3
STT_FILE: Final = 4

EM_386: Final = 3
EM_X86_64: Final = 62
ET_EXEC: Final = 2
FILE_LIMIT_BYTES: Final = 64 << 20
PROGRAM_HEADERS_LIMIT: Final = 64
SECTIONS_LIMIT: Final = 4096
NOTES_LIMIT_BYTES: Final = 64 << 10
SYMBOLS_LIMIT: Final = 200_000
NAME_LIMIT_BYTES: Final = 255


class GuestImageError(Exception):
    """A file for the guest cannot be used. One line: what, where and the mend."""


@dataclass(frozen=True, slots=True)
class ProgramHeader:
    """One program header: sizes and offsets in bytes."""

    type: int
    flags: int
    offset: int
    linear: int
    physical: int
    file_bytes: int
    memory_bytes: int
    align: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section header: `size` in bytes, `offset` into the file."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class RawSymbol:
    """One line of the symbol table; `file` is the source file of a local symbol, "" for a global one."""

    name: str
    address: int
    size: int
    type: int
    is_global: bool
    section: int
    file: str


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a regular file of at most 64 MiB; GuestImageError names `what` and the path otherwise."""
    try:
        if not path.is_file():
            found = "not a regular file" if path.exists() else "no such file"
            raise GuestImageError(f"{what} {path}: {found}; check the path")
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise GuestImageError(
                f"{what} {path}: larger than {FILE_LIMIT_BYTES >> 20} MiB; this is no guest image"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GuestImageError(
            f"{what} {path}: cannot be read ({reason}); check the path and its rights"
        ) from None


class Elf:
    """A static x86 ELF file, 32 or 64 bits. `where` begins its messages; else GuestImageError."""

    def __init__(self, data: bytes, where: str) -> None:
        """Check the header; the rest is checked where it is used."""
        self.data = data
        self.where = where
        if data[:4] != b"\x7fELF":
            raise self.error("not an ELF file", "give a kernel or program that the guest build made")
        if len(data) < 52 or data[4] not in (1, 2) or data[5] != 1:
            raise self.error(
                "no whole little-endian ELF header", "the file is cut short or damaged: build it again"
            )
        self.bits = 32 * data[4]
        header = self._unpack("<16xHHIQQQIHHHHHH" if self.bits == 64 else "<16xHHIIIIIHHHHHH", 0)
        kind, machine, _, self.entry, self._phoff, self._shoff, _, _, self._phentsize, self._phnum = header[
            :10
        ]
        self._shentsize, self._shnum, self._shstrndx = header[10:]
        if machine != (EM_X86_64 if self.bits == 64 else EM_386):
            raise self.error("not for x86", "build it for x86_64 (or i686)")
        if kind != ET_EXEC:
            raise self.error("not a static executable", "link it with -static and without -pie")

    def error(self, what: str, mend: str) -> GuestImageError:
        """The one-line error about this file."""
        return GuestImageError(f"{self.where}: {what}; {mend}")

    def _damaged(self, what: str) -> GuestImageError:
        return self.error(what, "the file is cut short or damaged: build it again")

    def _unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        if not 0 <= offset <= len(self.data) - struct.calcsize(layout):
            raise self._damaged(f"a header at offset {offset} lies outside the file")
        return struct.unpack_from(layout, self.data, offset)

    def bytes_at(self, offset: int, size: int, what: str) -> bytes:
        """`size` bytes of the file from `offset`; GuestImageError, naming `what`, otherwise."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
            raise self._damaged(f"{what} lies outside the file")
        return self.data[offset : offset + size]

    @cached_property
    def program_headers(self) -> list[ProgramHeader]:
        """The program headers, in file order."""
        if self._phnum > PROGRAM_HEADERS_LIMIT:
            raise self._damaged(f"{self._phnum} program headers")
        layout = "<IIQQQQQQ" if self.bits == 64 else "<IIIIIIII"
        headers: list[ProgramHeader] = []
        for i in range(self._phnum):
            f = self._unpack(layout, self._phoff + i * self._phentsize)
            if self.bits == 64:
                headers.append(ProgramHeader(*f))
            else:
                headers.append(ProgramHeader(f[0], f[6], f[1], f[2], f[3], f[4], f[5], f[7]))
        return headers

    def notes(self) -> Iterator[tuple[bytes, int, bytes, int]]:
        """(owner with its NUL, type, descriptor, alignment of the segment) of each note."""
        for header in self.program_headers:
            if header.type != PT_NOTE:
                continue
            if header.file_bytes > NOTES_LIMIT_BYTES:
                raise self._damaged(f"{header.file_bytes} bytes of notes")
            data = self.bytes_at(header.offset, header.file_bytes, "a note")
            align, at = 8 if header.align == 8 else 4, 0
            while at + 12 <= len(data):
                name_bytes, desc_bytes, kind = struct.unpack_from("<III", data, at)
                desc_at = -(-(at + 12 + name_bytes) // align) * align
                if desc_at + desc_bytes > len(data):
                    raise self._damaged("a note is longer than its segment")
                yield (
                    data[at + 12 : at + 12 + name_bytes],
                    kind,
                    data[desc_at : desc_at + desc_bytes],
                    header.align,
                )
                at = -(-(desc_at + desc_bytes) // align) * align

    @cached_property
    def sections(self) -> list[Section]:
        """The section headers with their names; empty for a file that has none."""
        if not self._shoff or not self._shnum:
            return []
        if self._shnum > SECTIONS_LIMIT:
            raise self._damaged(f"{self._shnum} sections")
        layout = "<IIQQQQI" if self.bits == 64 else "<IIIIIII"
        raw = [self._unpack(layout, self._shoff + i * self._shentsize) for i in range(self._shnum)]
        if self._shstrndx >= len(raw):
            raise self._damaged("the section of section names is missing")
        names = self.bytes_at(raw[self._shstrndx][4], raw[self._shstrndx][5], "the section names")
        return [Section(_string(names, r[0]), r[1], r[2], r[3], r[4], r[5], r[6]) for r in raw]

    def section_bytes(self, name: str) -> bytes | None:
        """The contents of the first section called `name`, None if there is none or it is empty of bytes."""
        for section in self.sections:
            if section.name != name or section.type == SHT_NOBITS:
                continue
            if section.flags & SHF_COMPRESSED:
                raise self.error(f"{name} is compressed", "link without --compress-debug-sections")
            return self.bytes_at(section.offset, section.size, name)
        return None

    def raw_symbols(self) -> list[RawSymbol]:
        """The named symbols of .symtab that are defined here, in file order."""
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        if table is None:
            return []
        if table.link >= len(self.sections):
            raise self._damaged("the symbol names are missing")
        strings = self.sections[table.link]
        names = self.bytes_at(strings.offset, strings.size, "the symbol names")
        layout = struct.Struct("<IBBHQQ" if self.bits == 64 else "<IIIBBH")
        if table.size > SYMBOLS_LIMIT * layout.size:
            raise self._damaged(f"more than {SYMBOLS_LIMIT} symbols")
        data = self.bytes_at(table.offset, table.size - table.size % layout.size, "the symbol table")
        symbols: list[RawSymbol] = []
        file = ""
        for fields in layout.iter_unpack(data):
            if self.bits == 64:
                name, info, _, section, address, size = fields
            else:
                name, address, size, info, _, section = fields
            kind, is_global = info & 15, info >> 4 != 0
            if kind == STT_FILE:
                file = _string(names, name)
            elif name and section != SHN_UNDEF and kind != STT_SECTION:
                text = _string(names, name)
                symbols.append(
                    RawSymbol(text, address, size, kind, is_global, section, "" if is_global else file)
                )
        return symbols


def _string(table: bytes, offset: int) -> str:
    name = table[offset : offset + NAME_LIMIT_BYTES]
    return name.split(b"\0", 1)[0].decode("ascii", "backslashreplace")
