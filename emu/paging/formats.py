# SPDX-License-Identifier: GPL-2.0-or-later
"""The formats of paging-structure entries, declared once: masks, reserved bits and tooltips derive from them.

Source: SDM vol. 3A, "32-Bit Paging", 4.3; "PAE Paging", 4.4; "4-Level Paging and 5-Level Paging", 4.5. Where a
table of the manual gives bits a meaning, one row here does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from emu.bits import PhysicalAddress, hexadecimal, mask

P: Final = 1 << 0
RW: Final = 1 << 1
US: Final = 1 << 2
PWT: Final = 1 << 3
PCD: Final = 1 << 4
A: Final = 1 << 5
D: Final = 1 << 6
PS: Final = 1 << 7
G: Final = 1 << 8
PAT_PTE: Final = 1 << 7
PAT_LARGE: Final = 1 << 12
XD: Final = 1 << 63

IGNORED: Final = "ignored"


@dataclass(frozen=True, slots=True)
class Field:
    """Bits `low` to `high` of an entry. `meaning` is the tooltip.

    A `reserved` field must be 0 in a present entry. A field that holds address bits says in `address_bit`
    which bit of the physical address its lowest bit supplies; those at or above MAXPHYADDR are reserved.
    """

    name: str
    low: int
    high: int
    meaning: str
    reserved: bool = False
    address_bit: int | None = None

    @property
    def mask(self) -> int:
        """The field's bits within the entry."""
        return mask(self.low, self.high)

    def reserved_mask(self, maxphyaddr: int, nxe: bool) -> int:
        """Those of the field's bits that must be 0 with this MAXPHYADDR and EFER.NXE."""
        if self.reserved or (self.name == "XD" and not nxe):
            return self.mask
        if self.address_bit is None:
            return 0
        first = max(self.low, self.low + maxphyaddr - self.address_bit)
        return mask(first, self.high) if first <= self.high else 0


@dataclass(frozen=True, slots=True, eq=False)
class EntryFormat:
    """What the bits of one kind of entry mean. `maps_page`: it refers to a page, not to a table."""

    name: str
    entry_bytes: int
    fields: tuple[Field, ...]
    maps_page: bool = False
    flag_masks: Mapping[str, int] = field(init=False)
    """The mask of each one-bit field, by name; a name the format lacks has none."""
    address_mask: int = field(init=False)
    """The address bits that stand in the entry where they stand in the address."""
    moved: tuple[Field, ...] = field(init=False)
    """The fields whose address bits stand elsewhere in the address than in the entry."""
    implied: int = field(init=False)
    """R/W and U/S where the format has no such bit: what it cannot refuse, it grants."""
    accessed: int = field(init=False)
    """The A bit, or 0 in a format without one."""
    dirty: int = field(init=False)
    """The D bit, or 0 in a format without one."""

    def __post_init__(self) -> None:
        """Derive the masks from the fields."""
        flags = {f.name: f.mask for f in self.fields if f.low == f.high and f.name != IGNORED}
        derived: dict[str, object] = {
            "flag_masks": flags,
            "address_mask": sum(f.mask for f in self.fields if f.address_bit == f.low),
            "moved": tuple(f for f in self.fields if f.address_bit not in (None, f.low)),
            "implied": (RW | US) & ~(flags.get("RW", 0) | flags.get("US", 0)),
            "accessed": flags.get("A", 0),
            "dirty": flags.get("D", 0),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def reserved_mask(self, maxphyaddr: int, nxe: bool) -> int:
        """The bits that must be 0 in a present entry (SDM vol. 3A, "Page-Fault Exceptions", 4.7)."""
        return sum(f.reserved_mask(maxphyaddr, nxe) for f in self.fields)

    def encode(self, frame: PhysicalAddress, flags: int) -> int:
        """The entry that refers to `frame`, with `flags` as its other bits."""
        raw = flags
        for f in self.fields:
            if f.address_bit is not None:
                raw |= (frame >> f.address_bit << f.low) & f.mask
        return raw

    def frame(self, raw: int) -> PhysicalAddress:
        """The physical address of the table or page that `raw`, an entry of this format, refers to."""
        address = raw & self.address_mask
        for f in self.moved:
            assert f.address_bit is not None
            address |= (raw & f.mask) >> f.low << f.address_bit
        return PhysicalAddress(address)

    def decode(self, raw: int) -> "Entry":
        """`raw` read as an entry of this format."""
        return Entry(raw, self)


@dataclass(frozen=True, slots=True)
class Flag:
    """A one-bit field as an attribute of Entry: False where the format has no such bit."""

    name: str

    def __get__(self, entry: "Entry", owner: type["Entry"]) -> bool:
        """Whether the bit is set in `entry`."""
        return entry.raw & entry.format.flag_masks.get(self.name, 0) != 0


class Entry(NamedTuple):
    """A paging-structure entry: its raw value, and the format that gives it meaning.

    The SDM's letters are attributes, each a bool.
    """

    raw: int
    format: EntryFormat

    P = Flag("P")
    RW = Flag("RW")
    US = Flag("US")
    PWT = Flag("PWT")
    PCD = Flag("PCD")
    A = Flag("A")
    D = Flag("D")
    PS = Flag("PS")
    PAT = Flag("PAT")
    G = Flag("G")
    XD = Flag("XD")

    @property
    def frame(self) -> PhysicalAddress:
        """The physical address of the table or page that the entry refers to."""
        return self.format.frame(self.raw)

    def flags(self) -> list[str]:
        """The names of the one-bit fields that are set, from bit 0 up."""
        return [name for name, bit in self.format.flag_masks.items() if self.raw & bit]

    def __str__(self) -> str:
        """The entry in a line: format, value, what it refers to, flags."""
        head = f"{self.format.name} {hexadecimal(self.raw, 2 * self.format.entry_bytes)}"
        if not self.P:
            return f"{head} not present"
        return f"{head} -> {hexadecimal(self.frame)} {' '.join(self.flags())}"


_P = Field("P", 0, 0, "Present: 0 makes every other bit software's own")
_RW = Field("RW", 1, 1, "Read/write: 0 forbids writes to everything this entry reaches")
_US = Field("US", 2, 2, "User/supervisor: 0 forbids user-mode accesses to everything this entry reaches")
_PWT = Field("PWT", 3, 3, "Page-level write-through: part of the memory type")
_PCD = Field("PCD", 4, 4, "Page-level cache disable: part of the memory type")
_A = Field("A", 5, 5, "Accessed: set by the CPU when a translation used this entry")
_D = Field("D", 6, 6, "Dirty: set by the CPU when the page was written")
_G = Field("G", 8, 8, "Global: with CR4.PGE, kept in the TLB when CR3 is loaded")
_PS_TABLE = Field("PS", 7, 7, "Page size: 0, this entry refers to a table")
_PS_PAGE = Field("PS", 7, 7, "Page size: 1, this entry maps a page")
_PAT_LARGE = Field("PAT", 12, 12, "Page attribute table: part of the memory type")
_XD = Field("XD", 63, 63, "Execute disable: with EFER.NXE forbids fetches; without it, reserved")
_KEY = Field("key", 59, 62, "Protection key, with CR4.PKE; otherwise ignored")


def _ignored(low: int, high: int) -> Field:
    return Field(IGNORED, low, high, "Ignored: free for software")


def _reserved(name: str, low: int, high: int) -> Field:
    return Field(name, low, high, "Reserved: must be 0", reserved=True)


def _address(low: int, what: str, high: int = 51) -> Field:
    return Field("address", low, high, f"Physical address of {what}", address_bit=low)


_ABOVE_51: Final = _reserved("reserved", 52, 62)
_TO_TABLE: Final = (_P, _RW, _US, _PWT, _PCD, _A, _ignored(6, 6))
_TO_PAGE: Final = (_P, _RW, _US, _PWT, _PCD, _A, _D)
_PAT: Final = Field("PAT", 7, 7, "Page attribute table: part of the memory type")
_PAGE_TABLE: Final = "the page table"
_PAGE_4K: Final = "the 4-KByte page"


def _table(name: str, what: str, page_size: Field) -> EntryFormat:
    fields = (*_TO_TABLE, page_size, _ignored(8, 11), _address(12, what), _ignored(52, 62), _XD)
    return EntryFormat(name, 8, fields)


def _page(name: str, bit_7: Field, *middle: Field) -> EntryFormat:
    fields = (*_TO_PAGE, bit_7, _G, _ignored(9, 11), *middle, _ignored(52, 58), _KEY, _XD)
    return EntryFormat(name, 8, fields, maps_page=True)


# -- 4-level and 5-level paging (SDM tables 4-14 to 4-20) ------------------------------------------------------------

PML5E: Final = _table("PML5E", "the PML4 table", _reserved("PS", 7, 7))
PML4E: Final = _table("PML4E", "the page-directory-pointer table", _reserved("PS", 7, 7))
PDPTE: Final = _table("PDPTE", "the page directory", _PS_TABLE)
PDPTE_1G: Final = _page(
    "PDPTE", _PS_PAGE, _PAT_LARGE, _reserved("reserved", 13, 29), _address(30, "the 1-GByte page")
)
PDE: Final = _table("PDE", _PAGE_TABLE, _PS_TABLE)
PDE_2M: Final = _page(
    "PDE", _PS_PAGE, _PAT_LARGE, _reserved("reserved", 13, 20), _address(21, "the 2-MByte page")
)
PTE: Final = _page("PTE", _PAT, _address(12, _PAGE_4K))

# -- PAE paging (SDM tables 4-8 to 4-11): as above, but that nothing is free between address and XD ------------------

PDPTE_PAE: Final = EntryFormat(
    "PDPTE",
    8,
    (
        _P,
        _reserved("reserved", 1, 2),
        _PWT,
        _PCD,
        _reserved("reserved", 5, 8),
        _ignored(9, 11),
        _address(12, "the page directory"),
        _ABOVE_51,
        _reserved("reserved", 63, 63),
    ),
)
PDE_PAE: Final = EntryFormat(
    "PDE", 8, (*_TO_TABLE, _PS_TABLE, _ignored(8, 11), _address(12, _PAGE_TABLE), _ABOVE_51, _XD)
)
PDE_2M_PAE: Final = EntryFormat(
    "PDE",
    8,
    (
        *_TO_PAGE,
        _PS_PAGE,
        _G,
        _ignored(9, 11),
        _PAT_LARGE,
        _reserved("reserved", 13, 20),
        _address(21, "the 2-MByte page"),
        _ABOVE_51,
        _XD,
    ),
    maps_page=True,
)
PTE_PAE: Final = EntryFormat(
    "PTE",
    8,
    (*_TO_PAGE, _PAT, _G, _ignored(9, 11), _address(12, _PAGE_4K), _ABOVE_51, _XD),
    maps_page=True,
)

# -- 32-bit paging (SDM tables 4-4 to 4-6) ---------------------------------------------------------------------------

PDE_32: Final = EntryFormat("PDE", 4, (*_TO_TABLE, _PS_TABLE, _ignored(8, 11), _address(12, _PAGE_TABLE, 31)))
PDE_4M: Final = EntryFormat(
    "PDE",
    4,
    (
        *_TO_PAGE,
        _PS_PAGE,
        _G,
        _ignored(9, 11),
        _PAT_LARGE,
        Field("address", 13, 20, "Bits 39:32 of the address of the 4-MByte page (PSE-36)", address_bit=32),
        _reserved("reserved", 21, 21),
        _address(22, "the 4-MByte page", 31),
    ),
    maps_page=True,
)
PTE_32: Final = EntryFormat(
    "PTE", 4, (*_TO_PAGE, _PAT, _G, _ignored(9, 11), _address(12, _PAGE_4K, 31)), maps_page=True
)
