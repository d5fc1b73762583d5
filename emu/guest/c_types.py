# SPDX-License-Identifier: GPL-2.0-or-later
"""C types as debug information describes them, and the values that bytes have under them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Decoded = int | str | bytes


@dataclass(frozen=True, slots=True)
class CType:
    """A type: its name as C writes it and its `size` in bytes (0 if it has none)."""

    name: str
    size: int

    @property
    def kind(self) -> str:
        """One word: int, unsigned, char, bool, enum, pointer, string (pointer to char), array, struct, ..."""
        return "void"

    def decode(self, raw: bytes) -> Decoded:
        """The Python value of `raw`: int, the enumerator's name, text up to its NUL, or the bytes."""
        return raw


@dataclass(frozen=True, slots=True)
class Scalar(CType):
    """An integer type, `char` and `_Bool` included."""

    scalar: str

    @property
    def kind(self) -> str:
        """int, unsigned, char or bool."""
        return self.scalar

    @property
    def signed(self) -> bool:
        """Whether the type has negative values (plain `char` does on x86)."""
        return self.scalar in ("int", "char")

    def decode(self, raw: bytes) -> Decoded:
        """The number."""
        return int.from_bytes(raw, "little", signed=self.signed)


@dataclass(frozen=True, slots=True)
class Enumeration(CType):
    """An enum; `values` maps numbers to the names of their enumerators."""

    signed: bool
    values: Mapping[int, str] = field(hash=False)

    @property
    def kind(self) -> str:
        """Always "enum"."""
        return "enum"

    def decode(self, raw: bytes) -> Decoded:
        """The enumerator's name, or the number if none has it."""
        number = int.from_bytes(raw, "little", signed=self.signed)
        return self.values.get(number, number)


@dataclass(frozen=True, slots=True)
class Pointer(CType):
    """A pointer. What it points to is looked up when asked for: types may refer to themselves."""

    resolve: Callable[[], CType] = field(repr=False, compare=False)
    is_string: bool = False

    @property
    def target(self) -> CType:
        """The type pointed to; `Void` for `void *`."""
        return self.resolve()

    @property
    def kind(self) -> str:
        """ "string" for `char *`, else "pointer"."""
        return "string" if self.is_string else "pointer"

    def decode(self, raw: bytes) -> Decoded:
        """The address."""
        return int.from_bytes(raw, "little")


@dataclass(frozen=True, slots=True)
class Array(CType):
    """`count` elements one behind another; None where C leaves the count open."""

    element: CType
    count: int | None

    @property
    def kind(self) -> str:
        """Always "array"."""
        return "array"

    def decode(self, raw: bytes) -> Decoded:
        """The text up to the first NUL for an array of `char`, else the bytes."""
        if isinstance(self.element, Scalar) and self.element.scalar == "char":
            return raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
        return raw


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union at `offset` bytes; `bits` is the width of a bit field, else None."""

    name: str
    offset: int
    type: CType
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class Structure(CType):
    """A struct or union and its members in order; a member without a name lends its own members."""

    keyword: str
    members: tuple[Member, ...]
    complete: bool = True

    @property
    def kind(self) -> str:
        """ "struct" or "union"."""
        return self.keyword

    def member(self, name: str) -> Member | None:
        """The member called `name`, found inside unnamed ones too, or None."""
        for member in self.members:
            if member.name == name:
                return member
            if not member.name and isinstance(member.type, Structure):
                inner = member.type.member(name)
                if inner is not None:
                    return Member(name, member.offset + inner.offset, inner.type, inner.bits)
        return None

    def member_names(self) -> list[str]:
        """The names that `member` knows."""
        names: list[str] = []
        for member in self.members:
            if member.name:
                names.append(member.name)
            elif isinstance(member.type, Structure):
                names += member.type.member_names()
        return names


@dataclass(frozen=True, slots=True)
class Function(CType):
    """A function; its value is its address."""

    @property
    def kind(self) -> str:
        """Always "function"."""
        return "function"


@dataclass(frozen=True, slots=True)
class Label(CType):
    """A place with no type: a label of assembly or of the linker script."""

    @property
    def kind(self) -> str:
        """Always "label"."""
        return "label"


VOID = CType("void", 0)
