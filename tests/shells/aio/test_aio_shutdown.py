"""shutdown() and drain(): nobody comes in, all connections end, handlers are waited for."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from fastsio import AsyncServer
from tests.shells.aio.fake_engine import Wire, settled, turns
from tests.support.waiting import WAIT_S

GOING = "server shutting down"


async def joined(sio, wire):
    """Let two clients join, one of them two namespaces; return them and the list that their reasons are noted in."""
    reasons = []
    sio.on("disconnect", lambda _sid, reason: reasons.append(reason))
    sio.on("disconnect", lambda _sid, reason: reasons.append(("chat", reason)), namespace="/chat")
    one, two = await wire.join(), await wire.join()
    await two.join("/chat")
    return one, two, reasons


async def test_connections_end_with_their_handlers(sio, wire):
    """No client is told to stay away; its disconnect handlers get a reason of their own, then the engine closes."""
    one, two, reasons = await joined(sio, wire)

    await sio.shutdown()

    assert one.frames == two.frames == []
    assert sorted(reasons, key=str) == [("chat", GOING), GOING, GOING]
    assert set(wire.closed.values()) == {GOING}
    assert wire.stopped
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


async def test_clients_may_be_dismissed(sio, wire):
    """With dismiss=True every client of every namespace gets DISCONNECT, after which it stays away."""
    one, two, reasons = await joined(sio, wire)

    await sio.shutdown(dismiss=True)

    assert one.frames == ["1"]
    assert sorted(two.frames) == ["1", "1/chat,"]
    assert sorted(reasons, key=str) == [("chat", "server disconnect"), "server disconnect", "server disconnect"]
    assert set(wire.closed.values()) == {"server disconnect"}
    assert wire.stopped


async def test_no_transport_waits_for_the_handlers_of_another(sio, wire):
    """All transports end before any disconnect handler runs."""
    ended = []
    sio.on("disconnect", lambda _sid, _reason: ended.append(len(wire.closed)))
    for _ in range(3):
        await wire.join()

    await sio.shutdown()

    assert ended == [3, 3, 3]


async def test_a_manager_that_cannot_be_shut_down_does_not_keep_the_engine(sio, wire, monkeypatch):
    """The engine stops all the same, and the caller gets the error."""

    async def shutdown():
        raise OSError("the broker does not answer")

    monkeypatch.setattr(sio.manager, "shutdown", shutdown)

    with pytest.raises(OSError, match="the broker"):
        await sio.shutdown()

    assert wire.stopped


async def test_a_shutdown_that_is_cancelled_still_stops_the_server(sio, wire, monkeypatch):
    """It waits for handlers no more, and frees what the manager and the engine hold."""
    leaving, freed = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        leaving.set()
        await asyncio.Event().wait()

    async def shutdown():
        freed.append("manager")

    monkeypatch.setattr(sio.manager, "shutdown", shutdown)
    await wire.join()
    stopping = asyncio.create_task(sio.shutdown())
    await leaving.wait()
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping

    assert (freed, wire.stopped) == (["manager"], True)


async def test_shutdown_may_be_called_twice(sio, wire):
    """Together or later, the disconnect handlers run once, and each call returns when they are done."""
    gate, log = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()
        log.append(reason)

    await wire.join()
    both = [asyncio.create_task(sio.shutdown()) for _ in range(2)]
    await turns()
    assert not any(one.done() for one in both)
    gate.set()
    await asyncio.wait_for(asyncio.gather(*both), WAIT_S)
    await asyncio.wait_for(sio.shutdown(), WAIT_S)

    assert log == [GOING]


async def test_disconnect_handlers_under_way_are_waited_for(sio, wire):
    """Those of a client that was lost just before have the time of all handlers."""
    gate, log = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()
        log.append(reason)

    client = await wire.join()
    losing = asyncio.create_task(client.lose())
    await turns()
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(asyncio.gather(losing, stopping), WAIT_S)

    assert log == ["transport close"]


async def test_a_disconnect_handler_may_shut_the_server_down(sio, wire):
    """It does not wait for itself."""
    log = []

    @sio.event
    async def disconnect(sid, reason):
        await sio.shutdown()
        log.append("returned")

    client = await wire.join()
    await asyncio.wait_for(client.lose(), WAIT_S)

    assert log == ["returned"]


async def test_a_connect_handler_may_shut_the_server_down(sio, wire):
    """It is not cancelled by what it does."""
    log = []

    @sio.event
    async def connect(sid, environ):
        await sio.shutdown()
        log.append("returned")

    client = await wire.open()
    await client.send("0")
    await settled(lambda: log)

    assert wire.stopped
    assert not sio.environ


@pytest.mark.parametrize("event", ["work", "disconnect", "connect"])
async def test_two_handlers_may_shut_the_server_down_at_once(sio, wire, event):
    """They do not wait for each other, and each goes on when the server has stopped."""
    both, log = asyncio.Barrier(2), []

    @sio.on(event)
    async def stop(sid, *_):
        await both.wait()
        await sio.shutdown(timeout=60)
        log.append(wire.stopped)

    clients = [await wire.open() if event == "connect" else await wire.join() for _ in range(2)]
    if event == "disconnect":
        losing = [asyncio.create_task(client.lose()) for client in clients]
        await asyncio.wait_for(asyncio.gather(*losing), WAIT_S)
    else:
        await asyncio.gather(*[client.send("0" if event == "connect" else '2["work"]') for client in clients])
    await settled(lambda: len(log) == 2)

    assert log == [True, True]


async def test_background_tasks_that_shut_the_server_down_at_once_are_not_cancelled(sio, wire):
    """Each goes on when the server has stopped; a handler that takes longer than its time is cancelled."""
    both, begun, log = asyncio.Barrier(2), asyncio.Event(), []

    @sio.event
    async def work(sid):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    async def stop():
        await both.wait()
        await sio.shutdown(timeout=0.05)
        log.append(wire.stopped)

    client = await wire.join()
    await client.send('2["work"]')
    await begun.wait()
    stopping = [sio.start_background_task(stop) for _ in range(2)]
    await asyncio.wait_for(asyncio.gather(*stopping), WAIT_S)

    assert log == ["cancelled", True, True]


async def test_a_handler_that_shuts_the_server_down_beside_its_owner_is_not_cancelled(sio, wire):
    """The shutdown that began first waits for it, also when its time is over."""
    begun, leaving, log = asyncio.Event(), asyncio.Event(), []
    sio.on("disconnect", lambda _sid, _reason: leaving.set())

    @sio.event
    async def work(sid):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        log.append("cancelled")

    @sio.event
    async def stop(sid):
        begun.set()
        await leaving.wait()
        await sio.shutdown(timeout=1)
        log.append("returned")

    client = await wire.join()
    await client.send('2["work"]', '2["stop"]')
    await begun.wait()
    await asyncio.wait_for(sio.shutdown(timeout=1), WAIT_S)

    assert log == ["cancelled", "returned"]


@pytest.mark.virtual_time
async def test_a_drain_ends_connections_over_its_time(sio, wire, monkeypatch):
    """In random order, the first not at once and the last at the end; nobody comes in meanwhile; the rest stays up."""
    begin, seen = asyncio.get_running_loop().time(), []
    clients = [await wire.join() for _ in range(20)]
    sio.on("disconnect", lambda sid, _reason: seen.append((sid, asyncio.get_running_loop().time() - begin)))
    assert sio.is_ready

    await asyncio.wait_for(sio.drain(0.4), WAIT_S)
    await settled(lambda: len(seen) == len(clients))

    order, times = [sid for sid, _ in seen], [when for _, when in seen]
    assert sorted(order) == sorted(client.sid for client in clients)
    assert order != [client.sid for client in clients]
    assert times[-1] >= 0.4
    assert sum(when < 0.2 for when in times) in range(2, 13)
    assert not sio.is_ready
    assert not wire.stopped
    assert set(wire.closed.values()) == {GOING}
    assert [client.frames for client in clients] == [[]] * 20


async def test_a_client_still_talks_until_its_turn_comes(sio, wire):
    """Events are handled and namespaces joined while a server is drained."""
    sio.on("echo", lambda _sid, data: data)
    sio.on("connect", lambda _sid, _environ: None, namespace="/late")
    client = await wire.join()
    draining = asyncio.create_task(sio.drain(60))
    await turns()

    assert await client.ask("echo", 5) == [5]
    assert await client.join("/late")
    await sio.shutdown()
    await asyncio.wait_for(draining, WAIT_S)


async def test_a_drain_without_clients_is_over_at_once(sio, wire):
    """There is nothing to wait for; neither is there once all have left."""
    await asyncio.wait_for(sio.drain(60), WAIT_S)

    assert not sio.is_ready


@pytest.mark.virtual_time
async def test_the_end_of_a_connection_is_handled_once():
    """Also if a client goes before the drain comes to it, and if the server shuts down right after the drain."""
    ends = []

    class Noting(AsyncServer):
        """Notes which connections end."""

        async def _handle_eio_disconnect(self, eio_sid, reason):
            ends.append((eio_sid, reason))
            await super()._handle_eio_disconnect(eio_sid, reason)

    sio = Noting(async_mode="asgi")
    wire = Wire(sio)
    one, two = await wire.join(), await wire.join()
    drain = asyncio.create_task(sio.drain(0.05))
    await turns()

    await one.lose()
    await drain
    await sio.shutdown()

    assert ends == [(one.eio_sid, "transport close"), (two.eio_sid, GOING)]


async def test_handlers_of_drained_clients_are_waited_for(sio, wire):
    """drain() returns when transports have ended; shutdown() gives their disconnect handlers its time."""
    gate, log = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()
        log.append(reason)

    await wire.join()
    await asyncio.wait_for(sio.drain(0), WAIT_S)
    stopping = asyncio.create_task(sio.shutdown())
    await turns()
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(stopping, WAIT_S)

    assert log == [GOING]


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
    await asyncio.wait_for(stopping, WAIT_S)

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
    await asyncio.wait_for(stopping, WAIT_S)

    assert log == ["done"]


@pytest.mark.virtual_time
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
    await asyncio.wait_for(sio.shutdown(), WAIT_S)

    assert log == ["cancelled"]


@pytest.mark.virtual_time
async def test_the_timeout_can_be_given(sio, wire):
    """Issue D: shutdown(timeout=...) stands in for the option."""

    async def hang(sid):
        await asyncio.Event().wait()

    sio.on("hang", hang)
    client = await wire.join()
    await client.send('2["hang"]')
    await turns()

    await asyncio.wait_for(sio.shutdown(timeout=0.01), WAIT_S)


async def test_nobody_comes_in_afterwards(sio, wire):
    """Issue D: new connections are refused once shutdown has begun."""
    await sio.shutdown()

    with pytest.raises(ConnectionRefusedError):
        await wire.open()


@pytest.mark.parametrize("dismiss", [False, True])
async def test_no_namespace_is_joined_while_the_server_goes(sio, wire, dismiss):
    """CONNECT on a connection that is about to end gets no answer, which would keep the client away; or a refusal."""
    gate = asyncio.Event()

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()

    sio.on("connect", lambda _sid, _environ: None, namespace="/late")
    client = await wire.join()
    stopping = asyncio.create_task(sio.shutdown(dismiss=dismiss))
    await turns()
    wire.clients[client.eio_sid] = client
    await client.send("0/late,")
    gate.set()
    await asyncio.wait_for(stopping, WAIT_S)

    assert [frame[:6] for frame in client.frames] == (["1", "4/late"] if dismiss else [])


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
    await asyncio.wait_for(sio.shutdown(timeout=1), WAIT_S)

    assert log == ["over"]
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


@pytest.mark.virtual_time
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


async def in_a_task_group(coroutine):
    """Await a coroutine in a task of a group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(coroutine)


async def in_a_helper(coroutine):
    """Await a coroutine in a task of a task."""
    await asyncio.create_task(asyncio.wait_for(coroutine, 60))


WAYS = [
    lambda coroutine: asyncio.wait_for(coroutine, 60),
    asyncio.shield,
    asyncio.create_task,
    lambda coroutine: asyncio.gather(coroutine, asyncio.sleep(0)),
    lambda coroutine: asyncio.wait([asyncio.create_task(coroutine)]),
    in_a_task_group,
    in_a_helper,
]


@pytest.mark.virtual_time
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("event", ["stop", "disconnect", "connect"])
async def test_a_handler_may_wait_for_the_shutdown_in_another_task(sio, wire, way, event):
    """It is not waited for, nor cancelled; before Python 3.12, asyncio.wait_for() makes such a task."""
    log = []
    loop = asyncio.get_running_loop()

    @sio.on(event)
    async def stop(sid, *_):
        began = loop.time()
        await way(sio.shutdown(timeout=30))
        log.append(loop.time() - began)

    client = await wire.open() if event == "connect" else await wire.join()
    await (client.lose() if event == "disconnect" else client.send("0" if event == "connect" else '2["stop"]'))
    await settled(lambda: log)

    assert log[0] < 1
    assert wire.stopped


@pytest.mark.virtual_time
async def test_a_handler_that_waits_late_for_the_shutdown_is_not_cancelled(sio, wire):
    """It waits for it when the server waits for the handler already, until the time is over."""
    log = []

    @sio.event
    async def stop(sid):
        stopping = asyncio.create_task(sio.shutdown(timeout=0.5))
        await asyncio.sleep(0.1)
        await stopping
        log.append("returned")

    client = await wire.join()
    await client.send('2["stop"]')
    await settled(lambda: log)

    assert log == ["returned"]


@pytest.mark.virtual_time
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
    await asyncio.wait_for(sio.shutdown(), sio.__fastsio__.options.shutdown_timeout / 2)

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
    await asyncio.wait_for(stopping, WAIT_S)

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
    await asyncio.wait_for(stopping, WAIT_S)

    assert task.done()
    assert log == ["done"]


async def test_a_disconnect_handler_that_fails_does_not_stop_the_others(sio, wire, caplog):
    """Issue D: an exception in one disconnect handler is logged; everybody is disconnected all the same."""

    @sio.event
    async def disconnect(sid, reason):
        raise RuntimeError("of the application")

    clients = [await wire.join() for _ in range(3)]
    await sio.shutdown()

    assert [client.frames for client in clients] == [[]] * 3
    assert caplog.text.count("error in the disconnect handler") == 3
    assert not sio.environ


@pytest.mark.virtual_time
async def test_a_handler_that_minds_no_cancellation_does_not_hold_the_server(sio, wire):
    """shutdown() cancels it after the grace, and gives up on it after a moment."""
    begun, end = asyncio.Event(), asyncio.Event()

    @sio.event
    async def stubborn(sid):
        begun.set()
        while not end.is_set():
            with suppress(asyncio.CancelledError):
                await end.wait()

    client = await wire.join()
    await client.send('2["stubborn"]')
    await begun.wait()

    await asyncio.wait_for(sio.shutdown(timeout=0.01), WAIT_S)

    assert wire.stopped
    end.set()
