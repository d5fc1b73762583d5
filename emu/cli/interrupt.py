# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C: at once where Python runs, at the next pause of the machine where the engine does.

An exception in a callback of the engine would be printed and lost, so while a machine runs it is only noted.
"""

import signal
import sys
from types import FrameType


def install() -> None:
    """Take over SIGINT, unless whoever started the process had it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def uninstall() -> None:
    """Give SIGINT back to Python, for faces that have a loop of their own."""
    if signal.getsignal(signal.SIGINT) is _interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    machine = getattr(sys.modules.get("emu.machine"), "Machine", None)
    if machine is not None and machine.running:
        machine.interrupted = True
        return
    raise KeyboardInterrupt
