"""Order, back-pressure and limits of what goes out."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import engineio.packet
import pytest

from fastsio.aio.engine import MessagePacket
from fastsio.aio.engine.links import Link, needs_task, trace_frames
from tests.shells.engine.wire import Application, connect_polling, connect_websocket, soon
from tests.support.waiting import WAIT_S


async def test_frames_of_one_post_are_never_interleaved():
    """A packet and its attachments stay together while the client lags and others post."""
    app = Application()
    client, sid = await connect_websocket(app)

    client.stall()
    app.post(sid, "a0", b"a1", b"a2")
    app.post(sid, "b0", b"b1")
    await app.engine.write(sid, [MessagePacket("c0"), MessagePacket(b"c1")])
    client.resume()

    frames = [await client.frame() for _ in range(7)]
    assert frames == ["4a0", b"a1", b"a2", "4b0", b"b1", "4c0", b"c1"]


async def test_a_cancelled_writer_does_not_tear_a_packet_from_its_attachments():
    """What was begun is finished, whoever began it."""
    app = Application()
    client, sid = await connect_websocket(app)
    client.stall()

    async def write() -> None:
        await app.engine.write(sid, [MessagePacket("head"), MessagePacket(b"tail")])
        await asyncio.sleep(60)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    writing.cancel()
    client.resume()

    assert [await client.frame(), await client.frame()] == ["4head", b"tail"]


async def test_posts_after_a_congestion_go_out_at_once_again():
    """The task that finished a delayed write hands the socket back."""
    app = Application()
    client, sid = await connect_websocket(app)
    client.stall()
    app.post(sid, "one")
    client.resume()
    await client.frame()
    await asyncio.sleep(0)

    app.post(sid, "two")

    assert client.events[-1] == {"type": "websocket.send", "text": "4two"}


async def test_a_broadcast_shares_one_packet():
    """The wire form is computed once for all recipients."""
    app = Application()
    clients = [await connect_websocket(app) for _ in range(3)]
    packet = MessagePacket("news")

    for _, sid in clients:
        app.engine.post(sid, [packet])

    frames = [await client.frame() for client, _ in clients]
    assert all(frame is packet.wire for frame in frames)


async def test_a_slow_client_is_closed_when_its_buffer_is_full(caplog):
    """The session ends with 'transport error', and the log says so once."""
    app = Application(max_buffer_packets=3)
    client, sid = await connect_websocket(app)
    client.stall()

    results = [app.post(sid, str(number)) for number in range(6)]

    assert results == [True, True, True, True, False, False]
    assert await app.reason() == "transport error"
    await client.ended()
    assert caplog.text.count("too slow") == 1


async def test_a_slow_client_is_closed_when_its_buffer_holds_too_many_bytes():
    """The buffer is bounded by size too."""
    app = Application(max_buffer_bytes=100)
    client, sid = await connect_websocket(app)
    client.stall()

    results = [app.post(sid, "x" * 59) for _ in range(3)]

    assert results == [True, True, False]
    assert await app.reason() == "transport error"


async def test_packets_for_a_slow_client_are_dropped_when_asked_for(caplog):
    """With ``slow_client='drop'`` the session lives, and the server tells which packets are not taken."""
    app = Application(max_buffer_packets=2, slow_client="drop")
    client, sid = await connect_websocket(app)
    client.stall()

    taken = [app.post(sid, str(number)) for number in range(5)]
    client.resume()

    assert [await client.frame() for _ in range(3)] == ["40", "41", "42"]
    assert taken == [True, True, True, False, False]
    assert caplog.text.count("too slow") == 1
    await asyncio.sleep(0)
    assert app.post(sid, "again")
    assert await client.frame() == "4again"


async def test_control_packets_pass_a_full_buffer():
    """The close packet reaches a client whose buffer is full."""
    app = Application(max_buffer_packets=2, slow_client="drop")
    client, sid = await connect_websocket(app)
    client.stall()
    for number in range(4):
        app.post(sid, str(number))

    ending = asyncio.create_task(app.engine.disconnect(sid))
    await app.reason()
    client.resume()

    await soon(ending)
    assert await client.closed() == ["40", "41", "42", "1"]


async def test_write_waits_while_a_client_is_far_behind():
    """A producer of much data is slowed down to what the client reads."""
    app = Application(max_buffer_packets=4)
    client, sid = await connect_websocket(app)
    client.stall()

    app.post(sid, "0", "1", "2", "3")
    producer = asyncio.create_task(app.engine.write(sid, [MessagePacket("4")]))
    await asyncio.sleep(0)
    waited = not producer.done()
    client.resume()

    assert waited
    await soon(producer)
    assert [await client.frame() for _ in range(5)] == ["40", "41", "42", "43", "44"]


async def test_a_producer_that_waits_is_released_when_the_client_goes():
    """Nobody waits for a client that is gone."""
    app = Application(max_buffer_packets=4)
    client, sid = await connect_websocket(app)
    client.stall()
    app.post(sid, "0", "1", "2", "3")
    producer = asyncio.create_task(app.engine.write(sid, [MessagePacket("4")]))
    await asyncio.sleep(0)

    client.leave()

    await soon(producer)
    await client.ended()
    assert await app.reason() == "transport close"


async def test_a_write_that_fails_ends_the_session():
    """A server that raises for a client that is gone is believed."""
    app = Application()
    client, sid = await connect_websocket(app)
    client.broken = OSError("gone")

    assert not app.post(sid, "x")

    assert await app.reason() == "transport close"
    await client.ended()


async def test_a_delayed_write_that_fails_ends_the_session():
    """The task that finishes a write takes its failure the same way."""
    app = Application()
    client, sid = await connect_websocket(app)
    client.stall()
    app.post(sid, "one", "two")

    client.broken = OSError("gone")
    client.resume()

    assert await app.reason() == "transport close"
    await client.ended()


async def test_awaitables_that_are_no_coroutines_can_be_sent_with():
    """ASGI asks for an awaitable, and a server may return a future."""
    app = Application()
    futures: list[asyncio.Future[None]] = []
    client, sid = await connect_websocket(app)
    socket = app.engine.sockets[sid]

    def send(event):
        futures.append(asyncio.get_running_loop().create_future())
        return futures[-1]

    send.__module__ = "granian"
    socket.idle_link = socket.link = Link(socket.link.receive, send)
    app.post(sid, "one", "two")
    futures[0].set_result(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert len(futures) == 2
    client.leave()
    await client.ended()


async def test_engineio_packets_can_be_sent():
    """``send`` and ``send_packet`` take what engineio's take."""
    app = Application()
    client, sid = await connect_websocket(app)

    await app.engine.send(sid, {"a": [1]})
    await app.engine.send(sid, None)
    await app.engine.send(sid, bytearray(b"\x01"))
    await app.engine.send_packet(sid, engineio.packet.Packet(engineio.packet.MESSAGE, "text"))
    await app.engine.send_packet(sid, engineio.packet.Packet(engineio.packet.PING, "x"))
    await app.engine.send_packet(sid, MessagePacket("mine"))

    assert [await client.frame() for _ in range(6)] == ['4{"a":[1]}', "4", b"\x01", "4text", "2x", "4mine"]


@pytest.mark.parametrize(("data", "size"), [("abc", 4), ("\u00e9", 3), (b"abc", 3)])
def test_a_packet_knows_its_size(data, size):
    """The size is that of the WebSocket frame in bytes."""
    assert MessagePacket(data).size == size


def test_a_packet_encodes_like_engineios():
    """Code written for ``engineio.packet.Packet`` reads ours."""
    text, binary = MessagePacket("a"), MessagePacket(b"a")

    assert (text.packet_type, text.binary, text.encode(), text.encode(b64=True)) == (4, False, "4a", "4a")
    assert (binary.packet_type, binary.binary, binary.encode(), binary.encode(b64=True)) == (4, True, b"a", "bYQ==")


async def test_polls_of_a_client_that_is_behind_take_a_payload_at_a_time():
    """One payload holds no more than ``max_http_buffer_size`` bytes, and at least one packet."""
    app = Application(max_http_buffer_size=100)
    client = await connect_polling(app)
    app.post(client.sid, "a" * 60)
    app.post(client.sid, "b" * 60)
    app.post(client.sid, "c" * 200)

    payloads = [(await client.poll()).packets for _ in range(3)]

    assert [len(packets) for packets in payloads] == [1, 1, 1]
    assert payloads[2][0] == "4" + "c" * 200


async def test_a_polling_client_that_never_polls_is_bounded_too():
    """The buffer's limits hold for both transports."""
    app = Application(max_buffer_packets=2)
    client = await connect_polling(app)

    assert [app.post(client.sid, "x") for _ in range(3)] == [True, True, False]
    assert await app.reason() == "transport error"
    assert (await client.poll()).status == 400


def behind_a_middleware(limit_s: float) -> Application:
    """Return an application behind a middleware that limits the time of each write."""
    app = Application(ping_interval=0.05, ping_timeout=WAIT_S)
    handle_request = app.engine.handle_request

    async def middleware(scope, receive, send):
        async def send_in_time(event):
            async with asyncio.timeout(limit_s):
                await send(event)

        await handle_request(scope, receive, send_in_time)

    app.engine.handle_request = middleware  # type: ignore[method-assign]
    return app


async def test_a_middleware_may_limit_the_time_of_a_write():
    """Of pings too, which no task of the application writes."""
    app = behind_a_middleware(WAIT_S)
    client, sid = await connect_websocket(app)

    app.post(sid, "one", "two")

    frames = [await client.frame() for _ in range(3)]
    assert frames == ["4one", "4two", "2"]
    app.post(sid, "three")
    assert await client.frame() == "4three"
    client.leave()
    await client.ended()


async def test_a_write_that_takes_too_long_for_a_middleware_ends_no_other_task():
    """The session ends, not the task that emitted."""
    app = behind_a_middleware(0.01)
    client, sid = await connect_websocket(app)
    client.stall()

    app.post(sid, "one")

    assert await app.reason() == "transport close"
    await client.ended()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


def test_functions_of_servers_and_those_that_pass_events_on_need_no_task():
    """A bound or builtin method of a server, and what Starlette and fastsio put around one."""

    class Server:
        async def send(self, event):
            """Write it."""

    def around(send, module):
        async def sender(event):
            await send(event)

        sender.__module__ = module
        return sender

    Server.send.__module__ = "hypercorn.protocol.ws_stream"
    own = Server().send

    assert not needs_task(own)
    assert not needs_task(around(around(own, "starlette._exception_handler"), "starlette.middleware.sessions"))
    assert not needs_task(trace_frames(own, "sid", logging.getLogger()))
    assert needs_task(around(own, "application"))
    assert needs_task(around(around(own, "application"), "starlette._exception_handler"))
    assert needs_task(partial(own))
