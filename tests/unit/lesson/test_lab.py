# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.events import Event, Faulted
from emu.lesson import At, Call, Instruction, Kind, Lab, LabError, Return, happened

PAGE = 4096


def booted(**options: object) -> Lab:
    lab = Lab()
    lab.boot("overrun", **options)  # type: ignore[arg-type]
    return lab


@pytest.fixture
def lab() -> Lab:
    """At the first instruction of fill_window."""
    lab = booted()
    lab.run_until(At("fill_window"))
    return lab


def last_fault(lab: Lab) -> Faulted:
    """The last fault; its delivery may have left accesses behind it."""
    return next(event for event in reversed(lab.events) if isinstance(event, Faulted))


def test_a_place_in_the_program_is_met_only_in_its_process(lab: Lab) -> None:
    process = lab.inspector.process()
    assert process is not None
    assert (process.name, lab.inspector.name(lab.inspector.rip())) == ("overrun", "fill_window")


def test_a_return_is_met_after_the_function_in_the_same_process() -> None:
    lab = booted()
    lab.run_until(Return("ukshm_map"))
    assert lab.inspector.name(lab.inspector.rip()).startswith("register_buffer+")
    assert lab.registers["rax"] == lab.value("window") or lab.registers["rax"] >> 44


def test_a_line_of_a_source_file_is_a_place() -> None:
    lab = booted()
    lab.run_until(At("overrun.c:52"))
    source = lab.inspector.source(lab.inspector.rip())
    assert source is not None
    assert (source.file, source.line) == ("guest/user/overrun.c", 52)


def test_an_instruction_number_is_a_place() -> None:
    lab = booted()
    lab.run_until(Instruction(1234))
    assert lab.machine.journal.insn == 1234


def test_a_scenario_chooses_a_cpu_and_the_student_another() -> None:
    lab = booted(cpu="full,-smap")
    assert not lab.machine.cpu.model.has("smap")
    own = Lab(cpu="haswell")
    own.boot("overrun", cpu="full,-smap")
    assert own.machine.cpu.model.name == "haswell"
    assert own.fork().machine.cpu.model.name == "haswell"


def test_what_never_comes_is_one_line_with_the_reason() -> None:
    lab = booted()
    with pytest.raises(LabError, match="did not come: the guest ended in order"):
        lab.run_until(happened(Kind.FAULT, vector=3))
    with pytest.raises(LabError, match="no process 'nobody' lives now; there are"):
        lab.walk(0, "nobody")


@pytest.mark.parametrize(
    "kind", [Kind.ENTRY_READ, Kind.ENTRY_WRITE, Kind.TLB_FILL, Kind.ACCESS, Kind.FAULT, Kind.MARK]
)
def test_a_run_that_was_stopped_by_an_event_goes_on_as_if_it_had_not_been(lab: Lab, kind: Kind) -> None:
    lab.run_until(kind)
    lab.step(500)
    assert lab.compare(lab.fork()).same


def test_a_fork_is_the_same_and_goes_its_own_way(lab: Lab) -> None:
    other = lab.fork()
    assert lab.compare(other).same
    assert str(lab.compare(other)) == "no difference: the same events, and the same state"
    mine = lab.value("mine")
    other.poke(mine, b"!")
    difference = lab.compare(other)
    assert not difference.same
    assert difference.difference is not None
    assert difference.frames == (lab.walk(mine).frame,)
    assert "the first trace ends" in str(difference)
    assert lab.memory(mine, 1) == b"m"


def test_a_fork_has_the_inputs_of_its_past(lab: Lab) -> None:
    lab.poke(lab.value("mine") + 5, b"xyz")
    lab.type("q")
    lab.step(100)
    assert lab.compare(lab.fork()).same


def test_two_runs_part_where_a_bit_was_flipped(lab: Lab) -> None:
    other = lab.fork()
    window = lab.value("window")
    other.flip(other.walk(window).rows[-1], "RW")
    lab.step(200)
    other.run_until(Kind.FAULT)
    fault = last_fault(other)
    assert (fault.reason, fault.cr2, fault.error_bits) == (
        "WRITE_TO_READ_ONLY_PAGE",
        window,
        "write + user + protection violation",
    )
    assert "R/W = 0" in other.explain(fault)
    difference = lab.compare(other).difference
    assert difference is not None
    assert {event.kind for event in difference.b} & {Kind.INPUT, Kind.FAULT}


def test_a_flipped_bit_is_not_seen_before_the_entry_is_invalidated(lab: Lab) -> None:
    window = lab.value("window")
    lab.run_until(happened(Kind.ACCESS, linear=window, type="write"))
    lab.flip(lab.walk(window).rows[-1], "P")
    seen = len(lab.events)
    lab.step(300)
    assert not lab.events[seen:] or all(event.kind is not Kind.FAULT for event in lab.events[seen:])
    assert [event.stale for event in lab.events[seen:] if event.kind is Kind.ACCESS and event.type == "write"]  # type: ignore[attr-defined]
    lab.invalidate(window)
    lab.run_until(happened(Kind.FAULT, vector=14, reason="NOT_PRESENT"))
    cr2 = last_fault(lab).cr2
    assert cr2 is not None
    assert window <= cr2 < window + PAGE


def test_a_bit_that_no_entry_has_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match="no bit 'Q' in an entry"):
        lab.flip(0x1000, "Q")
    with pytest.raises(LabError, match="no bit 64"):
        lab.flip(0x1000, 64)


def test_going_back_drops_what_came_after(lab: Lab) -> None:
    before, events = lab.machine.journal.insn, len(lab.events)
    lab.run_until(happened(Kind.FAULT, vector=14))
    lab.back_until(lambda event: event.kind is Kind.ACCESS)
    lab.step_back(lab.machine.journal.insn - before)
    assert (lab.machine.journal.insn, len(lab.events)) == (before, events)
    lab.run_until(happened(Kind.FAULT, vector=14))
    assert lab.compare(lab.fork()).same


def test_events_can_be_picked_by_kind_field_time_and_page(lab: Lab) -> None:
    seq, window = lab.machine.journal.seq, lab.value("window")
    lab.run_until(happened(Kind.FAULT, vector=14))
    late = lab.events.since(seq)
    assert all(event.seq >= seq for event in late)
    assert [event.kind for event in late.touching(window).of(Kind.ACCESS)] == [Kind.ACCESS]
    assert len(late.of(Kind.FAULT, vector=14)) == 1
    assert not late.of(Kind.FAULT, vector=13)
    assert len(late.of()) == len(late)
    assert str(late.of(Kind.FAULT)).startswith("  fault        vector 14")


def test_everything_that_can_be_looked_at_has_text_and_html(lab: Lab) -> None:
    window = lab.value("window")
    views = [
        lab.walk(window),
        lab.tlb,
        lab.frames,
        lab.spaces,
        lab.space(),
        lab.registers,
        lab.memory(window, 32),
        lab.dump(window, 32),
        lab.console,
        lab.counters,
        lab.events,
        lab.told(lab.events[-3:], "The last three:"),
    ]
    for view in views:
        assert str(view)
        assert view._repr_html_().startswith("<pre>")  # type: ignore[reportPrivateUsage]
        assert view.lines()
    assert "<b>" not in lab.console._repr_html_()  # type: ignore[reportPrivateUsage]


def test_frames_are_told_by_owner(lab: Lab) -> None:
    shared = lab.frames.owned_by("shared", 2)
    assert [frame.number for frame in shared] == [lab.walk(lab.value("window")).frame]
    assert "shared of process 2, never swapped" in str(shared)
    assert "frames  table" in str(lab.frames)


def test_the_same_counters_stand_under_any_way_of_getting_there(lab: Lab) -> None:
    insn = lab.machine.journal.insn
    stepped = booted()
    stepped.run_until(Instruction(insn - 3))
    for _ in range(3):
        stepped.step()
    assert stepped.counters == lab.counters
    assert stepped.registers == lab.registers


def test_a_structure_is_laid_over_its_bytes(lab: Lab) -> None:
    before = lab.evaluate("procs[2]").raw
    view = lab.structure("procs[2]", before[:4] + bytes([before[4] ^ 1]) + before[5:])
    assert view.damaged == ("name",)
    assert view.lost == 1
    with pytest.raises(LabError, match="window is no structure"):
        lab.structure("window", b"")


def test_a_callable_is_a_condition() -> None:
    lab = booted()

    def mapped(event: Event) -> bool:
        return event.kind is Kind.MARK and getattr(event, "name", "") == "ukshm_map"

    lab.run_until(mapped)
    assert lab.events.of(Kind.MARK)[-1].arguments["pid"] == 2  # type: ignore[attr-defined]


def test_a_call_is_a_condition() -> None:
    lab = booted()
    lab.run_until(Call("ukshm_map"), then="return")
    assert lab.inspector.name(lab.inspector.rip()).startswith("register_buffer+")
