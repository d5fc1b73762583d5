# SPDX-License-Identifier: GPL-2.0-or-later
"""The web server behind `pagewalk serve`: textual-serve, kept on this machine.

Its page asks a font of another host. Ours takes the font that comes with it, and tells the browser to ask nobody else.
Only pages that this server gave may open the terminal behind it.
"""

import asyncio
import re
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

HOST: Final = "127.0.0.1"
_FONT: Final = """<style>
      @font-face {{
        font-family: "Roboto Mono";
        font-weight: 100 700;
        src: url("{url}fonts/RobotoMono-VariableFont_wght.ttf");
      }}
    </style>"""
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws://{host}"
)
_SETTLED_SECONDS: Final = 0.2
_OTHERS: Final = re.compile(r'<link\b[^>]*href="https://[^>]*>\s*')
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def local_page(html: str, static_url: str) -> str:
    """The page of textual-serve with every link to another host taken out, and its own font put in."""
    head = _OTHERS.sub("", html)
    return head.replace("</head>", f"{_FONT.format(url=static_url)}\n  </head>", 1)


class PagewalkServer(Server):
    """Serves `pagewalk` at 127.0.0.1; each visit is a process of its own."""

    def __init__(self, port: int) -> None:
        command = shlex.join([sys.executable, "-m", "emu"])
        super().__init__(command, host=HOST, port=port, title="Pagewalk")  # pyright: ignore[reportUnknownMemberType]
        self._ready: Callable[[], None] = lambda: None
        self._hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    def listen(self, ready: Callable[[], None]) -> None:
        """Serve until Ctrl-C; `ready` is called when it listens. OSError if it cannot."""
        self._ready = ready
        self.serve()

    def initialize_logging(self) -> None:
        """Say nothing but what matters."""

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is as soon as it listens, and print no banner."""
        del app
        asyncio.get_running_loop().call_later(_SETTLED_SECONDS, self._ready)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard())
        return app

    def _guard(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            if request.host not in self._hosts or (origin and urlsplit(origin).netloc not in self._hosts):
                raise web.HTTPForbidden(text="Pagewalk answers only this machine's own pages.")
            response = await handler(request)
            if not response.prepared:
                response.headers["Content-Security-Policy"] = _POLICY.format(host=request.host)
            return response

        return guard

    async def handle_index(self, request: web.Request) -> web.Response:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The page, with nothing in it that another host would be asked for."""
        static = f"http://{request.host}/static/"
        context = {
            "font_size": 16,
            "app_websocket_url": f"ws://{request.host}/ws",
            "config": {"static": {"url": static}},
            "application": {"name": self.title},
        }
        html = aiohttp_jinja2.render_string("app_index.html", request, context)
        return web.Response(text=local_page(html, static), content_type="text/html")
