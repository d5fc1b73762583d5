# SPDX-License-Identifier: GPL-2.0-or-later
"""The checkpoints that a machine can return to, and what each frame of memory held at each of them."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from emu.bits import PAGE_BYTES

INTERVAL: Final = 8_000
"""Instructions between two checkpoints, until there are too many."""
MOST_CHECKPOINTS: Final = 1024
NEAR: Final = 1_000
"""Instructions whose replay nobody notices."""

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[State]):
    """A machine after `insn` instructions. `frames`: those written since the checkpoint before, as they are now."""

    insn: int
    state: State
    frames: dict[int, bytes]


class History(Generic[State]):
    """Checkpoints in order. `origin` is the index of the one that the machine's present state grew from."""

    def __init__(self, base: dict[int, bytes]) -> None:
        """`base`: the frames that were loaded at reset; all others were zero."""
        self.checkpoints: list[Checkpoint[State]] = []
        self.origin = 0
        self._base = base
        self._interval = INTERVAL

    def next_insn(self) -> int:
        """When the next checkpoint is due: the one after the origin if the machine has been there, else a new one."""
        after = self.origin + 1
        if after < len(self.checkpoints):
            return self.checkpoints[after].insn
        return self.checkpoints[self.origin].insn + self._interval

    def come_past(self) -> bool:
        """The next checkpoint is reached: True if it is known from before, so that nothing need be kept."""
        if self.origin + 1 >= len(self.checkpoints):
            return False
        self.origin += 1
        return True

    def keep(self, checkpoint: Checkpoint[State]) -> None:
        """Add the newest checkpoint. When there are too many, every second one goes and new ones come half as often."""
        self.checkpoints.append(checkpoint)
        self.origin = len(self.checkpoints) - 1
        if len(self.checkpoints) > MOST_CHECKPOINTS:
            self._thin()

    def has_room(self, insn: int) -> bool:
        """Whether a checkpoint at `insn` would spare a long replay: far from the origin, and not too many of them."""
        here = self.checkpoints[self.origin].insn
        return here + NEAR < insn < self.next_insn() and len(self.checkpoints) < MOST_CHECKPOINTS

    def keep_between(self, checkpoint: Checkpoint[State]) -> None:
        """Add one behind the origin, before what is kept beyond it. Frames that are kept twice do no harm."""
        self.origin += 1
        self.checkpoints.insert(self.origin, checkpoint)

    def _thin(self) -> None:
        kept = self.checkpoints[:1]
        frames: dict[int, bytes] = {}
        for index, checkpoint in enumerate(self.checkpoints[1:], 1):
            frames |= checkpoint.frames
            if index % 2 == 0 or index == self.origin:
                kept.append(replace(checkpoint, frames=frames))
                frames = {}
        self.checkpoints = kept
        self.origin = len(kept) - 1
        self._interval *= 2

    def forget_future(self) -> None:
        """The machine takes another course from here: what was kept beyond the origin will not happen."""
        del self.checkpoints[self.origin + 1 :]

    def nearest(self, insn: int) -> int:
        """The index of the last checkpoint at or before `insn`."""
        return bisect_right(self.checkpoints, insn, key=lambda checkpoint: checkpoint.insn) - 1

    def frames_to_restore(self, index: int, written: set[int]) -> dict[int, bytes]:
        """What to put where to be at checkpoint `index`, when `written` are the frames written since the origin."""
        first, last = sorted((index, self.origin))
        changed = set(written)
        for checkpoint in self.checkpoints[first + 1 : last + 1]:
            changed.update(checkpoint.frames)
        return {frame: self._content(frame, index) for frame in sorted(changed)}

    def _content(self, frame: int, index: int) -> bytes:
        for checkpoint in reversed(self.checkpoints[: index + 1]):
            if frame in checkpoint.frames:
                return checkpoint.frames[frame]
        return self._base.get(frame) or bytes(PAGE_BYTES)
