# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line, called in this process."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from emu.cli.app import main


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    errors: str

    @property
    def json(self) -> Any:
        """stdout as one JSON value."""
        return json.loads(self.out)


Pagewalk = Callable[..., Said]


@pytest.fixture(autouse=True)
def _ctrl_c_as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def pagewalk(capsys: pytest.CaptureFixture[str]) -> Pagewalk:
    def call(*arguments: object) -> Said:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call
