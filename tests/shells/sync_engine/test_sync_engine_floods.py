"""Frames that carry no message, sent to a server of threads."""

from __future__ import annotations

import pytest
from wsproto.events import Ping, Pong, TextMessage

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
    client.closed()

    assert app.reason() == "transport error"
