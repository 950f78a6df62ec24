"""Frames that no honest client sends, to the WebSocket of the server for threads."""

from __future__ import annotations

import socket
import tracemalloc
from typing import Any

import pytest
from wsproto.events import CloseConnection

from fastsio.engine.frame_reader import LinkLost
from fastsio.exceptions import PacketError
from fastsio.sync.engine.socketlink import SocketLink
from tests.integration.raw_websocket import CONTINUATION, FIN, TEXT, client_frame
from tests.shells.sync_engine.wire import PollingClient, WebSocketClient

LIMIT = 100_000


@pytest.fixture
def pair():
    """A link, and the socket of its peer."""
    ours, theirs = socket.socketpair()
    yield SocketLink(theirs, LIMIT, 1_000_000, lambda: None), ours
    ours.close()
    theirs.close()


def test_empty_fragments_take_no_memory(pair):
    """A message of any number of them is as large as its bytes."""
    link, peer = pair
    empty = client_frame(CONTINUATION, b"") * 500
    peer.sendall(client_frame(TEXT, b"4he"))
    grown: list[int] = []
    fill = link._sock.recv

    class Counting:
        """The connection, of which each reading is preceded by the next frames."""

        def recv(self, size: int) -> bytes:
            if not grown:
                tracemalloc.start()
            if len(grown) < 40:
                peer.sendall(empty)
            elif len(grown) == 40:
                peer.sendall(client_frame(FIN | CONTINUATION, b"llo"))
            grown.append(tracemalloc.get_traced_memory()[0])
            return fill(size)

    link._sock = Counting()
    try:
        assert link.receive() == "4hello"
    finally:
        tracemalloc.stop()

    # 20,000 fragments take 160 KB if each is kept, be it in a list.
    assert max(grown[5:]) - grown[5] < 50_000


def test_fragments_of_a_byte_take_little_memory(pair):
    """They are put together now and then."""
    link, peer = pair
    text = "4" + "x" * 5000
    frames = [
        client_frame(TEXT, b"4"),
        *[client_frame(CONTINUATION, b"x")] * 5000,
        client_frame(FIN | CONTINUATION, b""),
    ]
    peer.sendall(b"".join(frames))

    assert link.receive() == text


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (client_frame(FIN | TEXT, b"4x", masked=False), 1002),
        (client_frame(FIN | TEXT, b"4\xff"), 1007),
        (client_frame(FIN | TEXT, b"4" + b"x" * LIMIT), 1009),
        (client_frame(FIN | TEXT, b"9"), 1000),
    ],
    ids=["no mask", "no text", "too large", "no packet"],
)
def test_the_close_code_says_what_was_wrong(make_app, frame, code):
    """What breaks Engine.IO only is closed normally, as by the JavaScript server."""
    app = make_app(max_http_buffer_size=LIMIT)
    client = WebSocketClient.open(app)

    client.sock.sendall(frame)

    event: Any = client.event()
    assert isinstance(event, CloseConnection)
    assert event.code == code
    assert app.reason() == "transport error"
    client.vanish()
    client.ended()


def test_a_peer_that_goes_on_sending_reads_why_it_was_refused(make_app):
    """What is on its way is read, so that the close frame arrives and no reset."""
    app = make_app(max_http_buffer_size=LIMIT)
    client = WebSocketClient.open(app)

    client.sock.sendall(client_frame(FIN | 0x3, b"x") + b"y" * 300_000)

    event: Any = client.event()
    assert event.code == 1002
    client.vanish()
    client.ended()


def test_a_close_frame_is_answered_with_its_code(make_app):
    """So the peer knows that it was understood; one without a code is answered with 1000."""
    app = make_app()
    for sent, code in ((client_frame(FIN | 0x8, (4321).to_bytes(2)), 4321), (client_frame(FIN | 0x8, b""), 1000)):
        client = WebSocketClient.open(app)
        client.sock.sendall(sent)

        event: Any = client.event()
        assert event.code == code
        assert app.reason() == "transport close"
        client.ended()


def test_a_bad_frame_in_an_upgrade_ends_its_websocket(make_app):
    """The session stays on polling."""
    app = make_app()
    polling = PollingClient(app)
    client = WebSocketClient(app, f"EIO=4&transport=websocket&sid={polling.sid}")

    client.sock.sendall(client_frame(FIN | TEXT, b"2probe", masked=False))

    event: Any = client.event()
    assert event.code == 1002
    client.vanish()
    client.ended()
    assert polling.send("4hello").status == 200


def test_a_link_that_is_broken_says_so_once(pair):
    """Reading on ends at once."""
    link, peer = pair
    peer.sendall(client_frame(FIN | 0x3, b"x"))

    with pytest.raises(PacketError):
        link.receive()

    with pytest.raises(LinkLost):
        link.receive()


def test_the_packet_log_has_packets_only(make_app, caplog):
    """Pongs and the close of the WebSocket itself are no packets that the server sends."""
    caplog.set_level("INFO", "engineio.server")
    app = make_app(logger=True)
    client = WebSocketClient.open(app)
    client.ping(b"x")
    assert client.pong() == b"x"
    client.say("4x")
    assert app.message() == "x"

    client.say_close()
    client.ended()

    sent = [record.getMessage() for record in caplog.records if "Sending packet" in record.getMessage()]
    assert [line.partition("Sending packet ")[2] for line in sent] == ["OPEN data <hidden>"]
