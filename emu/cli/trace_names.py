# SPDX-License-Identifier: GPL-2.0-or-later
"""Names for the addresses of a trace, if it comes from the guest that is installed here."""

from typing import TYPE_CHECKING

from emu.bits import LinearAddress

if TYPE_CHECKING:
    from emu.events import Event
    from emu.guest.symbols import Symbols
    from emu.trace.header import TraceHeader


class Names:
    """Follows which process runs, through the marks of a trace; names kernel addresses, and the process's own."""

    def __init__(self, header: "TraceHeader") -> None:
        self._symbols = _symbols(header)
        self._programs: dict[int | str, str] = {1: "init"}
        self._running: int | str = 1

    def follow(self, event: "Event") -> None:
        """Take note of `event`, whether it is shown or not."""
        from emu.events import Marked

        if isinstance(event, Marked):
            if event.name == "process_start":
                self._programs[event.arguments.get("pid", 0)] = str(event.arguments.get("name", ""))
            elif event.name == "switch":
                self._running = event.arguments.get("next_pid", 0)

    def name(self, linear: int) -> str | None:
        """ "symbol+0x10", or None."""
        if self._symbols is None:
            return None
        named = self._symbols.name_address(LinearAddress(linear), self._programs.get(self._running))
        return None if named.startswith("0x") else named


def _symbols(header: "TraceHeader") -> "Symbols | None":
    """The symbols of the installed guest, if the trace was made with that very image."""
    from emu.guest.elf import GuestImageError
    from emu.guest.symbols import Symbols
    from emu.lesson.boot import bundled_kernel, bundled_programs
    from emu.resources import ResourceMissing

    try:
        kernel = bundled_kernel()
        if kernel.sha256 != header.image_sha256:
            return None
        programs = bundled_programs().programs
        return Symbols(kernel.symbols, {name: program.symbols for name, program in programs.items()})
    except (ResourceMissing, GuestImageError):
        return None
