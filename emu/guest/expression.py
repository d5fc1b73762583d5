# SPDX-License-Identifier: GPL-2.0-or-later
"""C expression paths over the guest's globals: `frames[3].owner`, `current->name`, `*window`, `&procs[1]`,
`bss+4`.

    expression = unary { ("+" | "-") number }
    unary      = ("*" | "&") unary | postfix
    postfix    = ( name | "(" expression ")" ) { "[" number or expression "]" | "." name | "->" name }

A name is a global or static variable, a function or a label; `file.c:name` and `kernel:name` choose among
several. Local variables have no fixed place and are refused by name.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emu.bits import MASK64, LinearAddress, hexadecimal, parse_number
from emu.guest.c_types import Array, CType, Enumeration, Function, Label, Pointer, Scalar, Structure
from emu.guest.near import did_you_mean, shown
from emu.guest.symbols import Symbol, SymbolError, SymbolTable

ReadMemory = Callable[[LinearAddress, int], bytes]

TOKEN: Final = re.compile(
    r"\s*(->|[A-Za-z_.$][\w.$/-]*?:[A-Za-z_$][\w$]*|[A-Za-z_$][\w$]*|[0-9]\w*|[][().*&+-])"
)
LENGTH_LIMIT: Final = 400
READ_LIMIT_BYTES: Final = 1 << 20
SHOWN_BYTES: Final = 32


class ExpressionError(Exception):
    """An expression that has no value. One line: what is wrong with it, and the near names."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression stands for.

    `address` is where it lies in memory (None for a computed one), `raw` its bytes, and `python` the same
    as an int, the name of an enumerator, the text of an array of `char`, or the bytes of any other array
    or structure.
    """

    address: LinearAddress | None
    type: CType
    raw: bytes
    python: int | str | bytes

    def __int__(self) -> int:
        """The number: an enumerator's too; ExpressionError for an array or structure."""
        if isinstance(self.type, Array | Structure):
            raise ExpressionError(f"{self.type.name} is no number: name one element or member")
        signed = isinstance(self.type, Scalar | Enumeration) and self.type.signed
        return int.from_bytes(self.raw, "little", signed=signed)

    def __str__(self) -> str:
        if isinstance(self.type, Pointer | Function | Label):
            return hexadecimal(int(self))
        if isinstance(self.python, bytes):
            rest = f" ... ({len(self.raw)} bytes)" if len(self.raw) > SHOWN_BYTES else ""
            return self.raw[:SHOWN_BYTES].hex(" ") + rest
        return shown(str(self.python))


@dataclass(frozen=True, slots=True)
class _Place:
    """An intermediate result: something in memory, or (address None) something computed."""

    address: LinearAddress | None
    type: CType
    raw: bytes | None = None


def evaluate(expression: str, symbols: SymbolTable | Sequence[SymbolTable], read: ReadMemory) -> Value:
    """The value of a C `expression`, names looked up in `symbols` in order, memory read through `read`.

    Raises ExpressionError.
    """
    tables = [symbols] if isinstance(symbols, SymbolTable) else list(symbols)
    parser = _Parser(expression, tables, read)
    return parser.value(parser.whole())


def resolve_address(
    text: str, symbols: SymbolTable | Sequence[SymbolTable], read: ReadMemory
) -> LinearAddress:
    """The address that `text` names: a number, `symbol[+n]` (its address, n in bytes) or `*expression`
    (its value).

    `window` is where the variable lies, `*window` is what it holds. Raises ExpressionError.
    """
    text = text.strip()
    number = parse_number(text)
    if number is not None:
        if not 0 <= number <= MASK64:
            raise ExpressionError(f"{shown(text)} is no address: it does not fit in 64 bits")
        return LinearAddress(number)
    if text.startswith("*"):
        return LinearAddress(int(evaluate(text[1:], symbols, read)) & MASK64)
    name, sign, offset = _split_offset(text)
    tables = [symbols] if isinstance(symbols, SymbolTable) else list(symbols)
    place = _Parser(name, tables, read).whole()
    if place.address is None:
        raise ExpressionError(f"{shown(text)} has no address: write *({shown(name)}) for its value")
    return LinearAddress((place.address + sign * offset) & MASK64)


def _split_offset(text: str) -> tuple[str, int, int]:
    found = re.fullmatch(r"(.*\S)\s*([+-])\s*(\w+)", text, re.DOTALL)
    offset = parse_number(found[3]) if found else None
    if found is None or offset is None:
        return text, 1, 0
    return found[1], -1 if found[2] == "-" else 1, offset


class _Parser:
    def __init__(self, text: str, tables: list[SymbolTable], read: ReadMemory) -> None:
        self.text = text
        self.tables = tables
        self.read = read
        self.tokens = _tokens(text)
        self.at = 0

    def error(self, what: str) -> ExpressionError:
        return ExpressionError(f"{shown(self.text)}: {what}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            wanted = expected or "a name"
            raise self.error(f"{wanted} is missing " + (f"before {token}" if token else "at the end"))
        self.at += 1
        return token

    def whole(self) -> _Place:
        place = self.sum()
        if self.peek():
            raise self.error(f"{self.peek()} is one too many")
        return place

    def sum(self) -> _Place:
        place = self.unary()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            place = self.offset(place, sign * self.number(self.take()))
        return place

    def unary(self) -> _Place:
        if self.peek() == "*":
            self.take()
            return self.dereference(self.unary())
        if self.peek() == "&":
            self.take()
            place = self.unary()
            if place.address is None:
                raise self.error("& needs something that lies in memory")
            target = place.type
            return self.pointer_to(place.address, target)
        return self.postfix()

    def postfix(self) -> _Place:
        if self.peek() == "(":
            self.take()
            place = self.sum()
            self.take(")")
        else:
            place = self.name(self.take())
        while self.peek() in ("[", ".", "->"):
            match self.take():
                case "[":
                    index = self.index()
                    self.take("]")
                    place = self.element(place, index)
                case ".":
                    place = self.member(place, self.take())
                case _:
                    place = self.member(self.dereference(place), self.take())
        return place

    def index(self) -> int:
        if self.peek()[:1].isdigit():
            return self.number(self.take())
        return int(self.value(self.sum()))

    def number(self, token: str) -> int:
        number = parse_number(token)
        if number is None:
            raise self.error(f"{shown(token)} is no number")
        return number

    def name(self, token: str) -> _Place:
        if not re.match(r"[A-Za-z_.$]", token):
            raise self.error(f"{shown(token)} stands where a name should")
        tables, plain = self.tables, token
        prefix, _, rest = token.partition(":")
        chosen = [t for t in tables if rest and t.name.partition(".")[0] == prefix]
        if chosen:
            tables, plain = chosen, rest
        try:
            for table in tables:
                symbol = table.get(plain)
                if symbol is not None:
                    return self.symbol(table, symbol, plain)
        except SymbolError as error:
            raise self.error(str(error)) from None
        raise self.unknown(plain, tables)

    def symbol(self, table: SymbolTable, symbol: Symbol, name: str) -> _Place:
        return _Place(symbol.address, table.type_of(name))

    def unknown(self, name: str, tables: list[SymbolTable]) -> ExpressionError:
        for table in tables:
            function = table.debug.function_of_local(name)
            if function is not None:
                return self.error(
                    f"{name} is a local variable of {shown(function)}, without a fixed place; name a global"
                )
        where = " or ".join(t.name for t in tables) or "the guest"
        near = did_you_mean(name, [n for t in tables for n in t.names()])
        return self.error(f"no symbol {shown(name)} in {where}: {near}")

    def pointer_to(self, address: LinearAddress, target: CType) -> _Place:
        made = Pointer(f"{target.name} *", 8, lambda: target)
        return _Place(None, made, address.to_bytes(8, "little"))

    def decayed(self, place: _Place) -> _Place:
        """An array or a label as a pointer to its first element, as C has it."""
        if place.address is not None and isinstance(place.type, Array):
            return self.pointer_to(place.address, place.type.element)
        if place.address is not None and isinstance(place.type, Label | Function):
            return self.pointer_to(place.address, Scalar("char", 1, "char"))
        return place

    def offset(self, place: _Place, count: int) -> _Place:
        place = self.decayed(place)
        if not isinstance(place.type, Scalar | Enumeration | Pointer):
            raise self.error(f"nothing can be added to {place.type.name}")
        value = int(self.value(place))
        if isinstance(place.type, Pointer):
            step = place.type.target.size or 1
            return _Place(None, place.type, ((value + count * step) & MASK64).to_bytes(8, "little"))
        wide = Scalar("long", 8, "int") if place.type.signed else Scalar("unsigned long", 8, "unsigned")
        return _Place(None, wide, ((value + count) & MASK64).to_bytes(8, "little"))

    def dereference(self, place: _Place) -> _Place:
        place = self.decayed(place)
        if not isinstance(place.type, Pointer):
            raise self.error(f"* and -> need a pointer, this is {place.type.name}")
        if isinstance(place.type.target, Function) or not place.type.target.size:
            target = place.type.target
            if not (isinstance(target, Structure) and not target.complete):
                raise self.error(f"{place.type.name} points to nothing that has a size")
        return _Place(LinearAddress(int(self.value(place))), place.type.target)

    def element(self, place: _Place, index: int) -> _Place:
        if (
            isinstance(place.type, Array)
            and place.type.count is not None
            and not 0 <= index < place.type.count
        ):
            raise self.error(f"index {index} is outside {place.type.name}: 0 to {place.type.count - 1}")
        if not isinstance(self.decayed(place).type, Pointer):
            raise self.error(f"[{index}] needs an array or a pointer, this is {place.type.name}")
        return self.dereference(self.offset(place, index))

    def member(self, place: _Place, name: str) -> _Place:
        structure = place.type
        if isinstance(structure, Pointer):
            raise self.error(f"{structure.name} is a pointer: write ->{shown(name)}")
        if not isinstance(structure, Structure) or place.address is None:
            raise self.error(f".{shown(name)} needs a struct or union, this is {structure.name}")
        structure = self.complete(structure)
        member = structure.member(name)
        if member is None:
            near = did_you_mean(name, structure.member_names())
            raise self.error(f"{structure.name} has no member {shown(name)}: {near}")
        if member.bits is not None:
            raise self.error(f"{name} is a bit field of {structure.name}: bit fields are not supported")
        return _Place(LinearAddress((place.address + member.offset) & MASK64), member.type)

    def complete(self, structure: Structure) -> Structure:
        if structure.complete:
            return structure
        for table in self.tables:
            found = table.debug.structure(structure.name.partition(" ")[2])
            if found is not None:
                return found
        raise self.error(f"{structure.name} is declared but nowhere described: build with -gdwarf-4")

    def value(self, place: _Place) -> Value:
        if place.raw is not None:
            return Value(place.address, place.type, place.raw, place.type.decode(place.raw))
        address = place.address
        if address is None:
            raise self.error("it has no value")
        if isinstance(place.type, Label | Function):
            return Value(address, place.type, address.to_bytes(8, "little"), int(address))
        kind = self.complete(place.type) if isinstance(place.type, Structure) else place.type
        if not 0 < kind.size <= READ_LIMIT_BYTES:
            raise self.error(f"{kind.name} of {kind.size} bytes cannot be read whole: name one element")
        try:
            raw = self.read(address, kind.size)
        except (LookupError, ValueError, OSError, OverflowError) as error:
            raise self.error(
                f"memory at {hexadecimal(address)} cannot be read ({shown(str(error))})"
            ) from None
        if len(raw) != kind.size:
            raise self.error(f"memory at {hexadecimal(address)} cannot be read")
        return Value(address, kind, raw, kind.decode(raw))


def _tokens(text: str) -> list[str]:
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError(f"{shown(text)}: longer than {LENGTH_LIMIT} characters")
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"{shown(text)}: {shown(text[at:].strip()[:20])} is not understood here")
        tokens.append(found[1])
        at = found.end()
    if not tokens:
        raise ExpressionError(
            "an empty expression: write a number, a symbol or a path such as frames[3].owner"
        )
    return tokens
