# SPDX-License-Identifier: GPL-2.0-or-later
"""What the command line asks of a screen. It starts one, and never imports one."""

from pathlib import Path
from typing import Any, Protocol


class Screen(Protocol):
    """The face with a screen. `lesson` is an emu.lesson.model.Lesson."""

    def run_lesson(
        self,
        lesson: Any,
        *,
        at: str | None,
        tlb: str | None,
        seed: int | None,
        cpu: str | None,
        lab: Path | None,
    ) -> int:
        """One lesson on screen, with the student's lab if there is one; an exit code."""
        ...

    def run_course(self) -> int:
        """The course on screen; an exit code."""
        ...

    def svg_pictures(self, lesson: Any, folder: Path) -> list[Path]:
        """The lesson's screens as files in `folder`."""
        ...
