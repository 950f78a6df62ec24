"""Frames that no honest client sends, to uvicorn's own protocol and to the fast transport: both end the same way."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.integration.clients import eventually, open_polling, remains
from tests.integration.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    client_frame,
    open_raw,
    request_of,
)
from tests.support.garbage import newcomers
from tests.support.servers import FAST_WS
from tests.support.waiting import WAIT_S

LIMIT = 1_000
EVENT = b'42["note",1]'


@pytest.fixture(params=["auto", FAST_WS], ids=["asgi", "fast"])
def ws(request) -> str:
    """Each way to serve WebSockets."""
    return request.param


@pytest.fixture
def sio(make_server, journal):
    """A server with a small limit, which notes what it gets."""
    sio = make_server(max_http_buffer_size=LIMIT)
    sio.on("note", lambda _sid, data: journal.note(data))
    sio.on("echo", lambda _sid, data: data)
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    return sio


def halves(head: int, payload: bytes) -> bytes:
    """Build a message of two fragments."""
    middle = len(payload) // 2
    return client_frame(head, payload[:middle]) + client_frame(FIN | CONTINUATION, payload[middle:])


def hold_connects(sio) -> tuple[asyncio.Event, asyncio.Event]:
    """Have handshakes wait; return the events that one has begun, and that they may go on."""
    entered, leave = asyncio.Event(), asyncio.Event()
    accept = sio.eio.handlers["connect"]

    async def connect(eio_sid, environ):
        entered.set()
        await leave.wait()
        return await accept(eio_sid, environ)

    sio.eio.on("connect", connect)
    return entered, leave


HOSTILE = {
    "a frame over the limit": (client_frame(FIN | TEXT, b"4" + b"x" * LIMIT), 1009, "transport error"),
    "fragments over the limit": (halves(TEXT, b"4" + b"x" * LIMIT), 1009, "transport error"),
    "a binary frame over the limit": (client_frame(FIN | BINARY, b"x" * (LIMIT + 1)), 1009, "transport error"),
    "no mask": (client_frame(FIN | TEXT, EVENT, masked=False), 1002, "transport close"),
    "a reserved bit": (client_frame(FIN | 0x40 | TEXT, EVENT), 1002, "transport close"),
    "another reserved bit": (client_frame(FIN | 0x10 | BINARY, EVENT), 1002, "transport close"),
    "an unknown opcode": (client_frame(FIN | 0x3, EVENT), 1002, "transport close"),
    "text that is no UTF-8": (client_frame(FIN | TEXT, b'42["note","\xff"]'), 1007, "transport close"),
    "fragments that are no UTF-8": (halves(TEXT, b'42["note","\xff"]'), 1007, "transport close"),
    "a continuation of nothing": (client_frame(FIN | CONTINUATION, EVENT), 1002, "transport close"),
    "a message within a message": (client_frame(TEXT, EVENT) * 2, 1002, "transport close"),
    "a ping in fragments": (client_frame(PING, b"x"), 1002, "transport close"),
    "a long ping": (client_frame(FIN | PING, b"x" * 126), 1002, "transport close"),
    "a close frame of one byte": (client_frame(FIN | CLOSE, b"x"), 1002, "transport close"),
    "a close code that is not sent": (client_frame(FIN | CLOSE, (1006).to_bytes(2)), 1002, "transport close"),
    "a close code out of range": (client_frame(FIN | CLOSE, (5000).to_bytes(2)), 1002, "transport close"),
    "a close with a code": (client_frame(FIN | CLOSE, (4321).to_bytes(2) + b"bye"), 4321, "transport close"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_it_ends_the_connection_with_the_code_of_the_rule(sio, running, journal, ws, case):
    """The close code says which rule was broken, the disconnect handler runs once, nothing is left; others live on."""
    sent, code, reason = HOSTILE[case]
    async with running(sio, ws=ws) as address, open_raw(address) as other:
        await other.join()
        async with open_raw(address) as client:
            await client.join()
            await client.send(sent)

            assert await client.close_code() == code
            await journal.until(reason)
        await eventually(lambda: len(sio.eio.sockets) == 1)
        await other.say('421["echo",1]')

        assert await other.text() == "431[1]"
        assert journal == [reason]


async def test_what_comes_before_the_mistake_counts(sio, running, journal, ws):
    """Events in front of a broken frame are handled, those behind it are not."""
    event, broken = client_frame(FIN | TEXT, EVENT), client_frame(FIN | 0x40 | TEXT, b"x")
    async with running(sio, ws=ws) as address, open_raw(address) as client:
        await client.join()
        await client.send(event, broken, event)

        assert await client.close_code() == 1002
        await journal.until("transport close")
        await eventually(lambda: not remains(sio))
        assert journal.count(1) <= 1


async def test_a_length_that_is_a_lie_is_refused_at_once(sio, running, journal):
    """The fast transport refuses a frame by what it announces; it does not wait for the bytes."""
    async with running(sio, ws=FAST_WS) as address, open_raw(address) as client:
        await client.join()
        await client.send(client_frame(FIN | TEXT, b"4", announced=1 << 40))

        assert await client.close_code() == 1009
        await journal.until("transport error")


async def test_a_peer_that_goes_on_sending_reads_why_it_was_refused(sio, running, journal):
    """A refused message that is still on its way is drained, so that the close frame is read and no reset."""
    async with running(sio, ws=FAST_WS) as address, open_raw(address) as client:
        await client.join()
        await client.send(client_frame(FIN | TEXT, b"4" * 200_000))

        assert await client.close_code() == 1009


@pytest.mark.parametrize("payload", [b"", b"are you there?"])
async def test_pings_are_answered_between_the_fragments_of_a_message(sio, running, ws, payload):
    """A ping gets its payload back, whatever message it interrupts; a pong gets nothing."""
    parts = [b'421["ec', b'ho","tea"]']
    async with running(sio, ws=ws) as address, open_raw(address) as client:
        await client.join()
        ping = client_frame(FIN | PING, payload) + client_frame(FIN | PONG, b"unasked")
        await client.send(client_frame(TEXT, parts[0]), ping, client_frame(FIN | CONTINUATION, parts[1]))

        assert sorted([await client.frame(), await client.frame()]) == [
            (FIN | TEXT, b'431["tea"]'),
            (FIN | PONG, payload),
        ]


@pytest.mark.parametrize("kind", [PING, PONG], ids=["pings", "pongs"])
async def test_an_absurd_rate_of_control_frames_closes_the_connection(make_server, running, journal, caplog, kind):
    """The client reads 1008, the reason is logged, the disconnect handler runs, others live on."""
    sio = make_server(max_control_frames=20)
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    sio.on("echo", lambda _sid, data: data)
    async with running(sio, ws=FAST_WS) as address, open_raw(address) as other, open_raw(address) as client:
        await other.join()
        await client.join()
        await client.send(client_frame(FIN | kind, b"") * 200)

        assert await client.close_code() == 1008
        await journal.until("transport error")
        await other.say('421["echo",1]')
        assert await other.text() == "431[1]"
    assert "more pings, pongs and empty fragments in a second than max_control_frames" in caplog.text


async def test_a_message_in_many_fragments_is_whole(sio, running, journal, ws):
    """A message may come byte by byte, and in any number of writes."""
    parts = [EVENT[index : index + 1] for index in range(len(EVENT))]
    async with running(sio, ws=ws) as address, open_raw(address) as client:
        await client.join()
        await client.send(client_frame(TEXT, parts[0]))
        for part in parts[1:]:
            await client.send(client_frame(CONTINUATION, part))
        frame = client_frame(FIN | CONTINUATION, b"")
        for index in range(len(frame)):
            await client.send(frame[index : index + 1])
        await journal.until(1)


async def test_what_a_hasty_client_sends_before_the_answer_is_read_after_it(make_server, running, ws):
    """Frames that arrive while the handshake is still being judged are not lost."""
    sio = make_server()
    sio.on("echo", lambda _sid, data: data)
    entered, leave = hold_connects(sio)
    async with running(sio, ws=ws) as address, open_raw(address, request_of()) as client:
        await asyncio.wait_for(entered.wait(), WAIT_S)
        await client.send(
            client_frame(FIN | TEXT, b"40"), client_frame(FIN | TEXT, b'421["echo","%b"]' % (b"x" * 100_000))
        )
        leave.set()
        await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)

        assert [(await client.text())[:2] for _ in range(2)] == ["0{", "40"]


@pytest.mark.parametrize(
    "request_",
    [
        request_of().replace(b"Sec-WebSocket-Key", b"X-Key"),
        request_of().replace(b"Version: 13", b"Version: 12"),
        request_of().replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: not base64 "),
    ],
    ids=["no key", "an old version", "a broken key"],
)
async def test_a_handshake_that_is_none_gets_the_same_answer(sio, running, request_):
    """What is unusual in a handshake is answered by uvicorn's own protocol, as it always was."""
    answers = []
    for ws in ("auto", FAST_WS):
        async with running(sio, ws=ws) as address, open_raw(address, request_) as client:
            answers.append((await asyncio.wait_for(client.reader.readline(), WAIT_S)).split()[1])

    assert answers[0] == answers[1]
    assert answers[0] not in {b"101", b"500"}


@pytest.mark.parametrize(
    "extra", [{"query": "&token=" + "x" * 9000}, {"lines": [f"X-{number}: 1" for number in range(200)]}]
)
async def test_a_long_handshake_is_served(sio, running, extra):
    """A long token in the query and many headers are nothing wrong."""
    path = "/socket.io/?EIO=4&transport=websocket" + extra.get("query", "")
    async with (
        running(sio, ws=FAST_WS) as address,
        open_raw(address, request_of(path, *extra.get("lines", ()))) as client,
    ):
        assert (await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)).startswith(b"HTTP/1.1 101")


async def test_a_handshake_that_comes_slowly_or_not_at_all_costs_nothing(sio, running):
    """A request byte by byte is answered when it is whole; one that is cut off leaves nothing behind."""
    request = request_of()
    async with running(sio, ws=FAST_WS) as address:
        async with open_raw(address, request[:-20]):
            pass
        async with open_raw(address, request[:1]) as client:
            for index in range(1, len(request)):
                await client.send(request[index : index + 1])
            assert (await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)).startswith(b"HTTP/1.1 101")
        await eventually(lambda: not remains(sio))


async def test_a_client_that_vanishes_while_connect_waits_leaves_nothing(make_server, running):
    """A handler that waits for its client's connection finds it gone, and the session with it."""
    sio = make_server()
    entered, leave = hold_connects(sio)
    async with running(sio, ws=FAST_WS) as address:
        async with open_raw(address, request_of()):
            await asyncio.wait_for(entered.wait(), WAIT_S)
        leave.set()
        await eventually(lambda: not remains(sio))


async def test_a_probe_over_the_limit_ends_its_websocket_alone(sio, running, journal, ws):
    """It is a wrong probe like any other: the session goes on over polling."""
    async with running(sio, ws=ws) as address, open_polling(address) as poller:
        await poller.join()
        path = f"/socket.io/?EIO=4&transport=websocket&sid={poller.eio_sid}"
        async with open_raw(address, request_of(path)) as client:
            await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)
            await client.send(client_frame(FIN | TEXT, b"x" * (LIMIT + 1)))
            # uvicorn's own protocol takes the message, so there it is no probe rather than too large.
            assert await client.close_code() == (1009 if ws == FAST_WS else 1000)

        assert await poller.ask("echo", 1) == [1]
        assert journal == []


async def test_nothing_of_a_connection_is_kept(sio, running):
    """A connection that is over is no object any more."""
    from fastsio.integrations.fast.connection import Connection
    from fastsio.integrations.fast.websocket import Wire

    kept = newcomers(Connection, Wire)
    async with running(sio, ws=FAST_WS) as address:
        for _ in range(3):
            async with open_raw(address) as client:
                await client.join()
                await client.send(client_frame(FIN | CLOSE, (1000).to_bytes(2)))
                assert await client.close_code() == 1000
        await eventually(lambda: not remains(sio))

        def are_gone() -> bool:
            gc.collect()
            return not kept()

        await eventually(are_gone)
