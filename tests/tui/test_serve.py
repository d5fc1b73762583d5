# SPDX-License-Identifier: GPL-2.0-or-later
"""The screen in a browser: the page asks nobody else, only its own pages open the terminal, and the keys work there."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """`pagewalk serve`, listening."""
    chosen = free_port()
    words = [sys.executable, "-m", "emu", "serve", "--port", str(chosen)]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{chosen}/" in process.stdout.readline()
        yield chosen
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


async def test_the_page_names_no_other_host_and_forbids_the_browser_to_ask_one(port: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        html = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    hosts = {host for host in re.findall(r"(?:https?|wss?)://([^/\"']+)", html) if host != "www.w3.org"}
    assert hosts == {f"127.0.0.1:{port}"}, "an SVG's namespace is a name and no request"
    assert "default-src 'self'" in policy and "http" not in policy
    assert "RobotoMono" in html


async def test_everything_that_the_page_needs_comes_from_here(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/") as answer:
            html = await answer.text()
        for path in set(re.findall(rf"http://127.0.0.1:{port}(/static/[^\"')]+)", html)):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 200, path
                if path.endswith((".css", ".js")):
                    text = await answer.text()
                    assert not re.search(r"(url\(|import |src=)\W{0,2}https?://", text), path


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Host": "evil.example"}],
    ids=["another page", "another name"],
)
async def test_a_page_from_elsewhere_opens_no_terminal(headers: dict[str, str], port: int) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"ws://127.0.0.1:{port}/ws", headers=headers)
        assert refused.value.status == 403


async def _read_until(socket_: aiohttp.ClientWebSocketResponse, words: bytes) -> bytes:
    seen = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while words not in seen:
            message = await socket_.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            seen += message.data if isinstance(message.data, bytes) else message.data.encode()
    return seen


async def test_the_course_opens_in_the_browser_and_hears_its_keys(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        address = f"ws://127.0.0.1:{port}/ws?width=100&height=30"
        async with session.ws_connect(address, headers={"Origin": f"http://127.0.0.1:{port}"}) as terminal:
            await _read_until(terminal, b"the course")
            await terminal.send_str(json.dumps(["stdin", "?"]))
            await _read_until(terminal, b"one instruction forward")


def said_by(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_port_in_use_is_one_line(port: int) -> None:
    said = said_by("-m", "emu", "serve", "--port", str(port))
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert f"--port {port}" in said.stderr and "choose another" in said.stderr


@pytest.mark.parametrize("number", ["0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(number: str) -> None:
    said = said_by("-m", "emu", "serve", f"--port={number}")
    assert said.returncode == 2
    assert "give a number from 1 to 65535" in said.stderr


_WITHOUT = """
import sys
sys.modules["textual_serve.server"] = None
from emu.__main__ import main
sys.exit(main(["serve"]))
"""


def test_without_the_web_server_one_line_says_what_to_install() -> None:
    said = said_by("-c", _WITHOUT)
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "pagewalk[serve]" in said.stderr
