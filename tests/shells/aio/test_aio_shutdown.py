"""shutdown(): nobody comes in, everybody is disconnected, handlers are waited for."""

from __future__ import annotations

import asyncio

import pytest

from tests.shells.aio.fake_engine import settled, turns


async def test_clients_are_disconnected_with_their_handlers(sio, wire):
    """Issue D: every client of every namespace gets DISCONNECT and its disconnect handler, then the engine closes."""
    reasons = []
    sio.on("disconnect", lambda _sid, reason: reasons.append(reason))
    sio.on("disconnect", lambda _sid, reason: reasons.append(("chat", reason)), namespace="/chat")
    one, two = await wire.join(), await wire.join()
    await two.join("/chat")
    await sio.shutdown()

    assert one.frames == ["1"]
    assert sorted(two.frames) == ["1", "1/chat,"]
    assert sorted(reasons, key=str) == [("chat", "server disconnect"), "server disconnect", "server disconnect"]
    assert set(wire.closed.values()) == {"server disconnect"}
    assert wire.stopped
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


async def test_handlers_are_waited_for(sio, wire):
    """Issue D: an event handler under way ends in peace within the grace time, and its answer is sent."""
    gate, log = asyncio.Event(), []

    @sio.event
    async def work(sid):
        await gate.wait()
        log.append("done")

    client = await wire.join()
    await client.send('2["work"]')
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(stopping, 5)

    assert log == ["done"]


async def test_handlers_of_a_client_that_has_gone_are_waited_for(sio, wire):
    """They run on when the connection is lost, and shutdown comes later: they end within the grace time too."""
    gate, log = asyncio.Event(), []

    @sio.event
    async def work(sid):
        await gate.wait()
        log.append("done")

    client = await wire.join()
    await client.send('2["work"]')
    await client.lose()
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(stopping, 5)

    assert log == ["done"]


async def test_late_handlers_are_cancelled(make):
    """Issue D: what still runs after the grace time is cancelled, and shutdown returns."""
    sio, wire = make(shutdown_timeout=0.05)
    log = []

    @sio.event
    async def work(sid):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    client = await wire.join()
    await client.send('2["work"]')
    await turns()
    await asyncio.wait_for(sio.shutdown(), 5)

    assert log == ["cancelled"]


async def test_the_timeout_can_be_given(sio, wire):
    """Issue D: shutdown(timeout=...) stands in for the option."""

    async def hang(sid):
        await asyncio.Event().wait()

    sio.on("hang", hang)
    client = await wire.join()
    await client.send('2["hang"]')
    await turns()

    await asyncio.wait_for(sio.shutdown(timeout=0.01), 5)


async def test_nobody_comes_in_afterwards(sio, wire):
    """Issue D: new connections are refused once shutdown has begun."""
    await sio.shutdown()

    with pytest.raises(ConnectionRefusedError):
        await wire.open()


async def test_no_namespace_is_joined_while_the_server_goes(sio, wire):
    """Issue D: CONNECT on a connection that is about to be closed is refused."""
    gate = asyncio.Event()

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()

    sio.on("connect", lambda _sid, _environ: None, namespace="/late")
    client = await wire.join()
    stopping = asyncio.create_task(sio.shutdown())
    await settled(lambda: client.frames)
    await client.send("0/late,")
    gate.set()
    await asyncio.wait_for(stopping, 5)

    assert [frame[:6] for frame in client.frames] == ["1", "4/late"]


async def test_connect_handlers_under_way_are_cancelled(sio, wire):
    """Issue D: a client whose connect handler has not decided is refused, and nothing of it stays."""
    log = []

    @sio.event
    async def connect(sid, environ):
        try:
            await asyncio.Event().wait()
        finally:
            log.append("over")

    client = await wire.open()
    await client.send("0")
    await turns()
    await asyncio.wait_for(sio.shutdown(timeout=1), 5)

    assert log == ["over"]
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


async def test_a_handler_may_shut_the_server_down(sio, wire):
    """Issue D: shutdown() called in an event handler does not wait for that handler, nor cancel it."""
    log = []

    @sio.event
    async def stop(sid):
        await sio.shutdown(timeout=0.5)
        log.append("returned")

    client = await wire.join()
    await client.send('2["stop"]')
    await settled(lambda: log)

    assert log == ["returned"]
    assert wire.stopped


async def test_endless_background_tasks_do_not_delay_the_end(sio, wire):
    """They are cancelled, and have ended when shutdown returns, long before handlers would be cancelled."""
    log = []

    async def ticker():
        try:
            while True:
                await sio.sleep(0.01)
        finally:
            log.append("ended")

    sio.start_background_task(ticker)
    client = await wire.join()
    await asyncio.wait_for(sio.shutdown(), sio.options.shutdown_timeout / 2)

    assert log == ["ended"]
    assert client.eio_sid in wire.closed


async def test_what_a_callback_waits_for_is_waited_for_like_a_handler(sio, wire):
    """It belongs to a client, and not to the application's background."""
    gate, log = asyncio.Event(), []

    async def callback(*_args):
        await gate.wait()
        log.append("done")

    client = await wire.join()
    await sio.emit("ask", to=client.sid, callback=callback)
    await client.send("31[]")
    endless = sio.start_background_task(asyncio.Event().wait)
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    gate.set()
    await asyncio.wait_for(stopping, 5)

    assert log == ["done"]
    assert endless.cancelled()


async def test_background_tasks_have_a_moment_to_end(sio, wire):
    """What a disconnect handler has started may write down what it has to."""
    gate, log = asyncio.Event(), []

    async def work():
        await gate.wait()
        log.append("done")

    task = sio.start_background_task(work)
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    gate.set()
    await asyncio.wait_for(stopping, 5)

    assert task.done()
    assert log == ["done"]


async def test_a_disconnect_handler_that_fails_does_not_stop_the_others(sio, wire, caplog):
    """Issue D: an exception in one disconnect handler is logged; everybody is disconnected all the same."""

    @sio.event
    async def disconnect(sid, reason):
        raise RuntimeError("of the application")

    clients = [await wire.join() for _ in range(3)]
    await sio.shutdown()

    assert [client.frames for client in clients] == [["1"]] * 3
    assert caplog.text.count("error in the disconnect handler") == 3
    assert not sio.environ
