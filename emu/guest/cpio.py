# SPDX-License-Identifier: GPL-2.0-or-later
"""The archive of user programs: cpio in the "newc" format, always the same bytes for the same files."""

from typing import Final

from emu.guest.elf import GuestImageError

MAGIC: Final = b"070701"
TRAILER: Final = "TRAILER!!!"


def make_cpio(files: dict[str, bytes]) -> bytes:
    """An archive of `files` (name -> contents) in order of name, with no times and no owners.

    Raises GuestImageError for a name that cannot be stored.
    """
    from emu.guest.build import pack_cpio

    for name in files:
        if not name or "\0" in name or name == TRAILER:
            raise GuestImageError(
                f"archive of programs: {name!r} cannot be a file name; give the program another"
            )
    return pack_cpio(files)


def read_cpio(archive: bytes) -> dict[str, bytes]:
    """The files in `archive`, name -> contents, in its order; GuestImageError if the archive is damaged."""
    files: dict[str, bytes] = {}
    at = 0
    while True:
        head = archive[at : at + 110]
        if len(head) < 110 or head[:6] != MAGIC:
            raise _damaged(f"no entry at byte {at}")
        try:
            numbers = [int(head[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
        except ValueError:
            raise _damaged(f"no entry at byte {at}") from None
        size, name_bytes = numbers[6], numbers[11]
        data_at = at + -(-(110 + name_bytes) // 4) * 4
        if min(size, name_bytes) < 0 or data_at + size > len(archive):
            raise _damaged(f"the entry at byte {at} is longer than the archive")
        name = archive[at + 110 : at + 110 + name_bytes].rstrip(b"\0").decode("utf-8", "backslashreplace")
        if name == TRAILER:
            return files
        files[name] = archive[data_at : data_at + size]
        at = data_at + -(-size // 4) * 4


def _damaged(what: str) -> GuestImageError:
    return GuestImageError(f"archive of programs: {what}; it is cut short or damaged: build the guest again")
