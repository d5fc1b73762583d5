# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk guest`: the guest's own sources."""

from pathlib import Path

from cyclopts import App

from emu.cli.errors import Exit, UsageError
from emu.cli.output import out

app = App("guest", help="Compile guest code. Example: pagewalk guest build my_program.c")


@app.command
def build(path: Path | None = None, /) -> int:
    """Compile guest sources with ziglang (the extra pagewalk[guest]).

    A folder of guest sources gets its images in the folder out inside it; one .c or .S file becomes a program of the
    same name without the suffix, beside it. Without a path the guest that came with Pagewalk is compiled.

    Example: pagewalk guest build my_program.c

    Args:
        path: A folder with kernel/, user/ and include/, or one .c or .S file.
    """
    from emu import resources
    from emu.guest.build import build_guest, build_program

    if path is None:
        path = resources.guest_sources()
    if path.is_dir():
        out_folder = path / "out"
        build_guest(path, out_folder)
        out(f"built {out_folder}")
        return Exit.FINE
    if path.suffix not in (".c", ".S"):
        raise UsageError(f"{path}: no folder of guest sources and no .c or .S file; name one of those")
    program = path.with_suffix("")
    build_program(path, program, resources.guest_sources())
    out(f"built {program}; run it with: pagewalk run {program if program.is_absolute() else f'./{program}'}")
    return Exit.FINE
