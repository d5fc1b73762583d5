# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk doctor`: what this machine has."""

from emu.cli.errors import Exit, one_line
from emu.cli.output import out

_MARKS = {True: "ok", None: "--", False: "NO"}


def doctor() -> int:
    """Say what this machine has of what Pagewalk uses; exit 1 if something needed is missing.

    Example: pagewalk doctor
    """
    from emu.cli.version import versions
    from emu.doctor import examine

    found = examine()
    out(", ".join(f"{name} {value}" for name, value in versions().items()))
    for finding in found:
        out(f"{_MARKS[finding.good]}  {finding.name:<12} {one_line(finding.text)}")
    return Exit.CHECK_FAILED if any(finding.good is False for finding in found) else Exit.FINE
