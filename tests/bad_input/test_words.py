# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong on the command line is said in one line, with the mend, and exit 2."""

import pytest

from tests.bad_input.command import Command

Case = tuple[str, list[str], list[str]]

CASES: list[Case] = [
    ("a command that does not exist", ["runn"], ["no command", "did you mean run?"]),
    ("an option that does not exist", ["run", "overrun", "--jsn"], ["--jsn", "--help"]),
    ("a word too many", ["geometries", "haswell", "skylake"], ["'skylake' is one word too many"]),
    ("no program at all", ["run"], ["no program given", "overrun"]),
    ("a program that does not exist", ["run", "overrum"], ["no program overrum", "did you mean overrun"]),
    ("a program's path that does not exist", ["run", "./overrun.elf"], ["no such file", "check the path"]),
    ("a folder instead of a program", ["run", "./."], ["not a regular file"]),
    ("a text instead of a program", ["run", "./a-text"], ["not an ELF file"]),
    ("a C file that does not exist", ["run", "./nothing.c"], ["nothing.c", "no such file"]),
    ("a C file that does not compile", ["run", "./broken.c"], ["broken.c", "error"]),
    ("an argument with a blank", ["run", "hello", "two words"], ["'arg=two words'", "no blanks"]),
    ("an argument with a newline", ["run", "hello", "a\nb"], ["no blanks and no control characters"]),
    ("an argument with an escape", ["run", "hello", "\x1b[31m"], ["no control characters"]),
    (
        "a switch that does not exist",
        ["run", "overrun", "--set", "ukshm.gard=off"],
        ["did you mean ukshm.guard"],
    ),
    ("a switch's value that does not exist", ["run", "overrun", "--set", "ukshm.guard=maybe"], ["on, off"]),
    ("a switch without a value", ["run", "overrun", "--set", "ukshm.guard"], ["SWITCH=VALUE"]),
    ("a geometry that does not exist", ["run", "overrun", "--tlb", "haswel"], ["no TLB geometry", "haswell"]),
    ("a geometry that is no TOML", ["run", "overrun", "--tlb", "bad.toml"], ["bad.toml", "no TOML"]),
    (
        "a geometry with impossible ways",
        ["run", "overrun", "--tlb", "ways.toml"],
        ["ways.toml: array 1: ways 3"],
    ),
    ("a geometry to show that does not exist", ["geometries", "haswel"], ["no TLB geometry", "try haswell"]),
    ("a geometry's file that does not exist", ["geometries", "no.toml"], ["no.toml", "No such file"]),
    (
        "a geometry's file that cannot be",
        ["geometries", "ways.toml"],
        ["ways.toml: array 1: ways 3", "divides 64"],
    ),
    ("all geometries as one file", ["geometries", "--toml"], ["--toml", "name it"]),
    ("a geometry in two forms", ["geometries", "haswell", "--toml", "--json"], ["--toml", "one geometry"]),
    (
        "a disk that does not exist",
        ["run", "hello", "--disk", "no.img"],
        ["disk no.img", "no such file", "blank:8M"],
    ),
    (
        "a folder instead of a disk",
        ["walk", "hello", "main", "--disk", "."],
        ["disk .", "not a regular file"],
    ),
    ("a disk of half a sector", ["run", "hello", "--disk", "a-text"], ["disk a-text", "multiple of 512"]),
    ("an empty name of a disk", ["check", "hello", "--disk", ""], ["disk", "empty name"]),
    ("a blank disk without a size", ["run", "hello", "--disk", "blank:"], ["blank:", "no size", "K or M"]),
    ("a blank disk that is too big", ["run", "hello", "--disk", "blank:1000M"], ["blank:1000M", "256 MiB"]),
    ("a capture that does not exist", ["run", "hello", "--net-in", "no.pcap"], ["no.pcap", "no such file"]),
    (
        "a text instead of a capture",
        ["run", "hello", "--net-in", "eth1=a-text"],
        ["a-text", "pcap or pcapng"],
    ),
    ("an empty capture", ["walk", "hello", "main", "--net-in", "empty"], ["empty", "it is empty"]),
    ("no name of a capture", ["run", "hello", "--net-in", "eth0="], ["no file named", "[eth0=]FILE"]),
    (
        "two captures for a card",
        ["run", "hello", "--net-in", "a.pcap", "--net-in", "eth0=b.pcap"],
        ["eth0 has a.pcap already"],
    ),
    ("a pace that does not exist", ["run", "firewall", "--net-pace", "fast"], ["'fast'", "pcap, closed"]),
    ("a peer of no kind", ["run", "hello", "--peer", "nfs=."], ["'nfs=.'", "tftp=DIR"]),
    ("a peer's folder that does not exist", ["run", "hello", "--peer", "tftp=no"], ["no"]),
    (
        "a capture to write over a text",
        ["run", "./a-text", "--net-out", "a-text"],
        ["uses this file already"],
    ),
    (
        "one capture to write for two cards",
        ["run", "udpecho", "--net-out", "o.pcap", "--net-out", "eth1=./o.pcap"],
        ["eth1=o.pcap", "uses this file already"],
    ),
    (
        "a capture to write in a folder that is not there",
        ["run", "udpecho", "--net-out", "no/o.pcap"],
        ["no/o.pcap", "a folder that exists"],
    ),
    ("a folder instead of a capture to write", ["run", "udpecho", "--net-out", "."], ["eth0=.", "name one"]),
    ("a file for the guest that does not exist", ["run", "hello", "--file", "no"], ["no such file"]),
    ("a folder as a file for the guest", ["run", "hello", "--file", "."], ["not a regular file"]),
    (
        "two files of one name for the guest",
        ["run", "hello", "--file", "a-text", "--file", "./a-text"],
        ["called a-text too"],
    ),
    (
        "a file for the guest that is called like a program",
        ["run", "hello", "--file", "init"],
        ["init", "a file of that name already"],
    ),
    ("memory that is no number", ["run", "overrun", "--memory", "much"], ["--memory", "much"]),
    ("too little memory", ["run", "overrun", "--memory", "1"], ["memory of 1 MiB", "give 8 to"]),
    ("negative memory", ["run", "overrun", "--memory=-5"], ["memory of -5 MiB"]),
    ("too much memory", ["run", "overrun", "--memory", "1000000"], ["memory of 1000000 MiB"]),
    ("a budget of nothing", ["run", "overrun", "--instructions", "0"], ["--instructions 0", "from 1"]),
    ("a negative budget", ["run", "overrun", "--instructions", "-7"], ["--instructions -7"]),
    ("a budget that is no number", ["run", "overrun", "--instructions", "lots"], ["--instructions", "lots"]),
    ("a seed that is no number", ["run", "overrun", "--seed", "x"], ["--seed"]),
    ("a negative seed", ["run", "overrun", "--seed=-1"], ["--seed -1", "from 0"]),
    ("kinds without a trace", ["run", "overrun", "--kinds", "fault"], ["--trace FILE"]),
    (
        "a kind that does not exist",
        ["run", "overrun", "--trace", "t", "--kinds", "fult"],
        ["did you mean fault"],
    ),
    (
        "a trace in a folder that is not there",
        ["run", "overrun", "--trace", "no/t"],
        ["no/t", "cannot be written"],
    ),
    ("a folder instead of a trace to write", ["run", "overrun", "--trace", "."], ["cannot be written"]),
    ("a kernel that does not exist", ["run", "--kernel", "no.elf"], ["kernel image no.elf", "no such file"]),
    ("a text instead of a kernel", ["run", "--kernel", "a-text"], ["kernel image a-text", "not an ELF file"]),
    ("no address to walk", ["walk", "overrun"], ["no address given"]),
    ("an address that is no number", ["walk", "overrun", "0x12zz"], ["0x12zz", "number, symbol"]),
    ("a negative address", ["walk", "overrun", "-5"], ["-5 is no address"]),
    ("an address beyond 64 bits", ["walk", "overrun", "0x" + "f" * 17], ["does not fit in 64 bits"]),
    ("an empty address", ["walk", "overrun", ""], ["number, symbol"]),
    ("a symbol that does not exist", ["walk", "overrun", "*windo"], ["windo", "did you mean window"]),
    ("a place that does not exist", ["walk", "overrun", "window", "--at", "fill_windw"], ["fill_window"]),
    ("a line without code", ["walk", "overrun", "window", "--at", "overrun.c:9999"], ["no code", "near it"]),
    ("a place that is never reached", ["walk", "hello", "main", "--at", "panic"], ["panic was not reached"]),
    (
        "a process that does not live",
        ["walk", "overrun", "main", "--process", "two"],
        ["no such process", "init(1)"],
    ),
    ("a trace that does not exist", ["trace", "show", "no.jsonl"], ["no.jsonl", "cannot be read"]),
    ("a folder instead of a trace", ["trace", "show", "."], ["cannot be read"]),
    ("an empty file instead of a trace", ["trace", "show", "empty"], ["line 1", "no trace"]),
    ("a text instead of a trace", ["trace", "stats", "a-text"], ["line 1", "no trace"]),
    ("a trace to compare that does not exist", ["trace", "diff", "no", "no"], ["cannot be read"]),
    ("one trace instead of two", ["trace", "diff", "a-text"], ["requires an argument"]),
    ("a trace command that does not exist", ["trace", "shaw"], ["shaw", "show"]),
    ("a form that does not exist", ["trace", "export", "a-text", "--to", "xml"], ["xml", "csv"]),
    ("a lesson that does not exist", ["learn", "overrum"], ["lesson"]),
    ("a lesson's folder that does not exist", ["learn", "./no-lesson"], ["no such folder"]),
    ("a folder without a lesson", ["learn", "./"], ["lesson.toml", "missing"]),
    ("sources that do not exist", ["guest", "build", "no"], ["name one of those"]),
    ("a folder without guest sources", ["guest", "build", "."], ["programs.toml", "source folder"]),
    ("a C file to build that does not exist", ["guest", "build", "no.c"], ["no.c: no such file"]),
    ("a stretch longer than a tick", ["bench", "--stretch", "1000000"], ["--stretch", "timer ticks"]),
]


@pytest.mark.parametrize(("arguments", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_it_is_one_line(pagewalk: Command, arguments: list[str], words: list[str]) -> None:
    (pagewalk.folder / "a-text").write_text("hello\n")
    (pagewalk.folder / "empty").write_text("")
    (pagewalk.folder / "init").write_text("")
    (pagewalk.folder / "broken.c").write_text("int main(void) { return nothing; }\n")
    (pagewalk.folder / "bad.toml").write_text("array = [\n")
    array = 'level = 1\nserves = "data"\npage_sizes = ["4K"]\nentries = 64\nways = 3\n'
    (pagewalk.folder / "ways.toml").write_text(f"[[array]]\n{array}")
    before = sorted(pagewalk.folder.iterdir())
    pagewalk(*arguments).is_one_line(*words)
    assert sorted(pagewalk.folder.iterdir()) == before, "something was left behind"
