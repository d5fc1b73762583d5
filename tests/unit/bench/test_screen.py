# SPDX-License-Identifier: GPL-2.0-or-later
import sys

import pytest

from emu.bench.screen import measure_first_screen


def test_the_first_screen_is_the_first_text_on_a_terminal() -> None:
    pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    says = "import time; print('a lesson', flush=True); time.sleep(60)"
    found = measure_first_screen((sys.executable, "-c", says), b"a lesson")
    assert found is not None and found > 0
    silent = measure_first_screen((sys.executable, "-c", "pass"), b"a lesson")
    assert silent is None
