# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C: at once where Python runs, at the next pause of the machine where the engine does.

An exception in a callback of the engine would be printed and lost, so while a machine runs it is only noted; the
same holds while an object is put away, and then it comes again a little later.
"""

import os
import signal
import sys
import threading
import weakref
from types import FrameType
from typing import Final

_SOON_SECONDS: Final = 0.01


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
    elif _would_be_lost(frame):
        threading.Timer(_SOON_SECONDS, signal.raise_signal, (signal.SIGINT,)).start()
    else:
        raise KeyboardInterrupt


def _would_be_lost(frame: FrameType | None) -> bool:
    """Whether what is raised now would be printed and lost: an object is put away, or the engine calls back."""
    engine = getattr(sys.modules.get("unicorn"), "__file__", None)
    folder = os.path.dirname(engine) if engine else weakref.__file__
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.startswith((weakref.__file__, folder)):
            return True
        frame = frame.f_back
    return False
