# SPDX-License-Identifier: GPL-2.0-or-later
"""The captures that `--net-out` writes, and what a run says of its packets."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emu.cli.errors import UsageError
from emu.cli.output import note

if TYPE_CHECKING:
    from emu.lesson.boot import Booted
    from emu.lesson.packet_costs import PacketCosts
    from emu.net.capture_file import CaptureFile


def input_captures(texts: Sequence[str]) -> list[Path]:
    """The files that `--net-in` names. NetError for what names none."""
    from emu.net.setup import by_card

    return list(by_card(texts, "capture").values()) if texts else []


def outputs(texts: Sequence[str], inputs: Iterable[Path | str | None]) -> dict[str, Path]:
    """Card -> file of `--net-out`. Bad input if one is named twice, or is one of the run's other files."""
    if not texts:
        return {}
    from emu.net.setup import by_card

    files = by_card(texts, "capture to write")
    taken = [Path(path) for path in inputs if path]
    for card, path in files.items():
        if any(_is_same(path, other) for other in taken):
            raise UsageError(
                f"--net-out {card}={path}: the run uses this file already; choose another to write"
            )
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(
                f"--net-out {card}={path}: no file can be there; name one in a folder that exists"
            )
        taken.append(path)
    return files


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, ValueError):
        return False


@contextmanager
def captured(booted: "Booted", files: dict[str, Path]) -> "Generator[list[CaptureFile]]":
    """Write what the cards send, for as long as this lasts. Bad input if a file cannot be created."""
    if not files:
        yield []
        return
    from emu.net.capture_file import CaptureFile

    with ExitStack() as stack:
        written: list[CaptureFile] = []
        for card, path in files.items():
            capture = CaptureFile(card, path)
            stack.callback(capture.close)
            written.append(capture)
        booted.machine.sent_listeners.extend(written)
        yield written


def packet_costs(booted: "Booted") -> "PacketCosts | None":
    """Who counts what packets cost, if there are cards."""
    if not booted.machine.network.cards:
        return None
    from emu.lesson.packet_costs import PacketCosts

    return PacketCosts(booted.machine, booted.kernel.symbols)


def summary(costs: "PacketCosts | None", written: "Sequence[CaptureFile]") -> None:
    """What became of the packets, if there were any, and a line for each capture, on stderr."""
    if costs is not None and costs.fates:
        fates = ", ".join(f"{count:,} {fate}" for fate, count in sorted(costs.fates.items()))
        made = f"{costs.made:,} {'was' if costs.made == 1 else 'were'} made here"
        note(f"packets: {costs.came_in:,} came in, {made}; {fates}")
    for capture in written:
        note(f"capture: {capture.path}, {capture.frames:,} frames that {capture.card} sent")
