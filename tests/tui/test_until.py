# SPDX-License-Identifier: GPL-2.0-or-later
"""Run until, forwards and back: events by a letter, places and addresses by name; and play with its speed."""

from collections.abc import Callable

import pytest

from emu.events import Accessed, Event, Faulted, Invalidated, Marked, SyscallEntered
from emu.tui import search
from emu.tui.screens.until import UntilScreen
from tests.tui.conftest import Sit, Sitting, held

IS: dict[str, Callable[[Event], bool]] = {
    "m": lambda e: isinstance(e, Accessed) and e.tlb == "miss",
    "f": lambda e: isinstance(e, Faulted),
    "i": lambda e: isinstance(e, Invalidated),
    "s": lambda e: isinstance(e, SyscallEntered),
    "k": lambda e: isinstance(e, Marked),
}


def step_of(sitting: Sitting) -> list[Event]:
    """The events of the instruction at the cursor."""
    assert sitting.screen.past is not None
    return list(sitting.screen.past.step_events)


async def type_goal(sitting: Sitting, direction: str, key: str, text: str) -> None:
    await sitting.pilot.press(direction, key, *text)
    await sitting.press("enter")


@pytest.mark.parametrize("key", IS)
async def test_an_event_is_found_back_and_then_forwards_again(key: str, sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c", "]")
        now = sitting.at
        await sitting.press("U", key)
        last = sitting.at
        assert last < now
        assert any(map(IS[key], step_of(sitting)))
        await sitting.press("U", key)
        assert sitting.at < last
        assert any(map(IS[key], step_of(sitting)))
        await sitting.press("u", key)
        assert sitting.at == last


async def test_what_is_not_there_leaves_the_cursor_and_says_so(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("S", "S")
        here = sitting.at
        await sitting.press("u", "u")
        assert sitting.at == here
        assert "no upcall between here and now" in sitting.title


async def test_tab_turns_the_direction(sit: Sit) -> None:
    async with sit() as sitting:
        start = sitting.at
        await sitting.pilot.press("u", "tab")
        assert isinstance(sitting.app.screen, UntilScreen)
        assert sitting.app.screen.back
        await sitting.press("m")
        assert sitting.at < start


async def test_nothing_lies_ahead_of_now(sit: Sit) -> None:
    async with sit() as sitting:
        now = sitting.at
        await sitting.press("u", "m")
        assert sitting.at == now
        assert "this is now" in sitting.title
        await sitting.pilot.press("u", "escape")
        assert sitting.app.screen is sitting.screen


async def test_a_place_is_found_back_and_forwards(sit: Sit) -> None:
    async with sit() as sitting:
        await type_goal(sitting, "U", "p", "ukshm_map")
        called = sitting.at
        assert sitting.screen.snapshot is not None
        assert sitting.screen.snapshot.code.place.startswith("ukshm_map")
        await type_goal(sitting, "U", "p", "main")
        assert sitting.at < called
        assert sitting.screen.snapshot.code.place == "main"
        assert sitting.screen.snapshot.process == "overrun(2)", "another program's main is not meant"
        await type_goal(sitting, "u", "p", "ukshm_map")
        assert sitting.at == called


async def test_a_source_line_is_a_place(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c", "]", "home")
        await type_goal(sitting, "u", "p", "overrun.c:27")
        snapshot = sitting.screen.snapshot
        assert snapshot is not None
        assert (snapshot.code.file, snapshot.code.number) == ("guest/user/overrun.c", 27)


async def test_an_address_is_found_when_it_was_touched(sit: Sit) -> None:
    async with sit() as sitting:
        await sitting.press("]", "c", "home")
        await type_goal(sitting, "u", "a", "*window+8")
        touched = [e for e in step_of(sitting) if isinstance(e, Accessed) and e.type == "write"]
        assert sitting.screen.past is not None
        assert [e.linear for e in touched] == [sitting.screen.past.booted.inspector.address("*window+8")]
        assert touched[0].tlb == "l1_hit", "plain hits, which no list holds, are found too"
        at = sitting.at
        await sitting.press("end")
        await type_goal(sitting, "U", "a", "*window+8")
        assert sitting.at == at


@pytest.mark.parametrize("text", ["nowhere_at_all", "overrun.c:99999", "0xzz"])
@pytest.mark.parametrize("key", ["p", "a"])
async def test_a_name_that_is_none_is_one_line(key: str, text: str, sit: Sit) -> None:
    async with sit() as sitting:
        here = sitting.at
        await type_goal(sitting, "U", key, text)
        assert sitting.at == here
        assert sitting.screen.busy is False
        assert sitting.title.strip()


async def test_a_search_ends_with_escape_where_it_began(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = held(monkeypatch, search, "previous_match")
    async with sit() as sitting:
        here = sitting.at
        await sitting.pilot.press("U", "a", *"0x1234567", "enter")
        await sitting.pilot.pause()
        assert sitting.screen.busy
        await sitting.pilot.press("s", "escape")
        pressed.set()
        await sitting.app.settled()
        await sitting.pilot.pause()
        assert sitting.at == here
        assert "stopped looking" in sitting.title


class Ticks:
    """Stands in for the clock behind `play`."""

    def __init__(self, sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.tick: Callable[[], None] | None = None
        monkeypatch.setattr(sitting.screen, "set_interval", self._start)

    def _start(self, seconds: float, tick: Callable[[], None]) -> "Ticks":
        self.seconds, self.tick = seconds, tick
        return self

    def stop(self) -> None:
        self.tick = None


async def test_play_runs_to_now_and_the_dial_sets_its_speed(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sit() as sitting:
        now = sitting.at
        timeline = sitting.screen.query_one("#timeline")
        ticks = Ticks(sitting, monkeypatch)
        await sitting.press("E", "E", "plus", "plus", "space")
        assert "▶ 16 events a second" in str(timeline.border_title)
        await sitting.press("minus")
        assert "▶ 8 events a second" in str(timeline.border_title)
        assert ticks.seconds == 1 / 8
        stops: list[tuple[int, int]] = []
        while ticks.tick is not None:
            stops.append(sitting.at)
            ticks.tick()
        assert len(stops) == 3 and stops == sorted(stops)
        assert sitting.at == now
        assert "▶" not in str(timeline.border_title)


async def test_space_stops_what_it_started(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sit() as sitting:
        ticks = Ticks(sitting, monkeypatch)
        await sitting.press("space")
        assert "go back first" in sitting.title
        await sitting.press("E", "minus", "minus", "minus", "space")
        assert ticks.seconds == 1
        await sitting.press("space")
        assert ticks.tick is None
