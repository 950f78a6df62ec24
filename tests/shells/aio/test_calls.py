"""Questions to clients on asyncio: call() to one that leaves, and what a callback raises."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from fastsio import SocketID  # noqa: TC001 - annotations are read at runtime
from fastsio.exceptions import ClientLeftError, DisconnectedError
from fastsio.exceptions import TimeoutError as AckTimeoutError
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


async def fails(call: asyncio.Task) -> Exception:
    """Return what a call fails with, long before its timeout."""
    with pytest.raises(ClientLeftError) as raised:
        await asyncio.wait_for(call, WAIT_S)
    return raised.value


@pytest.mark.parametrize("way", ["lost", "left", "disconnected"])
async def test_a_call_to_a_client_that_leaves_fails_at_once(sio, wire, way):
    """However it leaves, before its disconnect handler has run; with an error that python-socketio's code catches."""
    handled = asyncio.Event()
    go_on = asyncio.Event()

    @sio.event
    async def disconnect(sid):
        handled.set()
        await go_on.wait()

    client = await wire.join()
    call = asyncio.create_task(sio.call("ask", to=client.sid, timeout=None))
    assert await client.receive() == '21["ask"]'
    ways = {"lost": client.lose, "left": lambda: client.send("1"), "disconnected": lambda: sio.disconnect(client.sid)}
    leaving = asyncio.create_task(ways[way]())
    error = await fails(call)
    await asyncio.wait_for(handled.wait(), WAIT_S)
    go_on.set()
    await leaving

    assert isinstance(error, DisconnectedError)
    assert isinstance(error, AckTimeoutError)
    assert str(error) == "the client left before it acknowledged the event, or is not there"


async def test_a_call_to_nobody_fails_at_once(sio, wire):
    """Also in the disconnect handler of the client itself, which will not answer."""
    errors: list[Exception] = []

    @sio.event
    async def disconnect(sid):
        errors.append(await fails(asyncio.create_task(sio.call("ask", to=sid, timeout=None))))

    for sid in ("nobody", ""):
        with pytest.raises((ClientLeftError, ValueError)):
            await asyncio.wait_for(sio.call("ask", to=sid, timeout=None), WAIT_S)
    client = await wire.join()
    await client.lose()

    assert len(errors) == 1


async def test_nothing_waits_for_the_answer_to_a_call_that_could_not_be_sent(sio, wire):
    """A client does not acknowledge what it was not asked."""
    client = await wire.join()

    with pytest.raises(TypeError, match="ask"):
        await sio.call("ask", object(), to=client.sid)

    assert sio.manager.callbacks[client.sid] == {}


async def test_a_call_to_a_room_waits_while_one_is_left_to_answer(sio, wire):
    """The first who answers has answered; when the last has left it fails."""
    one, two = await wire.join(), await wire.join()
    for client in (one, two):
        await sio.enter_room(client.sid, "r")
    call = asyncio.create_task(sio.call("ask", to="r", timeout=None))
    await two.receive()
    await one.lose()
    await turns()
    assert not call.done()
    await two.send("31[5]")
    assert await asyncio.wait_for(call, WAIT_S) == 5

    call = asyncio.create_task(sio.call("ask", to="r", timeout=None))
    await two.receive()
    await two.lose()
    await fails(call)


async def test_a_call_to_a_client_that_is_refused_fails_at_once(sio, wire):
    """What is said to a client before its connect handler has decided is held for it."""
    calls: list[asyncio.Task] = []

    @sio.event
    async def connect(sid, environ):
        calls.append(asyncio.create_task(sio.call("ask", to=sid, timeout=None)))
        await asyncio.sleep(0)
        return False

    client = await wire.open()
    await client.send("0")
    await settled(lambda: calls)

    await fails(calls[0])


@pytest.mark.parametrize("kind", ["function", "coroutine function"])
async def test_a_cancelled_callback_is_an_error_and_its_client_stays(sio, wire, caplog, kind):
    """A CancelledError of something that it waited for is not the connection's end."""

    def plain(*_):
        raise asyncio.CancelledError

    async def waiting(*_):
        raise asyncio.CancelledError

    client = await wire.join()
    await sio.emit("ask", to=client.sid, callback=plain if kind == "function" else waiting)
    with caplog.at_level(logging.ERROR):
        await client.send("31[]")
        await settled(lambda: "error in the callback of an acknowledgement" in caplog.text)
    await sio.emit("still", to=client.sid)

    assert "what was waited for was cancelled" in caplog.text
    assert (await client.receive(), await client.receive()) == ('21["ask"]', '2["still"]')
    assert wire.closed == {}


@pytest.mark.parametrize("async_handlers", [True, False])
async def test_a_handler_that_waited_for_a_cancelled_task_has_failed(make, async_handlers):
    """Its client gets the error ``internal``; the connection, and what it sends next, are not concerned."""
    sio, wire = make(async_handlers=async_handlers)

    @sio.event
    async def ask(sid: SocketID, data: dict) -> None:
        task = asyncio.create_task(asyncio.sleep(WAIT_S))
        task.cancel()
        await task

    client = await wire.join()
    for _ in range(2):
        [answer] = json.loads((await answered(client))[2:])
        assert answer["error"]["type"] == "internal"
    assert wire.closed == {}


async def answered(client) -> str:
    """Ask, and return the acknowledgement."""
    await client.send('21["ask",{}]')
    return await client.receive()


async def test_a_connect_handler_that_waited_for_a_cancelled_task_refuses(sio, wire):
    """The client is told, and does not wait for an answer that never comes."""

    @sio.event
    async def connect(sid, environ):
        raise asyncio.CancelledError

    client = await wire.open()
    await client.send("0")

    assert (await client.receive()).startswith("4")
    assert list(sio.manager.get_namespaces()) == []


async def test_a_disconnect_handler_that_waited_for_a_cancelled_task_keeps_no_client(sio, wire):
    """Those of the other namespaces run, and nothing is left."""
    seen: list[str] = []

    @sio.on("disconnect", namespace="/a")
    async def first(sid):
        seen.append("/a")
        raise asyncio.CancelledError

    @sio.on("disconnect", namespace="/b")
    async def second(sid):
        seen.append("/b")

    client = await wire.open()
    for namespace in ("/a", "/b"):
        await client.join(namespace)
    await client.lose()

    assert seen == ["/a", "/b"]
    assert list(sio.manager.get_namespaces()) == []


async def test_a_handler_that_is_cancelled_itself_is_not_answered(sio, wire):
    """Its task was asked to end."""
    tasks: list[asyncio.Task] = []

    @sio.event
    async def ask(sid: SocketID, data: dict) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    client = await wire.join()
    await client.send('21["ask",{}]')
    await settled(lambda: tasks)
    tasks[0].cancel()
    await turns()

    assert client.frames == []


async def test_a_callback_does_not_wait_for_an_event_that_cannot_be_written(sio, wire):
    """As with ``call()``: the client cannot answer it."""
    client = await wire.join()

    with pytest.raises(TypeError):
        await sio.emit("ask", object(), to=client.sid, callback=print)

    assert not sio.manager.callbacks.get(client.sid)
