# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests are best done by one process when `pytest -n` spreads them: those that look at one expensive thing.

A file as a rule, as its fixtures are made once. What is said of one lesson, or of one set of rules, in several files
or with several tests goes together; files of many long tests that share nothing are taken apart.
"""

import re
from typing import Final

from xdist.scheduler.loadscope import LoadScopeScheduling

_LESSON: Final = re.compile(
    r"tests/lessons/test_(?:the_course\.py::test_a_lesson_\w+\[(?P<id>[\w-]+)\]|(?P<file>\w+)\.py)"
)
_RULES: Final = re.compile(r"tests/referee/test_four_paths\.py::.*?(?P<rules>office|crossing|open)")
_APART: Final = (
    "tests/golden/test_consoles.py",
    "tests/hostile/test_random_code.py",
    "tests/lessons/test_labs.py",
    "tests/lessons/test_the_course.py",
    "tests/referee/test_qemu.py",
    "tests/referee/test_unicorn_mmu.py",
    "tests/tui/",
    "tests/unit/guest_kernel/test_crash_matrix.py",
    "tests/unit/test_machine.py",
)


def together(node: str) -> str:
    """The name of what a test is done together with, from its node id."""
    rules = _RULES.match(node)
    if rules:
        return f"rules {rules['rules']}"
    lesson = _LESSON.match(node)
    if lesson and lesson["id"]:
        return f"lesson {lesson['id']}"
    if node.startswith(_APART):
        return node
    if lesson:
        return f"lesson {lesson['file'].replace('_', '-')}"
    return node.partition("::")[0]


class Together(LoadScopeScheduling):
    """Hands out what belongs together to one worker, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
