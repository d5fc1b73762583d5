# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's self-test, and what the engine may not decide by itself."""

import pytest
import unicorn

from emu.cpu import engine_state
from emu.cpu.engine_state import EngineMismatch, verify


def test_the_installed_engine_passes_its_self_test() -> None:
    verify()


@pytest.mark.parametrize("version", ["2.1.3", "2.2.0"])
def test_another_version_is_refused_in_one_line_that_names_the_right_one(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(unicorn, "__version__", version)
    with pytest.raises(EngineMismatch) as caught:
        verify()
    text = str(caught.value)
    assert version in text
    assert "unicorn==2.1.4" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "name", ["_GPR", "_RIP", "_HFLAGS", "_IDT", "_CR0", "_IS_INT", "_EMU_COUNTER", "_INVALID_ADDRESS"]
)
def test_an_engine_laid_out_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(engine_state, name, getattr(engine_state, name) + 8)
    with pytest.raises(EngineMismatch, match=r"2\.1\.4"):
        verify()
