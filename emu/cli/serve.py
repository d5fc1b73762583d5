# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk serve`: the same screen in a browser on this machine."""

from emu.cli import interrupt
from emu.cli.errors import Exit, UsageError
from emu.cli.output import out

_LEAST_PORT = 1
_MOST_PORT = 65535


def serve(*, port: int = 8000) -> int:
    """Show the course in a browser, at 127.0.0.1 only. Nothing is asked of other hosts.

    Example: pagewalk serve --port 8000

    Args:
        port: The port to listen at.
    """
    if not _LEAST_PORT <= port <= _MOST_PORT:
        raise UsageError(f"--port {port}: give a number from {_LEAST_PORT} to {_MOST_PORT}")
    try:
        from emu.cli.web import HOST, PagewalkServer
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("textual_serve", "aiohttp"):
            raise
        raise UsageError("serve needs a web server: pip install 'pagewalk[serve]'") from None
    server = PagewalkServer(port)
    interrupt.uninstall()
    try:
        server.listen(lambda: out(f"Pagewalk is at http://{HOST}:{port}/ (Ctrl+C ends it)"))
    except OSError as error:
        raise UsageError(
            f"--port {port}: {error.strerror or error}; choose another, or end what listens there"
        ) from None
    return Exit.FINE
