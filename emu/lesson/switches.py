# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a kernel keeps what its switches are set to."""

from emu.guest.image import KernelImage
from emu.guest.switches import NUMBER, read_switches

CHOSEN, NUMBERS = "chosen", "numbers"
"""The kernel's tables: a byte each, the number of the chosen value; and eight bytes each, the number that "#" is."""
_NUMBER_BYTES = 8
_MOST = (1 << 8 * _NUMBER_BYTES) - 1


def switch_pokes(kernel: KernelImage, name: str, value: str) -> list[tuple[int, bytes]]:
    """(linear address, bytes) to write into `kernel` so that a switch has another value.

    SwitchError for an unknown name or value, SymbolError for a kernel without the tables.
    """
    switches = read_switches(kernel)
    switches.validate({name: value})
    switch = switches.switches[name]
    number = value not in switch.values
    index = switch.values.index(NUMBER if number else value)
    pokes = [(kernel.symbols.address_of(CHOSEN) + switch.number, bytes((index,)))]
    if number:
        address = kernel.symbols.address_of(NUMBERS) + _NUMBER_BYTES * switch.number
        pokes.append((address, min(int(value), _MOST).to_bytes(_NUMBER_BYTES, "little")))
    return pokes
