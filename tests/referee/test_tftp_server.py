# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's TFTP driver against a server that nobody here wrote, and our server against such a client: tftpy.

What the server said once is kept in data/tftp, so that the suite needs no socket; the live conversation is compared
with it. To record anew, delete the file and run the live test.
"""

import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from emu.net.tftp import TftpServer
from emu.net.tftp_peer import TftpPeer
from tests.helpers.kernel import command_line
from tests.helpers.netfs import run
from tests.helpers.qemu_network import qemu_with_network
from tests.helpers.tftp_loopback import HOST, Bridge, Recording, free_port, save, served_on_loopback

SECONDS = 5.0
"""The guest has ended when it has sent nothing for so long."""
DATA = Path(__file__).parent / "data" / "tftp"
TEXT = bytes(32 + n % 95 for n in range(9000))
SIZES = (0, 1, 511, 512, 513, 1024, 4096, 9000)
FILES = {f"{size}.txt": TEXT[:size] for size in SIZES}


def read_all(server: TftpServer) -> bytes:
    done = run("netfs", *(f"/net/{name}" for name in FILES), "/net/nothing", server=server)
    assert done.has_ended
    return done.console


EXPECTED = b"".join(FILES.values()) + b"3: cat: /net/nothing: error -2\n"


@contextmanager
def tftpy_server(folder: Path) -> Iterator[int]:
    """tftpy on a port of loopback; what is written lands in the folder."""
    tftpy = pytest.importorskip("tftpy")
    server = tftpy.TftpServer(str(folder), flock=False)
    port = free_port()
    thread = threading.Thread(target=server.listen, args=(HOST, port), kwargs={"timeout": 1})
    thread.start()
    server.is_running.wait()
    try:
        yield port
    finally:
        server.stop(now=True)
        thread.join()
        del server
        with warnings.catch_warnings():  # it forgets to close the sockets of sessions that ended badly
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, contents in FILES.items():
        (tmp_path / name).write_bytes(contents)
    return tmp_path


def test_the_recorded_server_gives_every_file_to_the_byte() -> None:
    recording = Recording(DATA / "tftpy-read.jsonl")
    assert read_all(recording) == EXPECTED
    assert recording.is_over


def test_the_recorded_server_takes_a_file() -> None:
    recording = Recording(DATA / "tftpy-write.jsonl")
    assert run("netfs", "with", "cp", "/net/9000.txt", "/net/new", server=recording).lines == [
        "3: /net/9000.txt -> /net/new: 9000 bytes"
    ]
    assert recording.is_over


def test_the_live_server_gives_every_file_to_the_byte_and_says_what_it_said_before(folder: Path) -> None:
    with ExitStack() as close:
        bridge = Bridge(close.enter_context(tftpy_server(folder)), close)
        assert read_all(bridge) == EXPECTED
    compare(bridge, DATA / "tftpy-read.jsonl")


def test_the_live_server_takes_a_file_and_has_it_to_the_byte(folder: Path) -> None:
    with ExitStack() as close:
        bridge = Bridge(close.enter_context(tftpy_server(folder)), close)
        done = run("netfs", "with", "cp", "/net/9000.txt", "/net/new", server=bridge)
    assert done.lines == ["3: /net/9000.txt -> /net/new: 9000 bytes"]
    assert (folder / "new").read_bytes() == TEXT
    compare(bridge, DATA / "tftpy-write.jsonl")


def compare(bridge: Bridge, path: Path) -> None:
    """The live conversation and the kept one."""
    if not path.exists():
        save(bridge.exchanges, path)
    recording = Recording(path)
    assert [recording.answer(asked) for asked, _ in bridge.exchanges] == [
        said for _, said in bridge.exchanges
    ]
    assert recording.is_over


@pytest.mark.qemu
@pytest.mark.long
def test_qemus_guest_reads_the_same_bytes_from_our_server(tmp_path: Path) -> None:
    peer = TftpPeer({name.encode(): contents for name, contents in FILES.items()})
    arguments = " ".join(f"arg=/net/{name}" for name in [*FILES, "nothing"])
    with qemu_with_network(command_line("netfs", arguments), tmp_path) as qemu:
        for card, frame in qemu.receive(SECONDS):
            for answer in peer.answer(frame) if card == "eth1" else ():
                qemu.send("eth1", answer)
        console = qemu.wait_for_console(b"error -2").replace(b"\r\n", b"\n").partition(b"\n")[2]
    assert console.removesuffix(b"\n") == EXPECTED.removesuffix(b"\n")


@pytest.mark.parametrize("options", [{}, {"blksize": 1024}, {"blksize": 8, "tsize": 0}], ids=str)
def test_their_client_reads_and_writes_at_our_server(options: dict[str, int], tmp_path: Path) -> None:
    tftpy = pytest.importorskip("tftpy")
    server = TftpServer({name.encode(): contents for name, contents in FILES.items()})
    with served_on_loopback(server) as port:
        client = tftpy.TftpClient(HOST, port, options=dict(options))
        for name, contents in FILES.items():
            copy = tmp_path / name
            client.download(name, str(copy), timeout=5)
            assert copy.read_bytes() == contents
            client.upload(f"new-{name}", str(copy), timeout=5)
        with pytest.raises(tftpy.TftpException):
            client.download("nothing", str(tmp_path / "nothing"), timeout=5)
    assert dict(server.state().written) == {f"new-{name}".encode(): c for name, c in FILES.items()}
