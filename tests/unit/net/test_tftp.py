# SPDX-License-Identifier: GPL-2.0-or-later
"""The TFTP server that the guest meets on eth1: every rule of RFC 1350 it keeps, and what it does not put up with."""

import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.net.datagrams import Datagram, Endpoint, ipv4
from emu.net.tftp import FIRST_TID, MOST_TRANSFERS, MOST_WRITTEN_BYTES, TFTP_PORT, TftpServer, packet
from emu.net.tftp import Opcode as Op
from emu.net.tftp_peer import ADDRESS, MAC, TftpPeer

CLIENT = Endpoint(ipv4("192.0.2.1"), 32768)
FILES = {b"hello": b"Hello, world\n", b"empty": b"", b"two": bytes(range(256)) * 4, b"locked": None}


class Client:
    """Asks a server, and remembers the port that it answers from."""

    def __init__(self, server: TftpServer, endpoint: Endpoint = CLIENT) -> None:
        self.server, self.endpoint, self.tid = server, endpoint, TFTP_PORT

    def send(self, payload: bytes, port: int | None = None) -> bytes:
        """The answer's payload; b"" for silence."""
        to = Endpoint(ADDRESS, self.tid if port is None else port)
        answers = self.server.answer(Datagram(self.endpoint, to, payload))
        assert len(answers) <= 1
        for answer in answers:
            assert answer.destination == self.endpoint
            if port is None:
                self.tid = answer.source.port
            return answer.payload
        return b""

    def ask(self, opcode: Op, name: bytes, *options: bytes, mode: bytes = b"octet") -> bytes:
        self.tid = TFTP_PORT
        return self.send(packet(opcode, name, mode, *options))

    def read(self, name: bytes, *options: bytes) -> bytes:
        """A whole file."""
        answer = self.ask(Op.RRQ, name, *options)
        size, block = 512, 1
        if answer[1] == Op.OACK:
            words = answer[2:].split(b"\0")
            size = int(dict(zip(words[::2], words[1::2], strict=False)).get(b"blksize", b"512"))
            answer = self.send(packet(Op.ACK, 0))
        contents = b""
        while True:
            assert answer[:4] == struct.pack("!HH", Op.DATA, block & 0xFFFF)
            contents += answer[4:]
            if len(answer) < 4 + size:
                assert self.send(packet(Op.ACK, block)) == b""
                return contents
            answer, block = self.send(packet(Op.ACK, block)), block + 1

    def write(self, name: bytes, contents: bytes, *options: bytes) -> bytes:
        """A whole file; the last answer."""
        answer = self.ask(Op.WRQ, name, *options)
        size = int(answer[2:].split(b"\0")[1]) if answer[1] == Op.OACK else 512
        for block in range(1, len(contents) // size + 2):
            answer = self.send(packet(Op.DATA, block, contents[(block - 1) * size : block * size]))
            if answer != packet(Op.ACK, block):
                return answer
        return answer


@pytest.fixture
def client() -> Client:
    return Client(TftpServer(FILES))


def error(code: int) -> Callable[[bytes], bool]:
    return lambda answer: answer[:4] == struct.pack("!HH", Op.ERROR, code) and answer.endswith(b"\0")


@given(st.binary(max_size=3000), st.sampled_from([None, 8, 512, 1024, 1428, 9000]))
def test_what_is_read_is_what_is_there(contents: bytes, block_bytes: int | None) -> None:
    options = () if block_bytes is None else (b"blksize", b"%d" % block_bytes)
    assert Client(TftpServer({b"f": contents})).read(b"f", *options) == contents


@given(st.binary(max_size=3000), st.sampled_from([None, 8, 512, 1024]))
def test_what_was_written_can_be_read(contents: bytes, block_bytes: int | None) -> None:
    options = () if block_bytes is None else (b"blksize", b"%d" % block_bytes)
    server = TftpServer({b"f": b"old"})
    client = Client(server)
    client.write(b"f", contents, *options)
    client.write(b"g", contents, *options)
    assert client.read(b"f") == client.read(b"g") == contents


def test_a_file_that_is_being_written_is_the_old_one_until_its_last_block(client: Client) -> None:
    writer = Client(client.server, Endpoint(CLIENT.address, 5000))
    writer.ask(Op.WRQ, b"hello")
    writer.send(packet(Op.DATA, 1, bytes(512)))
    assert client.read(b"hello") == FILES[b"hello"]
    writer.send(packet(Op.DATA, 2, b""))
    assert client.read(b"hello") == bytes(512)


def test_block_numbers_go_round_after_65535() -> None:
    contents = bytes(8 * 65_536 + 3)
    assert Client(TftpServer({b"f": contents})).read(b"f", b"blksize", b"8") == contents


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (packet(Op.RRQ, b"nothing", b"octet"), 1),
        (packet(Op.RRQ, b"", b"octet"), 1),
        (packet(Op.WRQ, b"", b"octet"), 1),
        (packet(Op.RRQ, b"../hello", b"octet"), 2),
        (packet(Op.RRQ, b"sub/../../hello", b"octet"), 2),
        (packet(Op.RRQ, b"/hello", b"octet"), 2),
        (packet(Op.WRQ, b"..\\hello", b"octet"), 2),
        (packet(Op.WRQ, b"../hello", b"octet"), 2),
        (packet(Op.RRQ, b"locked", b"octet"), 2),
        (packet(Op.WRQ, b"locked", b"octet"), 2),
        (packet(Op.RRQ, b"hello", b"netascii"), 0),
        (packet(Op.RRQ, b"hello", b"mail"), 0),
        (b"\0\1hello\0octet", 4),
        (b"\0\1hello\0", 4),
        (b"\0\1", 4),
        (b"\0", 4),
        (b"", 4),
        (packet(Op.DATA, 1, b"x"), 4),
        (packet(Op.ACK, 0), 4),
        (b"\0\7hello\0octet\0", 4),
    ],
)
def test_a_request_that_cannot_be_met_is_an_error_with_its_code(
    client: Client, payload: bytes, code: int
) -> None:
    assert error(code)(client.send(payload))


def test_the_mode_and_the_names_of_options_do_not_care_for_case(client: Client) -> None:
    assert client.ask(Op.RRQ, b"hello", mode=b"OcTeT") == packet(Op.DATA, 1, FILES[b"hello"])
    assert client.ask(Op.RRQ, b"hello", b"BlkSize", b"8") == packet(Op.OACK, b"blksize", b"8")


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        ([b"tsize", b"0"], [b"tsize", b"1024"]),
        ([b"blksize", b"65464"], [b"blksize", b"1428"]),
        ([b"blksize", b"100", b"tsize", b"0"], [b"blksize", b"100", b"tsize", b"1024"]),
        ([b"blksize", b"100", b"blksize", b"200"], [b"blksize", b"100"]),
        ([b"timeout", b"1", b"blksize", b"7", b"tsize", b"-1", b"windowsize", b"4"], []),
        ([b"blksize"], []),
        ([b"blksize", b"99999999999999999999"], []),
    ],
)
def test_options_that_are_known_and_make_sense_are_granted_the_others_passed_over(
    client: Client, options: list[bytes], agreed: list[bytes]
) -> None:
    wanted = packet(Op.OACK, *agreed) if agreed else packet(Op.DATA, 1, (FILES[b"two"] or b"")[:512])
    assert client.ask(Op.RRQ, b"two", *options) == wanted


def test_a_lost_answer_comes_again_when_the_client_asks_again(client: Client) -> None:
    first = client.ask(Op.RRQ, b"two")
    tid = client.tid
    assert client.ask(Op.RRQ, b"two") == first and client.tid == tid
    second = client.send(packet(Op.ACK, 1))
    assert client.send(packet(Op.ACK, 1)) == second


def test_an_old_or_future_acknowledgement_is_met_with_silence(client: Client) -> None:
    client.ask(Op.RRQ, b"two")
    client.send(packet(Op.ACK, 1))
    client.send(packet(Op.ACK, 2))
    assert client.send(packet(Op.ACK, 1)) == b""
    assert client.send(packet(Op.ACK, 9)) == b""
    assert client.send(packet(Op.ACK, 3)) == b""  # the last, empty block is acknowledged: the end


def test_a_block_that_comes_twice_is_written_once(client: Client) -> None:
    client.ask(Op.WRQ, b"new")
    assert client.send(packet(Op.DATA, 1, bytes(512))) == packet(Op.ACK, 1)
    assert client.send(packet(Op.DATA, 1, bytes(512))) == packet(Op.ACK, 1)
    assert client.send(packet(Op.DATA, 3, b"too far")) == b""
    assert client.send(packet(Op.DATA, 2, b"end")) == packet(Op.ACK, 2)
    assert client.send(packet(Op.DATA, 2, b"end")) == packet(Op.ACK, 2)
    assert client.send(packet(Op.DATA, 3, b"more")) == b""
    assert client.read(b"new") == bytes(512) + b"end"


def test_the_same_client_may_write_the_same_file_twice(client: Client) -> None:
    client.write(b"new", b"one")
    client.write(b"new", b"two")
    assert client.read(b"new") == b"two"


def test_a_stranger_at_a_transfers_port_gets_an_error_and_disturbs_nothing(client: Client) -> None:
    client.ask(Op.RRQ, b"two")
    stranger = Client(client.server, Endpoint(ipv4("192.0.2.77"), 32768))
    assert error(5)(stranger.send(packet(Op.ACK, 1), client.tid))
    assert stranger.send(packet(Op.ERROR, 0, b"bye"), client.tid) == b""
    assert client.send(packet(Op.ACK, 1))[:4] == packet(Op.DATA, 2)


def test_an_error_ends_a_transfer_and_is_never_answered(client: Client) -> None:
    client.ask(Op.RRQ, b"two")
    assert client.send(packet(Op.ERROR, 0, b"stop")) == b""
    assert error(5)(client.send(packet(Op.ACK, 1)))
    assert client.send(packet(Op.ERROR, 0, b"stop"), TFTP_PORT) == b""


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\0\4\0", packet(Op.DATA, 1, b"x"), packet(Op.RRQ, b"hello", b"octet"), b"\0\4\0\1" * 200],
)
def test_what_does_not_follow_ends_the_transfer_with_an_error(client: Client, payload: bytes) -> None:
    client.ask(Op.RRQ, b"two")
    assert error(4)(client.send(payload))
    assert error(5)(client.send(packet(Op.ACK, 1)))


def test_a_block_larger_than_agreed_is_refused(client: Client) -> None:
    client.ask(Op.WRQ, b"new")
    assert error(4)(client.send(packet(Op.DATA, 1, bytes(513))))


def test_only_so_much_can_be_written(client: Client) -> None:
    block = bytes(1428)
    client.ask(Op.WRQ, b"new", b"blksize", b"1428")
    whole = MOST_WRITTEN_BYTES // 1428
    for number in range(1, whole + 1):
        assert client.send(packet(Op.DATA, number, block)) == packet(Op.ACK, number)
    assert error(3)(client.send(packet(Op.DATA, whole + 1, block)))
    assert error(1)(client.ask(Op.RRQ, b"new"))


def test_other_ports_are_silent(client: Client) -> None:
    for port in (1, 68, 70, FIRST_TID - 1, 65535):
        assert client.send(packet(Op.RRQ, b"hello", b"octet"), port) == b""


def test_of_too_many_transfers_the_oldest_is_forgotten() -> None:
    server = TftpServer(FILES)
    clients = [Client(server, Endpoint(CLIENT.address, 1024 + n)) for n in range(MOST_TRANSFERS + 1)]
    for each in clients:
        each.ask(Op.RRQ, b"two")
    assert error(5)(clients[0].send(packet(Op.ACK, 1)))
    assert clients[1].send(packet(Op.ACK, 1))[:4] == packet(Op.DATA, 2)


def conversation() -> Iterator[bytes]:
    yield packet(Op.WRQ, b"new", b"octet")
    yield packet(Op.DATA, 1, b"short")
    yield packet(Op.RRQ, b"two", b"octet", b"tsize", b"0")
    yield from (packet(Op.ACK, n) for n in range(4))
    yield packet(Op.RRQ, b"new", b"octet")
    yield packet(Op.ACK, 1)


@pytest.mark.parametrize("moment", range(9))
def test_from_any_moment_it_goes_on_as_it_did_the_first_time(moment: int) -> None:
    server = TftpServer(FILES)
    client = Client(server)
    answers, state, tid = [], server.state(), client.tid
    for number, payload in enumerate(conversation()):
        if number == moment:
            state, tid = server.state(), client.tid
        if payload[1] in (Op.RRQ, Op.WRQ):
            client.tid = TFTP_PORT
        answers.append(client.send(payload))
    other = TftpServer(FILES)
    for again in (server, other):  # back in time, and in a copy
        again.load_state(state)
        client = Client(again)
        client.tid = tid
        repeated = []
        for payload in list(conversation())[moment:]:
            if payload[1] in (Op.RRQ, Op.WRQ):
                client.tid = TFTP_PORT
            repeated.append(client.send(payload))
        assert repeated == answers[moment:]


@given(st.lists(st.tuples(st.sampled_from([69, 50000, 50001, 7]), st.binary(max_size=30)), max_size=20))
def test_garbage_never_raises(packets: list[tuple[int, bytes]]) -> None:
    server = TftpServer(FILES)
    Client(server).ask(Op.RRQ, b"two")
    Client(server, Endpoint(CLIENT.address, 99)).ask(Op.WRQ, b"w")
    for port, payload in packets:
        for source in (CLIENT, Endpoint(CLIENT.address, 99)):
            for tail in (payload, b"\0" + payload):
                server.answer(Datagram(source, Endpoint(ADDRESS, port), tail))


def test_the_machine_speaks_ethernet_and_to_its_own_address_only() -> None:
    scapy = pytest.importorskip("scapy.all")
    peer = TftpPeer(FILES)
    ask = scapy.Ether(src="52:54:00:12:34:57", dst="ff:ff:ff:ff:ff:ff") / scapy.ARP(
        hwsrc="52:54:00:12:34:57", psrc="192.0.2.1", pdst="192.0.2.2"
    )
    assert scapy.Ether(peer.answer(bytes(ask))[0])[scapy.ARP].hwsrc == "02:00:c0:00:02:02"
    frame = scapy.Ether(src="52:54:00:12:34:57", dst=MAC.hex(":")) / scapy.IP(
        src="192.0.2.1", dst="192.0.2.2"
    )
    (answer,) = peer.answer(
        bytes(frame / scapy.UDP(sport=4000, dport=69) / packet(Op.RRQ, b"hello", b"octet"))
    )
    read = scapy.Ether(answer)
    assert (read.dst, read[scapy.IP].dst, read[scapy.UDP].dport) == ("52:54:00:12:34:57", "192.0.2.1", 4000)
    assert bytes(read[scapy.UDP].payload) == packet(Op.DATA, 1, FILES[b"hello"] or b"")
    frame[scapy.IP].dst = "192.0.2.3"
    assert (
        peer.answer(bytes(frame / scapy.UDP(sport=4000, dport=69) / packet(Op.RRQ, b"hello", b"octet"))) == []
    )
