# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may share pages with the kernel, and who may end whom."""

import pytest

from emu.lesson import Call, Lab, Return

UID_USER = 1000


def registrations(switches: dict[str, str]) -> list[str]:
    lab = Lab()
    lab.boot("credentials", switches=switches)
    ended = lab.run_to_exit()
    assert ended is not None
    assert ended.code == 0x10
    return [line[3:] for line in str(lab.console).splitlines() if "registers" in line]


@pytest.mark.parametrize(
    ("value", "result"), [("on", "-1, refused"), ("off", "0, granted")], ids=["on", "off"]
)
def test_only_the_switch_lets_an_unprivileged_program_share_pages(value: str, result: str) -> None:
    assert registrations({"ukshm.privileged": value}) == [
        "root registers for a shared page: 0, granted",
        f"the user registers for a shared page: {result}",
    ]


def test_the_user_is_written_down_with_the_process_and_with_what_it_starts() -> None:
    lab = Lab()
    lab.boot("credentials")
    lab.run_until(Call("ukshm_register"))
    assert lab.value("current->uid") == 0
    lab.run_until(Call("ukshm_register"))
    assert lab.value("current->uid") == UID_USER
    lab.run_until(Return("process_create"))
    child = lab.registers["rax"]
    slot = next(i for i in range(32) if lab.value(f"procs[{i}].pid") == child)
    assert lab.value(f"procs[{slot}].uid") == UID_USER
