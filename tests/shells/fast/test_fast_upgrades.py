"""Requests for a WebSocket that are served without a call of the application: upgrades and new sessions."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from fastsio import AsyncServer
from fastsio.integrations.fast.light_frames import ShortTextFraming
from fastsio.integrations.fast.pre_http import Front
from tests.shells.fast.two_ways import Line, Way

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n"
#: Headers whose handshake is read line by line, though it asks for the same.
ODD = "X-Odd: 1\r\n"


def handshake(sid: str = "", head: str = "", query: str = "EIO=4&transport=websocket") -> bytes:
    """Return a request for a WebSocket; *head* is more lines of its head."""
    return (
        f"GET /socket.io/?{query}{f'&sid={sid}' if sid else ''} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{head}\r\n"
    ).encode()


def text(data: bytes) -> bytes:
    """Return the frame of a short text, masked with zeros."""
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


async def upgrading(request: bytes | None = None, **options: Any) -> tuple[Way, Line, str]:
    """Return a server, the connection of a WebSocket that a client has asked for, and the session of the client."""
    way = Way(is_fast=True, **options)
    # The headers of the second request are known.
    await way.say(way.dial(), handshake())
    sid = await way.open_session(way.dial())
    way.records.lines.clear()
    line = way.dial()
    line.send(request or handshake(sid))
    return way, line, sid


async def test_an_upgrade_is_served_without_a_task():
    """Nor is an environ built for it: the session keeps that of its first request."""
    way, line, sid = await upgrading()

    assert isinstance(line.protocol, ShortTextFraming)
    assert not way.state.tasks
    await way.say(line, text(b"2probe"), text(b"5"))
    assert line.output.startswith(ACCEPTED)
    assert line.output.endswith(b"\x81\x063probe")
    await way.say(line, text(b'421["echo"]'))
    assert line.output.endswith(b"\x81\x05431[]")
    assert way.sio.eio.transport(sid) == "websocket"
    assert "websocket" not in str(way.sio.get_environ(way.happened[-1][1])["QUERY_STRING"])
    await way.close()
    assert not way.state.connections


@pytest.mark.parametrize(
    ("head", "query"),
    [
        (ODD, "EIO=4&transport=websocket"),
        ("", "transport=websocket&EIO=4"),
        ("Origin: http://x\r\n", "EIO=4&transport=websocket&t=1"),
        (f"Origin: http://x\r\n{ODD}", "EIO=4&transport=websocket"),
        ("X-Forwarded-For: 6.6.6.6\r\n", "EIO=4&transport=websocket"),
    ],
)
async def test_an_upgrade_that_is_written_in_another_way_is_one_too(head, query):
    """By whatever way it is served."""
    way = Way(is_fast=True)
    sid = await way.open_session(way.dial())
    line = way.dial()
    await way.say(line, handshake(sid, head, query), text(b"2probe"), text(b"5"))

    assert line.output.startswith(ACCEPTED)
    assert way.sio.eio.transport(sid) == "websocket"
    await way.close()


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("sid", "head", "code"),
    [("unknown", "", b"Session ID unknown"), (None, "Origin: http://evil.example\r\n", b"not an accepted origin")],
)
async def test_an_upgrade_is_refused_as_by_the_application(sid, head, code, is_known):
    """Of a session that nobody knows, or from a foreign origin."""
    outputs = []
    for is_fast in (False, True):
        way = Way(is_fast=is_fast)
        own = await way.open_session(way.dial())
        for _ in range(1 + is_known):
            line = way.dial()
            await way.say(line, handshake(sid or own, head))
        outputs.append((line.output.partition(b"\r\n")[0], line.output.rpartition(b"\r\n")[2]))
        assert way.sio.eio.transport(own) == "polling"
        await way.close()

    assert code in outputs[1][1]
    assert outputs[0] == outputs[1]


async def test_a_second_websocket_is_closed_and_the_first_goes_on():
    """As for requests by ASGI."""
    way, line, sid = await upgrading()
    second = way.dial()
    await way.say(second, handshake(sid))

    assert second.output.startswith(ACCEPTED)
    assert second.output.endswith(b"\x88\x02\x03\xe8")
    await way.say(line, text(b"2probe"), text(b"5"))
    assert way.sio.eio.transport(sid) == "websocket"
    await way.close()


async def test_an_upgrade_is_logged_with_the_address_of_its_client(caplog):
    """In uvicorn's words."""
    caplog.set_level(logging.INFO, "uvicorn.error")
    way, _, sid = await upgrading()

    said = f'127.0.0.1:4711 - "WebSocket /socket.io/?EIO=4&transport=websocket&sid={sid}" [accepted]'
    assert caplog.messages[-1] == said
    await way.close()


async def test_a_server_whose_methods_are_the_applications_is_called_by_asgi():
    """Its own handling of requests and connections stays in the way."""
    seen: list[str] = []

    class Own(AsyncServer):
        async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
            seen.append(eio_sid)
            return await super()._handle_eio_connect(eio_sid, environ)

    way = Way(is_fast=True)
    way.app.engineio_server = Own(async_mode="asgi", monitor_clients=False)
    line = way.dial()
    line.send(handshake())
    assert not line.writes
    assert len(way.state.tasks) == 1
    await way.settle()

    assert line.output.startswith(ACCEPTED)
    assert len(seen) == 1
    await way.app.engineio_server.eio.disconnect()
    await way.close()


async def test_a_handshake_that_fails_is_answered_and_logged(monkeypatch):
    """By 500, whichever transport the client begins with; nothing is left of its session."""
    way = Way(is_fast=True)
    monkeypatch.setattr(way.sio.eio, "generate_id", lambda: 1 / 0)
    for request in (handshake(), b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"):
        line = way.dial()
        await way.say(line, request)

        assert line.output.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert way.records.lines[-1] == "ERROR Exception in ASGI application\n"
    assert not way.sio.eio.sockets
    assert not any(isinstance(each, Front) for each in way.state.connections)


async def test_a_session_that_polls_begins_without_a_task():
    """Its environ is the one that ASGI would give."""
    way = Way(is_fast=True)
    line = way.dial()
    line.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")

    assert line.output.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not way.state.tasks
    (sid,) = way.sio.eio.sockets
    environ = way.sio.environ[sid]
    assert await environ["asgi.receive"]() == {"type": "http.disconnect"}
    with pytest.raises(RuntimeError, match="after response already completed"):
        await environ["asgi.send"]({"type": "http.response.start"})
    await way.close()
