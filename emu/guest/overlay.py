# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel of the guest's own sources with some files replaced: what a student's lab is compiled to.

Object files and kernels are kept under the hash of everything they were made from, so that after a save only the
changed file is compiled. Files appear whole or not at all, so two builds at once do each other no harm.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from emu.guest.build import (
    COMPILE_JOBS,
    KERNEL_FLAGS,
    KERNEL_IMAGE,
    LINK_FLAGS,
    Build,
    find_ziglang,
    kernel_sources,
    scratch_folder,
)

OWN_SOURCES: Final = "sources"
"""Beside a kernel: the folder of the files that were laid over the guest's."""
ROOMS: Final = ("kernel", "common", "include")
"""The guest's folders that the kernel is made from."""
_MOST_KERNELS: Final = 32
_MOST_OBJECTS: Final = 1024


def build_kernel(guest: Path, files: Mapping[str, bytes], cache: Path) -> Path:
    """The kernel image of the sources in `guest`, with `files` (by path relative to it) in the place of theirs.

    It lies in `cache`, in a folder of its own, beside `sources/` with the replaced files. GuestBuildError, with the
    compiler's report, if it does not compile; OSError if the cache cannot be written to.
    """
    compiler = find_ziglang()
    with scratch_folder() as scratch:
        laid = Path(scratch) / "guest"
        _lay(guest, files, laid)
        keys = _object_keys(laid)
        kernel = cache / "kernels" / _digest(*keys.values(), (laid / "kernel" / "kernel.ld").read_bytes())
        if not (kernel / KERNEL_IMAGE).is_file():
            build = Build(laid, Path(scratch), compiler)
            objects = _objects(build, keys, cache / "objects")
            image = build.link(laid / "kernel" / "kernel.ld", objects, KERNEL_IMAGE)
            _install_kernel(image, files, kernel)
            _keep_newest(cache / "objects", _MOST_OBJECTS)
    with suppress(OSError):
        os.utime(kernel)  # the newest are kept
    _keep_newest(cache / "kernels", _MOST_KERNELS)
    return kernel / KERNEL_IMAGE


def _lay(guest: Path, files: Mapping[str, bytes], laid: Path) -> None:
    for room in ROOMS:
        shutil.copytree(guest / room, laid / room)
    for name, data in files.items():
        (laid / name).write_bytes(data)


def _object_keys(laid: Path) -> dict[Path, bytes]:
    """What identifies each source's object file: compiler, flags, every header, the source and its place."""
    headers = sorted(path for room in ROOMS for path in (laid / room).rglob("*.h"))
    parts = [
        part for path in headers for part in (path.relative_to(laid).as_posix().encode(), path.read_bytes())
    ]
    words = [_compiler_version(), *KERNEL_FLAGS, *LINK_FLAGS]
    common = _digest(*(word.encode() for word in words), *parts).encode()
    return {
        path: _digest(common, path.relative_to(laid).as_posix().encode(), path.read_bytes()).encode()
        for path in kernel_sources(laid)
    }


def _compiler_version() -> str:
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return "unknown"


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little") + part)
    return whole.hexdigest()[:40]


def _objects(build: Build, keys: Mapping[Path, bytes], kept: Path) -> list[Path]:
    def one(source: Path) -> Path:
        found = kept / (keys[source].decode() + ".o")
        if not found.is_file():
            _put(build.compile(source, KERNEL_FLAGS), found)
        return found

    with ThreadPoolExecutor(COMPILE_JOBS) as pool:
        return list(pool.map(one, keys))


def _put(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident():x}.half")
    shutil.copyfile(file, half)
    half.replace(target)


def _install_kernel(image: Path, files: Mapping[str, bytes], kernel: Path) -> None:
    """Into a folder beside it first; who comes second finds the folder there, with the same bytes."""
    half = kernel.with_name(f"{kernel.name}.{os.getpid()}.{threading.get_ident():x}.half")
    try:
        (half / OWN_SOURCES).mkdir(parents=True)
        shutil.copyfile(image, half / KERNEL_IMAGE)
        for name, data in files.items():
            place = half / OWN_SOURCES / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        with suppress(OSError):
            half.rename(kernel)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _keep_newest(folder: Path, most: int) -> None:
    """Remove what was used longest ago, and never mind what somebody else is removing too."""
    with suppress(OSError):
        found: Sequence[Path] = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in found[most:]:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
