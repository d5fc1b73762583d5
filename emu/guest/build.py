# SPDX-License-Identifier: GPL-2.0-or-later
"""The recipe that turns `guest/` into a kernel image and an archive of programs.

Three callers share it: the wheel's build hook (which loads this file by its path, so it imports the standard library
only), `pagewalk guest build`, and the compilation of a user's own program on the fly.

The compiler is `ziglang`, a wheel that holds a whole C cross-compiler. A build is reproducible: the same sources give
the same bytes in any folder, so no path of the building machine may reach the output.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

# The guest saves no FP state. zig's default CPU for x86_64 brings SSE back behind -mgeneral-regs-only, so it is
# switched off by name as well.
COMMON_FLAGS = [
    "-target",
    "x86_64-freestanding",
    "-std=gnu17",
    "-O1",
    "-gdwarf-4",
    "-ffreestanding",
    "-fno-pic",
    "-fno-pie",
    "-mno-red-zone",
    "-mgeneral-regs-only",
    "-mno-mmx",
    "-mno-sse",
    "-mno-sse2",
    "-mno-80387",
    "-fno-stack-protector",
    "-fno-sanitize=all",
    "-fno-asynchronous-unwind-tables",
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Wextra",
]
KERNEL_FLAGS = [*COMMON_FLAGS, "-mcmodel=kernel"]
USER_FLAGS = [*COMMON_FLAGS, "-mcmodel=small"]
LINK_FLAGS = ["-static", "-nostdlib", "-z", "max-page-size=4096", "--build-id=none"]

PROGRAM_KEYS = ("name", "source", "about", "referee")
"""What each `[[program]]` must have."""
KERNEL_IMAGE = "kernel.elf"
PROGRAM_ARCHIVE = "programs.cpio"
COMPILE_JOBS = max(2, os.cpu_count() or 1)


class GuestBuildError(Exception):
    """The guest could not be built; the message is one line: what, where, the mend."""

    report: str = ""
    """All that the compiler said, if it was the compiler; not yet fit to be shown."""


class ProgramListError(Exception):
    """The list cannot be read. One line: what, and the mend."""


@dataclass(frozen=True)
class ProgramEntry:
    """One `[[program]]` of programs.toml."""

    name: str
    source: str
    referee: bool
    why: str
    """Why it is no referee program; empty if it is one."""
    about: str
    parts: tuple[str, ...] = ()
    """More sources of the program, as paths from the guest's folder."""
    network: bool = False
    """Whether it wants the network cards, which are plugged in for it without being asked for."""


def parse_programs(data: bytes) -> list[ProgramEntry]:
    """The programs that the bytes of programs.toml list, in their order."""
    try:
        rows: Any = tomllib.loads(data.decode("utf-8")).get("program")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProgramListError(f"not a TOML file ({error})") from None
    if not _is_list_of(dict, rows):
        raise ProgramListError("no list of [[program]] in it; compare guest/README.md")
    return [_entry(row, number) for number, row in enumerate(rows, 1)]


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in cast("list[Any]", value))


def _entry(row: dict[str, Any], number: int) -> ProgramEntry:
    missing = [key for key in PROGRAM_KEYS if key not in row]
    if missing:
        which = ascii(row.get("name", number))
        raise ProgramListError(f"program {which} has no {' and no '.join(missing)}; compare guest/README.md")
    parts: Any = row.get("parts", [])
    if not _is_list_of(str, parts):
        raise ProgramListError(
            f"program {row['name']!a}: parts is not a list of paths; compare guest/README.md"
        )
    return ProgramEntry(
        name=str(row["name"]),
        source=str(row["source"]),
        referee=bool(row["referee"]),
        why=str(row.get("why", "")),
        about=str(row["about"]),
        parts=tuple(parts),
        network=bool(row.get("network", False)),
    )


def read_programs(guest: Path) -> list[ProgramEntry]:
    """The programs that `guest/user/programs.toml` lists, in its order."""
    path = guest / "user" / "programs.toml"
    try:
        return parse_programs(path.read_bytes())
    except OSError as error:
        raise GuestBuildError(
            f"cannot read {path}: {error.strerror}; is this the guest's source folder?"
        ) from error
    except ProgramListError as error:
        raise GuestBuildError(f"{path}: {error}") from None


def build_guest(source: Path, out: Path) -> None:
    """Compile the guest in folder `source` into folder `out`.

    Writes `kernel.elf`, one ELF file for each program, and `programs.cpio` that holds the programs. Files appear in
    `out` only when everything has compiled. Raises GuestBuildError.
    """
    programs = read_programs(source)
    sources = kernel_sources(source)
    if not sources:
        raise GuestBuildError(f"no kernel sources in {source / 'kernel'}: is this the guest's source folder?")
    compiler = find_ziglang()
    with scratch_folder() as scratch, ThreadPoolExecutor(COMPILE_JOBS) as pool:
        build = Build(source, Path(scratch), compiler)
        library = [
            pool.submit(build.compile, source / "user" / name, USER_FLAGS) for name in ("crt0.S", "ulib.c")
        ]
        kernel = [pool.submit(build.compile, path, KERNEL_FLAGS) for path in sources]
        user_sources = sorted({path for entry in programs for path in _program_sources(source, entry)})
        user = {path: pool.submit(build.compile, path, USER_FLAGS, "user") for path in user_sources}
        library_objects = [job.result() for job in library]
        links = [
            pool.submit(
                build.link,
                source / "user" / "user.ld",
                [*library_objects, *(user[path].result() for path in _program_sources(source, entry))],
                entry.name,
            )
            for entry in programs
        ]
        kernel_objects = [job.result() for job in kernel]
        links.append(pool.submit(build.link, source / "kernel" / "kernel.ld", kernel_objects, KERNEL_IMAGE))
        images = {job.result().name: job.result() for job in links}
        archive = Path(scratch) / PROGRAM_ARCHIVE
        archive.write_bytes(
            pack_cpio(
                {entry.name: loadable(images[entry.name].read_bytes()) for entry in programs}
                | _rule_files(source)
            ),
        )
        _install([*images.values(), archive], out)


def kernel_sources(guest: Path) -> list[Path]:
    """What the kernel is compiled from: its own files, its rooms', and what it has in common with programs."""
    kernel = guest / "kernel"
    return sorted([*kernel.rglob("*.c"), *kernel.rglob("*.S"), *(guest / "common").glob("*.c")])


def _rule_files(guest: Path) -> dict[str, bytes]:
    """Rules for the firewall, which lie in the archive beside the programs."""
    return {path.name: path.read_bytes() for path in (guest / "user" / "rules").glob("*.rules")}


def _program_sources(guest: Path, entry: ProgramEntry) -> list[Path]:
    return [guest / "user" / entry.source, *(guest / part for part in entry.parts)]


def build_program(source: Path, out: Path, guest: Path) -> None:
    """Compile one .c or .S file, link it with the user library of folder `guest`, and write the ELF file `out`."""
    if source.suffix not in (".c", ".S"):
        raise GuestBuildError(f"{source}: a guest program is a .c or a .S file")
    if not source.is_file():
        raise GuestBuildError(f"{source}: no such file; check the path")
    compiler = find_ziglang()
    with scratch_folder() as scratch, ThreadPoolExecutor(COMPILE_JOBS) as pool:
        build = Build(guest, Path(scratch), compiler)
        parts = [guest / "user" / "crt0.S", guest / "user" / "ulib.c", source]
        objects = [job.result() for job in [pool.submit(build.compile, part, USER_FLAGS) for part in parts]]
        image = build.link(guest / "user" / "user.ld", objects, "program.elf")
        _install([image], out.parent, rename=out.name)


def loadable(program: bytes) -> bytes:
    """What is loaded of a program's ELF64 file: without symbols and debug information, which only the host reads.

    The guest keeps its archive in memory; with them, every new program would take a dozen frames from the others.
    """
    (headers,), (size, count) = struct.unpack_from("<Q", program, 32), struct.unpack_from("<HH", program, 54)
    places = [struct.unpack_from("<8xQ16xQ", program, headers + size * i) for i in range(count)]
    end = max([headers + size * count, *(offset + length for offset, length in places)])
    kept = bytearray(program[:end])
    struct.pack_into("<Q", kept, 40, 0)  # no section headers
    struct.pack_into("<HHH", kept, 58, 0, 0, 0)
    return bytes(kept)


def pack_cpio(files: dict[str, bytes]) -> bytes:
    """A cpio archive in the newc format: sorted by name, owned by nobody, dated 0, so that equal files pack equally."""
    archive = bytearray()
    for number, name in enumerate([*sorted(files), "TRAILER!!!"], start=1):
        content = files.get(name, b"")
        mode = 0o100755 if name in files else 0
        encoded = name.encode() + b"\0"
        #         inode   mode  uid gid links mtime size      device (4)  name size      checksum
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        archive += bytes(-len(archive) % 4)
        archive += content
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder to build in, for as long as the build takes."""
    return tempfile.TemporaryDirectory(prefix="pagewalk-guest-")


def find_ziglang() -> Path:
    """The folder of the ziglang package. GuestBuildError says what to install."""
    try:
        spec = find_spec("ziglang")
    except ValueError:  # what a module that was taken out leaves behind
        spec = None
    if spec is None or spec.origin is None:
        raise GuestBuildError("compiling guest code needs the ziglang package: pip install 'pagewalk[guest]'")
    return Path(spec.origin).parent


class Build:
    """One build: a source folder, a scratch folder, and the calls of the compiler and the linker.

    The compiler runs inside the scratch folder, and every path it could note down is mapped to a relative one.
    """

    def __init__(self, guest: Path, scratch: Path, compiler: Path) -> None:
        self.guest = guest.resolve()
        self.scratch = scratch.resolve()
        self.compiler = compiler

    def compile(self, source: Path, flags: list[str], side: str = "") -> Path:
        """The object file of one source file; what is compiled for two sides of the ring has two."""
        source = source.resolve()
        if not source.is_file():
            raise GuestBuildError(f"{source}: no such file; check the path")
        room = source.parent.name if source.is_relative_to(self.guest) else "program"
        output = self.scratch / f"{side}{room}-{source.name}.o"
        mapped = [
            f"-ffile-prefix-map={source.parent}=program",  # the last map that fits is the one that counts
            f"-ffile-prefix-map={self.scratch}=.",
            f"-ffile-prefix-map={self.compiler}=ziglang",
            f"-ffile-prefix-map={self.compiler.resolve()}=ziglang",
            f"-ffile-prefix-map={self.guest}=guest",
        ]
        include = ["-I", str(self.guest / "user")] if room == "program" else []
        self._run(["cc", *flags, *mapped, *include, "-c", str(source), "-o", str(output)], source)
        return output

    def link(self, script: Path, objects: list[Path], name: str) -> Path:
        """The ELF file `name` in the scratch folder."""
        output = self.scratch / name
        self._run(
            ["ld.lld", *LINK_FLAGS, "-T", str(script.resolve()), "-o", str(output), *map(str, objects)],
            Path(name),
        )
        return output

    def _run(self, arguments: list[str], about: Path) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "ziglang", *arguments],
            cwd=self.scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode:
            failure = GuestBuildError(_first_error(result.stderr, about))
            failure.report = result.stderr
            raise failure


def _first_error(output: str, about: Path) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if "error:" in line or "error: " in line.lower():
            return line if about.name in line else f"{about.name}: {line}"
    return f"{about.name}: the compiler failed: {lines[0] if lines else 'it said nothing'}"


def _install(files: list[Path], folder: Path, rename: str = "") -> None:
    """Move finished files to where they were asked for; each appears whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / (rename or file.name)
            partial = target.with_name(target.name + ".partial")
            shutil.copyfile(file, partial)
            partial.replace(target)
    except OSError as error:
        raise GuestBuildError(
            f"cannot write to {folder}: {error.strerror}; choose a folder you may write to"
        ) from error
