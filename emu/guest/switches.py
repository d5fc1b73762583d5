# SPDX-License-Identifier: GPL-2.0-or-later
"""The switches that a kernel image offers, read from its own table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from emu.bits import LinearAddress
from emu.guest.c_types import Array, Structure
from emu.guest.elf import GuestImageError
from emu.guest.expression import ExpressionError, evaluate
from emu.guest.image import KernelImage
from emu.guest.near import did_you_mean, shown

TABLE = "kernel_switches"
TEXT_LIMIT_BYTES = 512
NUMBER = "#"


class SwitchError(Exception):
    """A switch or a value that the kernel does not know. One line, with the near names."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch: its `values`, the default first; "#" among them stands for any number; `purpose` in
    words."""

    name: str
    values: tuple[str, ...]
    purpose: str = ""
    number: int = 0
    """Its place in the kernel's table."""

    @property
    def default(self) -> str:
        """The value without a word on the command line."""
        return self.values[0]

    def accepts(self, value: str) -> bool:
        """Whether the kernel understands `value`: one of `values`, or a decimal number where "#" is among
        them."""
        if NUMBER in self.values and value.isascii() and value.isdigit():
            return True
        return value in self.values and value != NUMBER


class Switches:
    """The switches of one kernel, by name."""

    def __init__(self, switches: Mapping[str, Switch]) -> None:
        """From name -> switch."""
        self.switches = dict(switches)

    def validate(self, settings: Mapping[str, str]) -> None:
        """SwitchError for the first of `settings` (name -> value) that the kernel does not know."""
        for name, value in settings.items():
            switch = self.switches.get(name)
            if switch is None:
                raise SwitchError(f"no switch {shown(name)}: {did_you_mean(name, self.switches)}")
            if not switch.accepts(value):
                known = ", ".join("any number" if v == NUMBER else v for v in switch.values)
                raise SwitchError(f"switch {name} has no value {shown(value) or '(empty)'}; it takes {known}")

    def defaults(self) -> dict[str, str]:
        """Name -> value when nothing is set."""
        return {name: switch.default for name, switch in self.switches.items()}


@lru_cache(maxsize=4)  # a lesson boots one image many times
def read_switches(image: KernelImage) -> Switches:
    """The table `kernel_switches` of the image, laid out as its debug information says; empty if it has none.

    GuestImageError if the table is there and cannot be read.
    """
    if image.symbols.get(TABLE) is None:
        return Switches({})
    broken = image.elf.error(f"its table {TABLE} cannot be read", "build the kernel again with -gdwarf-4")
    table = image.symbols.type_of(TABLE)
    if not isinstance(table, Array) or not isinstance(table.element, Structure) or not table.count:
        raise broken
    names = table.element.member_names()
    values = table.element.member("values")
    if "name" not in names or values is None or not isinstance(values.type, Array) or not values.type.count:
        raise broken
    try:
        found = [
            Switch(
                _text(image, f"{TABLE}[{i}].name"),
                tuple(
                    filter(
                        None, (_text(image, f"{TABLE}[{i}].values[{v}]") for v in range(values.type.count))
                    )
                ),
                _text(image, f"{TABLE}[{i}].purpose") if "purpose" in names else "",
                i,
            )
            for i in range(table.count)
        ]
    except ExpressionError:
        raise broken from None
    return Switches({switch.name: switch for switch in found if switch.name and switch.values})


def _text(image: KernelImage, expression: str) -> str:
    """The text that the `char *` named by `expression` points to; "" for a null pointer."""
    pointer = int(evaluate(expression, image.symbols, image.read))
    text = b""
    while pointer and b"\0" not in text:
        try:
            text += image.read(LinearAddress(pointer + len(text)), 1)
        except GuestImageError:
            break
        if len(text) > TEXT_LIMIT_BYTES:
            break
    return text.partition(b"\0")[0].decode("utf-8", "backslashreplace")
