# SPDX-License-Identifier: GPL-2.0-or-later
from itertools import pairwise

import pytest

from emu.bits import LinearAddress
from emu.guest.c_types import Array, Enumeration, Label, Pointer, Scalar, Structure
from emu.guest.dwarf import Row
from emu.guest.image import KernelImage
from emu.guest.symbols import SymbolError, Symbols, SymbolTable

SOURCE = "sample/main.c"


@pytest.fixture
def table(sample: KernelImage) -> SymbolTable:
    return sample.symbols


def test_a_name_has_an_address_and_an_address_its_name(table):
    symbol = table.symbol("frames")
    assert symbol.size == 128
    assert not symbol.is_function
    assert not symbol.file
    assert table.find(symbol.address + 0x11) == (symbol, 0x11)
    assert table.name_address(symbol.address) == "frames"
    assert table.name_address(symbol.address + 0x10) == "frames+0x10"
    assert table.name_address(symbol.end - 1) == "frames+0x7f"


def test_a_label_without_a_size_reaches_to_the_next_symbol(table):
    start = table.address_of("start")
    assert table.name_address(start + 1) == "start+0x1"


def test_an_address_between_symbols_has_no_name(table):
    assert table.name_address(0x10) is None
    assert table.name_address((1 << 64) - 1) is None


def test_an_unknown_symbol_is_refused_with_the_near_names(table):
    with pytest.raises(SymbolError, match=r"no symbol framse in sample.elf: did you mean frames"):
        table.symbol("framse")
    assert table.near("kernel_mian")[0] == "kernel_main"


def test_a_static_name_that_two_files_use_asks_for_the_file(table):
    with pytest.raises(SymbolError, match=r"write data.c:private_count or main.c:private_count"):
        table.symbol("private_count")
    one, other = table.symbol("data.c:private_count"), table.symbol("main.c:private_count")
    assert one.address != other.address


def test_functions_come_in_order_with_their_ends(table):
    functions = table.functions()

    assert {"kernel_main", "twice", "trace_frame_owner", "trace_nothing"} == {f.name for f in functions}
    assert all(a.end <= b.address for a, b in pairwise(functions))


def test_a_line_and_its_address_lead_to_each_other(table):
    for line in table.lines_with_code(SOURCE):
        for address in table.addresses_of(SOURCE, line):
            assert table.line_at(address) == (SOURCE, line)


def test_the_line_of_a_function_is_where_its_source_says(table):
    from pathlib import Path

    source = (Path(__file__).parent / "sample" / "main.c").read_text().splitlines()
    file, line = table.line_at(table.address_of("kernel_main"))
    assert file == SOURCE
    assert "kernel_main" in source[line - 1] or source[line - 1] == "{"


def test_assembly_has_lines_too(table):
    assert table.line_at(table.address_of("boot32")).file == "sample/boot.S"


def test_a_function_is_called_by_its_own_name_and_not_by_a_label_at_the_same_place(table):
    assert table.address_of("another_name_of_main") == table.address_of("kernel_main")
    assert table.name_address(table.address_of("kernel_main") + 1) == "kernel_main+0x1"


def test_static_variables_of_one_name_have_their_own_types(table):
    assert table.type_of("main.c:private_count").size == 4
    assert table.type_of("data.c:private_count").size == 8


def test_a_stretch_of_code_from_one_line_has_one_beginning(table):
    for line in table.lines_with_code(SOURCE):
        for address in table.addresses_of(SOURCE, line):
            assert table.line_at(address - 1) != (SOURCE, line)


def test_code_that_comes_from_line_0_comes_from_no_line(table, monkeypatch):
    address = table.address_of("kernel_main")
    monkeypatch.setattr(table.debug, "row_at", lambda _: Row(address, address + 1, SOURCE, 0, True))
    assert table.line_at(address) is None


def test_data_and_nothing_come_from_no_line(table):
    assert table.line_at(table.address_of("frames")) is None
    assert table.line_at(0) is None


def test_a_file_may_be_named_by_its_last_part(table):
    line = table.lines_with_code("main.c")[0]
    assert table.addresses_of("main.c", line) == table.addresses_of("sample/main.c", line)


def test_a_line_without_code_and_an_unknown_file_are_refused_with_what_is_near(table):
    with pytest.raises(SymbolError, match=r"no code comes from sample/main.c:1; near it: \d+"):
        table.addresses_of("main.c", 1)
    with pytest.raises(SymbolError, match=r"no source file mian.c in sample.elf: did you mean .*main.c"):
        table.addresses_of("mian.c", 1)


def test_globals_have_their_c_types(table):
    frames = table.type_of("frames")
    assert isinstance(frames, Array)
    assert (frames.count, frames.size, frames.name) == (8, 128, "struct frame[8]")
    matrix = table.type_of("matrix")
    assert isinstance(matrix, Array)
    assert matrix.name == "int[2][3]"
    assert isinstance(matrix.element, Array)
    assert matrix.element.size == 12
    assert table.type_of("current").name == "struct process *"
    assert table.type_of("anything").name == "void *"
    assert table.type_of("message").kind == "string"
    assert table.type_of("truth").kind == "bool"
    assert table.type_of("kernel_main").kind == "function"
    assert isinstance(table.type_of("boot32"), Label)
    last_call = table.type_of("last_call")
    assert isinstance(last_call, Enumeration)
    assert last_call.values[40] == "SYS_ukshm_register"


def test_a_structure_has_members_with_offsets_and_unnamed_ones_lend_theirs(table):
    process = table.structure("process")
    assert isinstance(process, Structure)
    layout = {name: process.member(name).offset for name in process.member_names()}
    assert layout == {
        "pid": 0, "name": 4, "root": 24, "parent": 32, "range": 40, "any": 48, "left": 56, "right": 56,
        "dirty": 0, "age": 0, "entry": 64,
    }  # fmt: skip
    assert process.member("age").bits == 7
    assert process.member("none") is None
    parent = process.member("parent").type
    assert isinstance(parent, Pointer)
    assert parent.target == process


def test_an_unknown_structure_and_enum_are_told_apart_from_empty_ones(table):
    with pytest.raises(SymbolError, match="no struct fream"):
        table.structure("fream")
    assert table.enumeration("nothing") == {}


def test_the_numbers_of_system_calls_have_their_names(table):
    assert table.enumeration("syscall_number") == {0: "SYS_exit", 1: "SYS_write", 40: "SYS_ukshm_register"}


def test_tracepoints_tell_what_their_registers_hold(table):
    owner, nothing = sorted(table.tracepoints(), key=lambda t: t.name)
    assert owner.name == "frame_owner"
    assert owner.address == table.address_of("trace_frame_owner")
    assert [(p.name, p.type.kind, p.type.size) for p in owner.parameters] == [
        ("frame", "unsigned", 8),
        ("owner", "enum", 4),
        ("why", "string", 8),
        ("pid", "int", 4),
        ("process", "pointer", 8),
        ("small", "unsigned", 1),
    ]
    assert (nothing.name, nothing.parameters) == ("nothing", ())


def test_the_arguments_of_a_tracepoint_are_read_by_their_types(table):
    owner = next(t for t in table.tracepoints() if t.name == "frame_owner")
    registers = (5, 0xDEAD_0000_0007, 0x1000, 0xFFFF_FFFE, 0xFFFF_8000_0000_0000, 0x1FF)
    assert owner.arguments(registers, lambda address: f"text at {address:#x}") == {
        "frame": 5,
        "owner": "OWNER_SHARED",
        "why": "text at 0x1000",
        "pid": -2,
        "process": 0xFFFF_8000_0000_0000,
        "small": 0xFF,
    }
    odd = owner.arguments((0, 3, 0, 0, 0, 0), lambda address: pytest.fail("a null pointer was read"))
    assert (odd["owner"], odd["why"]) == (3, "(null)")


def test_a_name_is_looked_up_without_parsing_every_unit(table):
    table.enumeration("syscall_number")
    parsed = [unit for unit in table.debug.units if unit.named is not None]
    assert len(parsed) == 1


def test_user_addresses_are_named_for_the_program_that_runs_there(sample):
    user = SymbolTable(sample.elf, "other")
    symbols = Symbols(sample.symbols, {"other": user})
    assert not symbols.is_kernel_address(1 << 62)
    low, high = sample.symbols.address_of("boot32"), sample.symbols.address_of("kernel_main")
    assert symbols.name_address(low, "other") == "boot32"
    assert symbols.table_at(low, "other") is user
    assert symbols.table_at(low, None) is sample.symbols
    assert symbols.table_at(high, "other") is sample.symbols
    assert symbols.name_address(low, "unknown") == "0x0000_0000_0010_0000"
    assert symbols.line_at(high, "unknown").file == SOURCE
    assert symbols.line_at(low, "unknown") is None
    assert symbols.name_address(LinearAddress(1 << 63)) == "0x8000_0000_0000_0000"


def test_a_name_is_looked_up_in_the_program_and_then_in_the_kernel(sample, make_elf):
    from emu.guest.elf import Elf

    empty = SymbolTable(Elf(make_elf(), "program p"), "p")
    symbols = Symbols(sample.symbols, {"p": empty})
    assert symbols.address_of("window", "p") == sample.symbols.address_of("window")
    with pytest.raises(SymbolError, match=r"no symbol windwo in p or sample.elf: did you mean window\?"):
        symbols.address_of("windwo", "p")
    with pytest.raises(SymbolError, match="in the guest"):
        Symbols(None).address_of("x")


def test_numbers_decode_by_size_and_sign():
    assert Scalar("int", 4, "int").decode(b"\xff\xff\xff\xff") == -1
    assert Scalar("unsigned int", 4, "unsigned").decode(b"\xff\xff\xff\xff") == 0xFFFF_FFFF
    assert Enumeration("enum e", 4, True, {-1: "NONE"}).decode(b"\xff\xff\xff\xff") == "NONE"
