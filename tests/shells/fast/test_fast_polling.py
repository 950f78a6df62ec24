"""Long-polling that is read before uvicorn's HTTP protocol: waiting, leaving, stopping, and what uvicorn gets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.middleware.cors import CORSMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fastsio.integrations.fast.plain_request import MAX_KEPT, MAX_KEPT_BYTES, Blocks, Fields, read_request
from fastsio.integrations.fast.pre_http import Front
from tests.shells.fast.two_ways import Line, Way, get, post
from tests.support.waiting import WAIT_S

CLOSE = b"connection: close\r\n"


async def opened(**options: Any) -> tuple[Way, Line, str]:
    """Return a server, a connection to it, and the session of a client that has joined over the connection."""
    way = Way(is_fast=True, **options)
    line = way.dial()
    sid = await way.open_session(line)
    line.writes.clear()
    way.happened.clear()
    return way, line, sid


async def test_a_poll_that_waits_has_no_task():
    """Its session has the connection, and writes to it."""
    way, line, sid = await opened()
    await way.say(line, get(sid))

    assert way.sio.eio.sockets[sid].poll_waiter is line.protocol
    assert not way.state.tasks
    assert not line.writes


async def test_the_packets_of_a_turn_are_one_write():
    """Head and body too."""
    way, line, sid = await opened()
    await way.say(line, get(sid))
    await way.sio.emit("news", 1)
    await way.sio.emit("news", 2)
    await way.settle()

    (response,) = line.writes
    assert response.endswith(b'\r\n\r\n42["news",1]\x1e42["news",2]')


async def test_a_post_is_taken_where_it_arrives():
    """Its answer is written before the call returns."""
    way, line, sid = await opened()
    line.send(post(sid, b'42["echo","tea"]'))

    assert line.output.endswith(b"\r\n\r\nok")
    assert not way.sio.eio.sockets[sid].posting
    await way.settle()
    assert [event[0] for event in way.happened] == ["echo"]


async def test_a_client_that_leaves_its_poll_is_gone():
    """As under uvicorn's protocol."""
    way, line, sid = await opened()
    await way.say(line, get(sid))
    line.leave()
    await way.settle()

    assert [event[::2] for event in way.happened] == [("disconnect", "transport error")]
    assert not way.sio.eio.sockets
    assert not way.state.connections


async def waiting_post(**options: Any) -> tuple[Way, Line, str, asyncio.Event]:
    """Return as :func:`opened` does, and what a POST that was sent waits for."""
    way, line, sid = await opened(async_handlers=False, **options)
    done = asyncio.Event()

    @way.sio.on("slow")
    async def slow(_sid: str) -> None:
        await done.wait()

    await way.say(line, post(sid, b'42["slow"]'))
    assert not line.writes
    return way, line, sid, done


async def test_a_post_whose_handler_waits_is_answered_after_it():
    """A task waits for it, which uvicorn knows."""
    way, line, sid, done = await waiting_post()
    assert way.sio.eio.sockets[sid].posting
    assert len(way.state.tasks) == 1
    done.set()
    await way.settle()

    assert line.output.endswith(b"\r\n\r\nok")
    assert not way.state.tasks


async def test_a_client_that_leaves_its_post_is_gone_after_a_while():
    """The handler is given its time."""
    way, line, _, done = await waiting_post(ping_timeout=0.04, handler_grace=60)
    line.leave()
    async with asyncio.timeout(WAIT_S):
        while not way.happened:  # noqa: ASYNC110 - the time has no event
            await asyncio.sleep(0)

    assert [event[::2] for event in way.happened] == [("disconnect", "transport error")]
    done.set()
    await way.settle()
    assert not way.state.tasks


async def test_a_server_that_stops_closes_connections_after_their_response():
    """Those without a request at once."""
    way, line, sid = await opened()
    idle = way.dial()
    await way.say(line, get(sid))
    for connection in list(way.state.connections):
        connection.shutdown()
    assert idle.closed
    assert not line.closed
    await way.sio.emit("news", 1)
    await way.settle()

    assert CLOSE in line.output
    assert line.closed


async def test_a_connection_is_kept_as_long_as_uvicorn_keeps_it():
    """While a poll waits, for longer."""
    way, line, sid = await opened(config={"timeout_keep_alive": 0.02})
    other = way.dial()
    await way.say(other, get(sid))
    async with asyncio.timeout(WAIT_S):
        while not line.closed:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0)

    assert not other.closed


async def test_a_client_that_does_not_read_is_not_answered():
    """Its next request is read when it has read the last response."""
    way, line, sid = await opened()
    line.protocol.pause_writing()
    await way.say(line, post(sid, b"3"))
    assert not line.writes
    assert not line.is_reading_
    line.protocol.resume_writing()
    await way.settle()

    assert line.output.endswith(b"\r\n\r\nok")
    assert line.is_reading_


async def test_a_client_that_never_reads_is_closed_without_more():
    """What it has sent meanwhile is not read when its connection is closing."""
    way, line, sid = await opened()
    line.protocol.pause_writing()
    await way.say(line, post(sid, b"3"))
    line.closed = True
    line.protocol.resume_writing()
    await way.settle()

    assert not line.writes
    assert not way.state.connections


async def until_aborted(line: Line) -> None:
    """Wait for the end of a connection."""
    async with asyncio.timeout(WAIT_S):
        while not line.aborted:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0)


async def test_a_connection_whose_client_reads_nothing_ends():
    """Once the time of slow clients is over, counted from when it has last read."""
    _, line, _ = await opened(slow_client_timeout=0.02)
    line.unread = 100_000
    begin = time.monotonic()
    line.protocol.pause_writing()
    line.unread = 50_000
    await until_aborted(line)

    assert time.monotonic() - begin > 1.5 * 0.02


async def test_a_connection_whose_client_has_read_in_time_goes_on():
    """It serves the next request."""
    way, line, sid = await opened(slow_client_timeout=0.02)
    other, _ = way.dial(), line.protocol.pause_writing()
    line.protocol.resume_writing()
    await way.say(other, post(sid, b"3"))
    other.unread = 1
    other.protocol.pause_writing()
    await until_aborted(other)
    await way.say(line, post(sid, b"3"))

    assert not line.closed
    assert line.output.endswith(b"\r\n\r\nok")


async def test_a_server_that_stops_does_not_wait_for_a_client_that_reads_nothing():
    """The rest of a response may be less than what makes a client slow."""
    _, line, _ = await opened(slow_client_timeout=0.02)
    line.unread = 1
    line.protocol.shutdown()
    assert line.closed
    await until_aborted(line)


async def test_what_follows_a_request_is_read_after_its_response():
    """A client may send its next request early."""
    way, line, sid = await opened()
    await way.say(line, get(sid), post(sid, b"3"))
    assert not line.writes
    await way.sio.emit("news", 1)
    await way.settle()

    assert line.output.endswith(b"\r\n\r\nok")
    assert line.output.count(b"HTTP/1.1 200 OK") == 2


async def test_a_connection_comes_back_from_uvicorn():
    """What uvicorn's protocol has answered in full needs it no more."""
    way, line, sid = await opened()
    await way.say(line, get("", "").replace(b"GET", b"OPTIONS"))
    assert isinstance(line.protocol, HttpToolsProtocol)
    await way.say(line, post(sid, b"3"))

    assert isinstance(line.protocol, Front)
    assert way.state.connections == {line.protocol}


async def test_half_a_request_stays_with_uvicorn():
    """The rest of it is not read as a request."""
    way, line, sid = await opened()
    await way.say(line, b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
    await way.say(line, post(sid, b"3"))

    assert isinstance(line.protocol, HttpToolsProtocol)
    assert line.output.count(b"HTTP/1.1 ") == 1


def with_middleware(way: Way) -> None:
    """Put something of Starlette's in front of the application."""
    way.config.loaded_app = CORSMiddleware(way.app, allow_origins=["*"])


def with_own_requests(way: Way) -> None:
    """Let the application handle requests itself."""
    handle = way.sio.handle_request

    async def own(*arguments: Any) -> Any:
        return await handle(*arguments)

    way.sio.handle_request = own  # type: ignore[method-assign] # as applications do


def with_a_limit(way: Way) -> None:
    """Limit how many requests are served at once."""
    way.config.limit_concurrency = 100


@pytest.mark.parametrize("change", [with_middleware, with_own_requests, with_a_limit])
async def test_polling_is_left_to_uvicorn(change):
    """Where somebody else is to see each request, or to count it."""
    way = Way(is_fast=True)
    change(way)
    line = way.dial()
    sid = await way.open_session(line)
    await way.say(line, post(sid, b"3"))

    assert isinstance(line.protocol, HttpToolsProtocol)
    assert line.output.endswith(b"\r\n\r\nok")


async def test_an_application_that_fails_gets_uvicorns_response():
    """A handshake is a call of the application."""
    outputs = []
    for is_fast in (True, False):
        way = Way(is_fast=is_fast)

        def fail() -> str:
            raise RuntimeError("no id")

        way.sio.eio.generate_id = fail  # type: ignore[method-assign] # it fails
        line = way.dial()
        await way.say(line, get(""))
        outputs.append((line.output, line.closed, way.records.lines))

    assert outputs[0][0].startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert outputs[0] == outputs[1]


async def test_a_client_that_leaves_during_its_handshake_is_forgotten():
    """Nothing is left of the connection."""
    way = Way(is_fast=True)
    line = way.dial()
    way.sio.eio.announced = asyncio.Event()
    line.send(get(""))
    line.leave()
    way.sio.eio.announced.set()
    await way.settle()

    assert not line.writes
    assert not way.state.connections
    assert not way.state.tasks


def test_headers_are_remembered_within_bounds():
    """Of so many requests, and only short ones."""
    blocks = Blocks()
    for number in range(MAX_KEPT + 10):
        request = get("s", f"Cookie: c={number}\r\n")
        assert read_request(request, blocks) is not None
    read_request(get("s", f"Cookie: c={'x' * MAX_KEPT_BYTES}\r\n"), blocks)

    assert len(blocks) == 10
    assert all(isinstance(fields, Fields) for fields in blocks.values())
