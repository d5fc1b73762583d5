# SPDX-License-Identifier: GPL-2.0-or-later
"""The real command, in a process of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.command import Command


@pytest.fixture
def pagewalk(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def pagewalk_with(tmp_path: Path) -> Callable[[str], Command]:
    """The command in an interpreter that first runs a line of Python."""

    def make(line: str) -> Command:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(line)
        return Command(tmp_path, [folder])

    return make
