# SPDX-License-Identifier: GPL-2.0-or-later
import sys

import pytest

from emu.bench.screen import KEYS, measure_first_screen, measure_keys


def test_the_first_screen_is_the_first_text_on_a_terminal() -> None:
    pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    says = "import time; print('a lesson', flush=True); time.sleep(60)"
    found = measure_first_screen((sys.executable, "-c", says), b"a lesson")
    assert found is not None and found > 0
    silent = measure_first_screen((sys.executable, "-c", "pass"), b"a lesson")
    assert silent is None


def test_each_key_is_measured_from_its_press_to_what_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    monkeypatch.setattr("emu.bench.screen.SETTLED_SECONDS", 0.5)
    says = (
        "import os, sys, time, tty; tty.setraw(0); print('a lesson', flush=True)\n"
        "while key := os.read(0, 1): time.sleep(0.02); os.write(1, key) if key != b'w' else None"
    )
    found = measure_keys((sys.executable, "-c", says), presses=2)
    assert [wait.key for wait in found] == [key for key, _ in KEYS if key != "w"]
    assert all(20 <= wait.typical <= wait.worst for wait in found)
