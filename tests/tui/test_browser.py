# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser in front of `pagewalk serve`: it draws the course, hears keys, and asks nobody but this machine."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.tui.test_serve import PATIENCE_SECONDS, free_port, port

__all__ = ["port"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


class Browser:
    """One page of a browser, driven through its debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self.requests: list[str] = []
        self.drawn = b""
        """Everything that the server sent to the terminal."""

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._hear()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def _hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads((await self._socket.receive(PATIENCE_SECONDS)).data)
        said = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(said["url"])
            case "Network.webSocketFrameReceived":
                data = said["response"]["payloadData"]
                self.drawn += base64.b64decode(data) if said["response"]["opcode"] == 2 else data.encode()
            case _:
                pass
        return message

    async def until_drawn(self, words: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while words.encode() not in self.drawn:
                await self._hear()

    async def key(self, text: str) -> None:
        self.drawn = b""
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, key=text)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=text)


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    debugging = free_port()
    words = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    words += [f"--remote-debugging-port={debugging}", f"--user-data-dir={tmp_path}", "--window-size=1200,800"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*words, "about:blank"], **quiet) as process:  # type: ignore[call-overload]
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(await page_address(session, debugging), max_msg_size=0) as socket,
            ):
                found = Browser(socket)
                await found.ask("Network.enable")
                await found.ask("Page.enable")
                yield found
        finally:
            process.terminate()


async def page_address(session: aiohttp.ClientSession, debugging: int) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{debugging}/json") as answer:
                    pages = [page for page in await answer.json(content_type=None) if page["type"] == "page"]
                    if pages:
                        return str(pages[0]["webSocketDebuggerUrl"])
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def test_the_course_is_drawn_and_keys_are_heard(browser: Browser, port: int) -> None:
    await browser.ask("Page.navigate", url=f"http://127.0.0.1:{port}/")
    await browser.until_drawn("the course")
    await asyncio.sleep(1)  # until the page's own key listener is there
    await browser.ask("Runtime.evaluate", expression="document.querySelector('textarea').focus()")
    await browser.key("?")
    await browser.until_drawn("one instruction forward")
    picture = await browser.ask("Page.captureScreenshot", format="png")
    data = base64.b64decode(picture["data"])
    assert data.startswith(b"\x89PNG") and len(data) > 10_000
    if "PAGEWALK_KEEP_PICTURE" in os.environ:
        Path(os.environ["PAGEWALK_KEEP_PICTURE"]).write_bytes(data)
    asked = {
        url.split("/")[2] for url in browser.requests if not url.startswith(("data:", "about:", "blob:"))
    }
    assert asked == {f"127.0.0.1:{port}"}
    fonts = await browser.ask("Runtime.evaluate", expression="document.fonts.check('16px \"Roboto Mono\"')")
    assert fonts["result"]["value"] is True
