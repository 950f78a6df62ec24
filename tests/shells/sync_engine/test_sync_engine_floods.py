"""Frames that carry no message, sent to a server of threads."""

from __future__ import annotations

from contextlib import suppress

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from fastsio.engine.frame_reader import LinkLost
from fastsio.engine.message_reader import FAIR_SHARE
from fastsio.sync.engine.socketlink import SocketLink
from tests.shells.sync_engine.wire import WebSocketClient

FLOODS = {"pings": Ping(), "pongs": Pong(), "empty fragments": TextMessage("", message_finished=False)}


def flood(client: WebSocketClient, event, count: int) -> None:
    """Send an event many times in one write."""
    client.sock.sendall(b"".join([bytes(client.connection.send(event)) for _ in range(count)]))


@pytest.mark.parametrize("event", FLOODS.values(), ids=FLOODS)
def test_an_absurd_rate_ends_the_session(make_app, event, caplog):
    """The disconnect handler hears of a transport error, and the log says why."""
    app = make_app(max_control_frames=10, logger=False)
    client = WebSocketClient.open(app)
    flood(client, event, 10)
    if event is not FLOODS["empty fragments"]:
        client.say("4still here")
        assert app.message() == "still here"
    flood(client, event, 10)
    event = client.event()
    while not isinstance(event, CloseConnection):
        event = client.event()

    assert event.code == 1008
    assert app.reason() == "transport error"


class GreenSocket:
    """A socket of greenlets: the system's is not under it, and it always has something to read."""

    def __init__(self, data: bytes) -> None:
        self._left = [data]

    def settimeout(self, timeout_s: float | None) -> None:
        """Take any."""

    def recv(self, size: int) -> bytes:
        return self._left.pop() if self._left else b""


@pytest.mark.parametrize("kind", ["pongs", "messages"])
def test_a_greenlet_that_always_finds_something_leaves_the_others_their_turn(kind):
    """After a share of frames, however few readings they came in."""
    event = {"pongs": Pong(), "messages": TextMessage("3")}[kind]
    client = Connection(ConnectionType.CLIENT)
    ways: list[None] = []
    data = b"".join([bytes(client.send(event)) for _ in range(3 * FAIR_SHARE)])
    link = SocketLink(GreenSocket(data), 1_000, 1_000, lambda: ways.append(None))
    with suppress(LinkLost):
        while True:
            link.receive()

    assert len(ways) == 3
