# SPDX-License-Identifier: GPL-2.0-or-later
"""The first line of a trace: what was run, and what of it was recorded. No clock, no host, no path."""

from pathlib import PurePath, PureWindowsPath
from typing import Any, Final

import msgspec

FORMAT_VERSION: Final = 1
FROM_RESET: Final = "reset"
FROM_FIRST_USER_INSTRUCTION: Final = "first user instruction"


class TraceError(Exception):
    """A trace cannot be read or written. One line: what, which line of the file, and the mend."""


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="header"):
    """What a trace says of its run.

    `image_sha256` names the kernel image, `command_line` is what it was booted with, `geometry` the TLB's
    name, `cpu` the CPU model's ("" in traces from before there were any), `versions` the parts that decide
    the outcome, `files` base names of what was attached. `kinds` lists the kinds recorded ("all" with plain
    level-1 hits), `window` says from where on.
    """

    format_version: int = FORMAT_VERSION
    image_sha256: str = ""
    command_line: str = ""
    geometry: str = ""
    cpu: str = ""
    seed: int = 0
    versions: dict[str, str] = {}
    kinds: list[str] = []
    window: str = FROM_FIRST_USER_INSTRUCTION
    files: dict[str, str] = {}

    def without_folders(self) -> "TraceHeader":
        """The same with every entry of `files` cut to its base name, whichever system's path it was."""
        names = {role: PureWindowsPath(PurePath(path).name).name for role, path in self.files.items()}
        return msgspec.structs.replace(self, files=names)


def header_differences(a: TraceHeader, b: TraceHeader) -> list[str]:
    """One line for each field in which two headers differ: "geometry: 'haswell' and 'mine'"."""
    lines: list[str] = []
    for name in TraceHeader.__struct_fields__:
        one: Any = getattr(a, name)
        other: Any = getattr(b, name)
        if one != other:
            lines.append(f"{name}: {one!r} and {other!r}")
    return lines
