# SPDX-License-Identifier: GPL-2.0-or-later
"""Three steps on the real guest: something shown, a question, an end."""

from emu.lesson import At, Call, Kind, Lab, step


def setup(lab: Lab) -> None:
    lab.boot("overrun")


@step("shared")
def shared(lab: Lab) -> None:
    lab.run_until(Call("ukshm_map"), then="return")
    lab.run_until(At("fill_window"))
    window = lab.value("window")
    mine, kernels = lab.walk(window), lab.walk(lab.kernel_alias(window))
    lab.show(mine, kernels)
    lab.expect(mine.frame == kernels.frame, "both addresses reach one frame")


@step("past-the-end")
def past_the_end(lab: Lab) -> None:
    lab.ask(
        "It writes one byte more than the page holds. Where does that byte go?",
        choices=["into the kernel's next packet", "into the program's own data", "nowhere"],
        answer=2,
        hint="What lies behind the window in the address space?",
    )
    lab.run_until(Kind.FAULT)
    lab.show(lab.walk(lab.value("window") + 4096))
    lab.expect(lab.events[-1].kind is Kind.FAULT, "the write past the end is refused")


@step("ending")
def ending(lab: Lab) -> None:
    lab.run_to_exit()
    lab.expect("killed" in str(lab.console), "the program was killed")
