# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2 at the keyboard: a program that reads what is typed says the same in QEMU and here."""

import subprocess

import pytest

from emu.devices.debug_exit import exit_status
from tests.helpers.kernel import boot, command_line, lines_by_process
from tests.helpers.qemu import arguments

PASS = 33
MANY = "".join(f"line {number} of more than the kernel keeps at once\n" for number in range(40))

pytestmark = [pytest.mark.qemu, pytest.mark.long]


@pytest.mark.parametrize(
    "text",
    ["quit\n", "a\n\n", "hello there\nand again\nquit\nnobody reads this\n", MANY + "quit\n"],
    ids=["quit at once", "an empty line ends it", "two lines", "more than the ring holds"],
)
def test_what_is_typed_is_read_alike(text: str) -> None:
    done = subprocess.run(
        arguments(command_line("echo")), input=text.encode(), capture_output=True, timeout=120, check=False
    )
    machine = boot("echo")
    machine.input("type", 0, text.encode())
    machine.run(60_000_000)
    assert machine.ended is not None, "the budget ran out"
    assert machine.ended.code is not None
    assert (done.returncode, exit_status(machine.ended.code)) == (PASS, PASS)
    ours = lines_by_process(bytes(machine.console))
    assert ours == lines_by_process(done.stdout)
    read = text.split("quit\n")[0].split("\n\n")[0].splitlines()
    assert ours["2"] == [f"2: you typed '{line}'" for line in read] + ["2: goodbye"]
