# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from tests.helpers.workers import together

COURSE = "tests/lessons/test_the_course.py::test_a_lesson_holds_what_it_says[double-fetch]"


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (COURSE, "lesson double-fetch"),
        ("tests/lessons/test_double_fetch.py::test_checks_fail[two places]", "lesson double-fetch"),
        ("tests/referee/test_four_paths.py::test_a_path[copy-office-1000]", "rules office"),
        ("tests/referee/test_four_paths.py::test_scapy_agrees[office]", "rules office"),
        ("tests/packaging/test_wheel.py::test_the_wheel_holds", "tests/packaging/test_wheel.py"),
        (
            "tests/referee/test_qemu.py::test_a_program[hog]",
            "tests/referee/test_qemu.py::test_a_program[hog]",
        ),
    ],
)
def test_tests_of_one_expensive_thing_go_together(node: str, name: str) -> None:
    assert together(node) == name
