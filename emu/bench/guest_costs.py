# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest kernel's work costs, in guest instructions: counted from the events of real programs, not timed.

The same image gives the same numbers everywhere. A cost is the median over all times the thing was seen, from the
instruction that asked for it to the first one of ring 3 behind it; the call of a slab is from its first instruction
to its return.
"""

import statistics
from dataclasses import dataclass
from typing import Final

from emu.bits import LinearAddress
from emu.events import Event, Faulted, Marked, Returned, SyscallEntered
from emu.lesson.boot import BootRequest, boot, request_of
from emu.lesson.conditions import Call
from emu.lesson.lab import Lab

PAGE_FAULT: Final = 14
SLAB_ALLOCATION: Final = "kmalloc"
LONGEST_CALL: Final = 100_000
PAGES: Final = "1700"
"""More than 8 MiB of RAM hold, so that pages go to the disk and come back."""
_FAULTS: Final = {
    "demand_zero": "a page fault: a page of zeros",
    "file_page": "a page fault: a page of a file",
    "copy_on_write": "a page fault: a copy after fork",
    "swap_in": "a page fault: a page from the swap area",
}
_SWITCH: Final = "a context switch, yield to yield"
_NULL_CALL: Final = "a null system call, SYSCALL to SYSRET"
_CALLS: Final = {"SYS_yield": None, "SYS_getpid": _NULL_CALL}
"""Calls that are watched, and what they are unless something else happens before the return."""


@dataclass(frozen=True, slots=True)
class GuestCost:
    """`what` took `instructions` guest instructions (the median of `count` times)."""

    what: str
    instructions: int
    count: int


class _Watch:
    """An observer: from each fault or yield of ring 3 to the next instruction of ring 3, by what happened between."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {what: [] for what in (*_FAULTS.values(), _SWITCH, _NULL_CALL)}
        self._since = -1
        self._what: str | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Faulted) and event.vector == PAGE_FAULT and event.cpl == 3:
            self._since, self._what = event.insn, None
        elif isinstance(event, SyscallEntered) and event.name in _CALLS and event.result is None:
            self._since, self._what = event.insn, _CALLS[event.name]
        elif isinstance(event, Marked) and self._since >= 0:
            self._what = _FAULTS.get(event.name, self._what)
            if event.name == "switch" and self._what is None:
                self._what = _SWITCH
        elif isinstance(event, Returned) and event.to_cpl == 3 and self._since >= 0:
            if self._what is not None:
                self.seen[self._what].append(event.insn - self._since)
            self._since = -1


def _watch(request: BootRequest, instructions: int) -> dict[str, list[int]]:
    machine = boot(request, keep_history=False).machine
    watch = _Watch()
    machine.journal.observers.append(watch)
    machine.run(instructions)
    return watch.seen


def _slab_allocations(times: int) -> list[int]:
    """Instructions from the first of a slab allocation to its return, when a process alone asks for a few objects."""
    lab = Lab()
    lab.boot("alloc", *["kmalloc_100_KERNEL"] * times)
    costs: list[int] = []
    for _ in range(times):
        lab.run_until(Call(SLAB_ALLOCATION))
        machine = lab.machine
        start, stack = machine.journal.insn, machine.cpu.engine.context.save().gpr(4)
        back = int.from_bytes(lab.inspector.read(LinearAddress(stack), 8), "little")
        machine.run_until(LONGEST_CALL, addresses={back})
        costs.append(machine.journal.insn - start)
    return costs


def measure_guest_costs(instructions: int = 6_000_000) -> list[GuestCost]:
    """Every cost; the longest of the runs behind it ends after `instructions`."""
    seen = {"a slab allocation": _slab_allocations(9)}
    runs = (
        request_of("shared"),
        request_of("cow"),
        request_of("pressure", [PAGES, "2"], memory_mib=8, disk="blank:8M"),
    )
    for request in runs:
        for what, costs in _watch(request, instructions).items():
            seen.setdefault(what, []).extend(costs)
    return [
        GuestCost(what, int(statistics.median(costs)), len(costs)) for what, costs in seen.items() if costs
    ]
