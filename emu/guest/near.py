# SPDX-License-Identifier: GPL-2.0-or-later
"""Near names: what somebody may have meant."""

from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The `known` names closest to `name`, best first, at most `count`."""
    from difflib import get_close_matches

    candidates = sorted(set(known))
    close = get_close_matches(name[:80], candidates, count, 0.6)
    if len(name) > 2:
        close += [c for c in candidates if name.lower() in c.lower() and c not in close]
    return close[:count]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "did you mean a, b?", or the list of all `known` names if none is near and they are few."""
    known = sorted(set(known))
    close = near_names(name, known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are: {', '.join(known)}" if 0 < len(known) <= 12 else "no name is near it"


def shown(text: str) -> str:
    """`text` with control characters shown instead of sent, cut to a line's worth."""
    cut = text if len(text) <= 120 else text[:117] + "..."
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in cut
    )


def plus(name: str, offset: int) -> str:
    """ "symbol" or "symbol+0x10"."""
    return f"{name}+{offset:#x}" if offset else name
