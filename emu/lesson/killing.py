# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest kernel's process_mark_killed would write."""

from typing import Final

from emu.view.inspector import Inspector, Process

INIT: Final = 1
_MOST_PROCESSES: Final = 64
_WOKEN: Final = ("sleeping", "paused", "waiting")
_NUMBER_BYTES: Final = 4


def kill_pokes(inspector: Inspector, process: Process) -> list[tuple[int, bytes]]:
    """(linear address, bytes) to write into the kernel so that `process` ends. Empty if it is told already."""
    symbols = inspector.symbols.kernel
    assert symbols is not None  # without its names there is no process to speak of
    reasons = {name: number for number, name in symbols.enumeration("kill_reason").items()}
    states = {name: number for number, name in symbols.enumeration("proc_state").items()}
    for slot in range(_MOST_PROCESSES):
        if int(inspector.value(f"procs[{slot}].pid")) == process.pid:
            break
    else:
        return []
    killed = inspector.value(f"procs[{slot}].killed")
    state = inspector.value(f"procs[{slot}].state")
    assert killed.address is not None and state.address is not None
    pokes: list[tuple[int, bytes]] = []
    if not int(killed):
        pokes.append((killed.address, reasons["KILLED_BY_PROCESS"].to_bytes(_NUMBER_BYTES, "little")))
    if process.state in _WOKEN:
        pokes.append((state.address, states["PROC_READY"].to_bytes(_NUMBER_BYTES, "little")))
    return pokes
