# SPDX-License-Identifier: GPL-2.0-or-later
"""How the tests of the rules come by the guest's evaluator, and what its numbers mean."""

import ctypes
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.iptables import Verdict
from tests.helpers.rules_library import Rules, build_library

ROOT = Path(__file__).resolve().parents[3]
TARGETS = ("DROP", "ACCEPT", "REJECT", "FORWARD", "MASQUERADE")
CARDS = ("", "eth0", "eth1")


@cache
def library() -> ctypes.CDLL:
    """The C files of the guest, compiled for this machine."""
    pytest.importorskip("ziglang", reason="compiling the guest needs pagewalk[guest]")
    folder = ROOT / ".pytest_cache" / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    return ctypes.CDLL(str(build_library(folder)))


def rules(text: str | bytes) -> Rules:
    """A rule set from the text of a rule file; BadRules if it is refused."""
    return Rules(library(), text)


def in_words(verdict: int) -> Verdict:
    """The verdict's word of network.h, taken apart."""
    fields = (verdict >> 8 & 0xFF, verdict >> 16 & 0xFFFF, verdict >> 32 & 0xFFFF)
    return (TARGETS[verdict & 0xFF], *fields)
