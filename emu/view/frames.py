# SPDX-License-Identifier: GPL-2.0-or-later
"""The map of physical memory: one letter a frame, by owner. Stretches where nothing changes hands are folded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emu.view.inspector import SWAP_EXEMPT, FrameTable
from emu.view.spans import Line, Span, clip, harmless, line

LETTERS: Final = {
    "free": ".",
    "reserved": "-",
    "kernel": "K",
    "table": "T",
    "slab": "S",
    "user": "u",
    "shared": "X",
    "module": "m",
    "file": "f",
}
NAMES: Final = {
    "K": "kernel",
    "T": "table",
    "S": "slab",
    "X": "shared",
    "m": "module",
    "f": "file",
    "-": "reserved",
    ".": "free",
}


@dataclass(frozen=True, slots=True)
class FrameMap:
    """`letters`: one for each frame, a digit for a user frame's process; `exempt`, `changed`: frame numbers."""

    letters: str
    exempt: frozenset[int]
    changed: frozenset[int]
    counts: tuple[tuple[str, str, int], ...]
    """(letter, who that is, frames) of each owner."""

    def legend(self, width: int) -> Line:
        """The letters, what they mean and how many there are; those that do not fit are left out."""
        parts: list[Span] = []
        for letter, name, count in self.counts:
            text = f"{letter} {name} {count}  "
            if sum(len(part.text) for part in parts) + len(text.rstrip()) <= width:
                parts.append(Span(text, _role(letter)))
        return line(*parts)

    def rows(self, columns: int) -> list[tuple[int, int, str]]:
        """(first frame, rows folded into this one, letters) for rows of `columns` frames."""
        folded: list[tuple[int, int, str]] = []
        for first in range(0, len(self.letters), columns):
            row = self.letters[first : first + columns]
            same = folded and folded[-1][2] == row and len(set(row)) == 1
            if same:
                start, count, _ = folded[-1]
                folded[-1] = (start, count + 1, row)
            else:
                folded.append((first, 1, row))
        return folded

    def lines(self, width: int, height: int) -> list[Line]:
        """The map in rows of 16, 32, 48 or 64 frames, around what changed or is shared."""
        if not self.letters:
            return [line(Span("the kernel has no frame table yet", "dim"))]
        columns = max(16, min(64, (width - 6) // 16 * 16))
        rows = self.rows(columns)
        legend = [clip(self.legend(width), width)]
        room = height - len(legend)
        focus = self._focus(rows, columns)
        start = max(0, min(focus - room // 2, len(rows) - room))
        return legend + [self._line(*row, columns) for row in rows[start : start + room]]

    def _focus(self, rows: list[tuple[int, int, str]], columns: int) -> int:
        wanted = min(self.changed, default=-1)
        wanted = next((f for f in self.changed if self.letters[f] == "X"), wanted)
        if wanted < 0:
            wanted = self.letters.find("X")
        if wanted < 0:
            wanted = max(0, self.letters.find("K"))
        return max((i for i, (first, _, _) in enumerate(rows) if first <= wanted), default=0)

    def _line(self, first: int, count: int, letters: str, columns: int) -> Line:
        parts = [Span(f"{first:>5x} ", "number")]
        if count > 1:
            kind = NAMES.get(letters[0], letters[0])
            return (
                *parts,
                Span(letters[0] * 3, _role(letters[0])),
                Span(f" {count * columns} {kind} frames", "dim"),
            )
        for offset, letter in enumerate(letters):
            frame = first + offset
            role = _role(letter) + ("-exempt" if frame in self.exempt else "")
            span = Span(letter, role, frame in self.changed)
            last = parts[-1]
            if last[1:] == span[1:]:
                parts[-1] = last._replace(text=last.text + letter)
            else:
                parts.append(span)
        return tuple(parts)


def _role(letter: str) -> str:
    name = NAMES.get(letter)
    return f"owner-{name}" if name else "owner-user"


def frame_map(table: FrameTable | None, processes: Mapping[int, str], before: FrameMap | None) -> FrameMap:
    """The map of `table`; `processes` names them by pid; what differs from `before` is marked as changed."""
    if table is None:
        return FrameMap("", frozenset(), frozenset(), ())
    to_letter = bytearray(b"?" * 256)
    for number, name in table.names.items():
        to_letter[number] = ord(LETTERS.get(name, "?"))
    letters = table.owners.translate(bytes(to_letter)).decode("ascii")
    if "u" in letters:
        letters = "".join(_digit(pid) if c == "u" else c for c, pid in zip(letters, table.pids, strict=True))
    exempt = (
        frozenset(i for i, flags in enumerate(table.flags) if flags & SWAP_EXEMPT)
        if any(table.flags)
        else frozenset[int]()
    )
    changed: frozenset[int] = frozenset()
    if before is not None and before.letters and before.letters != letters:
        pairs = zip(letters, before.letters, strict=True)
        changed = frozenset(i for i, (new, old) in enumerate(pairs) if new != old)
    order = (
        "KTSX"
        + "".join(sorted(c for c in set(letters) if c.isdigit() or (c.islower() and c not in NAMES)))
        + "fm-."
    )
    digits = {_digit(pid): harmless(name) for pid, name in processes.items()}
    counts = tuple(
        (c, NAMES.get(c) or digits.get(c, f"process {c}"), letters.count(c)) for c in order if c in letters
    )
    return FrameMap(letters, exempt, changed, counts)


def _digit(pid: int) -> str:
    return str(pid) if 0 <= pid < 10 else "abcdeghijkln"[pid - 10] if pid < 22 else "u"
