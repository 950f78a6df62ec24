"""How events become calls: concurrency, order, what is held, and when it runs no more."""

from __future__ import annotations

import asyncio

import pytest

import fastsio
from fastsio import Data, SocketID, SyncMiddleware
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


async def test_events_of_a_client_run_concurrently(sio, wire):
    """Each event has a task of its own; a slow one does not hold up the next."""
    gate = asyncio.Event()

    @sio.event
    async def slow(sid):
        await gate.wait()
        return "slow"

    sio.on("fast", lambda _sid: "fast")
    client = await wire.join()
    await client.send('21["slow"]', '22["fast"]')
    assert await client.receive() == '32["fast"]'
    gate.set()

    assert await client.receive() == '31["slow"]'


async def test_handlers_start_in_the_order_of_their_events(sio, wire):
    """Events start, and those that do not wait are acknowledged, in the order they came."""
    log = []

    @sio.event
    async def step(sid, number):
        log.append(number)
        return number

    client = await wire.join()
    await client.send(*[f'2{number}["step",{number}]' for number in range(50)])
    await settled(lambda: len(client.frames) == 50)

    assert log == list(range(50))
    assert client.frames == [f"3{number}[{number}]" for number in range(50)]


async def test_without_async_handlers_one_runs_after_the_other(make):
    """async_handlers=False runs a client's handlers one at a time, in order."""
    sio, wire = make(async_handlers=False)
    gate, log = asyncio.Event(), []

    @sio.event
    async def step(sid, number):
        log.append(("begin", number))
        await gate.wait()
        log.append(("end", number))

    client = await wire.join()
    reading = asyncio.create_task(client.send('2["step",1]', '2["step",2]'))
    await turns()
    assert log == [("begin", 1)]
    gate.set()
    await asyncio.wait_for(reading, WAIT_S)

    assert log == [("begin", 1), ("end", 1), ("begin", 2), ("end", 2)]
    with pytest.raises(RuntimeError, match="async_handlers"):
        await sio.call("x", to=client.sid)


async def test_emits_and_the_acknowledgement_keep_their_order(sio, wire):
    """What a handler emits before it returns arrives before its acknowledgement, in order."""

    @sio.event
    async def work(sid):
        await sio.emit("first", to=sid)
        await sio.emit("second", b"\x01")
        await sio.send("third", to=sid)
        return "done"

    client = await wire.join()
    await client.send('21["work"]')
    frames = [await client.receive() for _ in range(5)]

    assert frames == [
        '2["first"]',
        '51-["second",{"_placeholder":true,"num":0}]',
        b"\x01",
        '2["message","third"]',
        '31["done"]',
    ]


async def test_the_next_event_waits_for_a_free_place(make):
    """Limit: at max_concurrent_handlers the connection's reading pauses until a handler is done."""
    sio, wire = make(max_concurrent_handlers=2)
    gates, log = [asyncio.Event() for _ in range(4)], []

    @sio.event
    async def work(sid, number):
        log.append(number)
        await gates[number].wait()

    client = await wire.join()
    reading = asyncio.create_task(client.send(*[f'2["work",{number}]' for number in range(4)]))
    await turns()
    assert log == [0, 1]
    gates[1].set()
    await settled(lambda: log == [0, 1, 2])
    gates[0].set()
    await asyncio.wait_for(reading, WAIT_S)
    await turns()

    assert log == [0, 1, 2, 3]
    for gate in gates:
        gate.set()


async def test_an_event_that_waited_for_a_place_is_dropped_with_its_client(make):
    """Limit: an event that waited for a place does not run when the client has been disconnected meanwhile."""
    sio, wire = make(max_concurrent_handlers=1)
    gate, log = asyncio.Event(), []

    @sio.event
    async def work(sid, number):
        log.append(number)
        await gate.wait()

    client = await wire.join()
    reading = asyncio.create_task(client.send('2["work",0]', '2["work",1]'))
    await turns()
    await sio.disconnect(client.sid)
    gate.set()
    await asyncio.wait_for(reading, WAIT_S)
    await turns()

    assert log == [0]


async def test_an_event_before_a_goodbye_still_sees_its_client(sio, wire):
    """`emit(); disconnect()` of a client: the event's handler begins before the client is taken apart."""
    log = []

    @sio.event
    async def save(sid):
        async with sio.session(sid) as session:
            session["saved"] = True
        log.append("saved")

    @sio.event
    async def disconnect(sid, reason):
        log.append((await sio.get_session(sid), reason))

    client = await wire.join()
    await client.send('2["save"]', "1")

    assert log == ["saved", ({"saved": True}, "client disconnect")]


async def test_a_disconnect_handler_keeps_session_rooms_and_environ(sio, wire):
    """Rooms, session and environ are there during the whole disconnect handler, also after it waited."""
    gate, seen = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()
        seen.append((await sio.get_session(sid), sio.rooms(sid), sio.get_environ(sid)["NAME"], reason))

    client = await wire.join(NAME="x")
    await sio.save_session(client.sid, {"user": 1})
    await sio.enter_room(client.sid, "room")
    leaving = asyncio.create_task(client.lose())
    await turns()
    assert not sio.manager.is_connected(client.sid, "/")
    gate.set()
    await asyncio.wait_for(leaving, WAIT_S)

    assert seen == [({"user": 1}, [client.sid, "room"], "x", "transport close")]
    assert not sio.environ


async def test_a_client_the_server_ended_may_close_at_once(sio, wire):
    """A client that closes its transport on DISCONNECT, as browsers do, leaves the running handler its session."""
    gate, seen = asyncio.Event(), []

    @sio.event
    async def disconnect(sid, reason):
        await gate.wait()
        seen.append((await sio.get_session(sid), sio.get_environ(sid)["NAME"], reason))

    client = await wire.join(NAME="x")
    await sio.save_session(client.sid, {"user": 1})
    ending = asyncio.create_task(sio.disconnect(client.sid))
    await settled(lambda: client.frames)
    await client.lose()
    gate.set()
    await asyncio.wait_for(ending, WAIT_S)

    assert seen == [({"user": 1}, "x", "server disconnect")]
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


async def test_the_disconnect_handler_runs_once(sio, wire):
    """DISCONNECT, disconnect() and a lost connection together run the disconnect handler once."""
    log = []
    sio.on("disconnect", lambda _sid, reason: log.append(reason))
    client = await wire.join()
    await client.send("1")
    await sio.disconnect(client.sid)
    await client.lose()

    assert log == ["client disconnect"]


async def test_every_namespace_of_a_lost_connection_is_left(sio, wire):
    """One failing disconnect handler does not keep the other namespaces from being left."""
    log = []

    @sio.event
    async def disconnect(sid, reason):
        raise RuntimeError

    sio.on("disconnect", lambda _sid, _reason: log.append("chat"), namespace="/chat")
    client = await wire.join()
    await client.join("/chat")
    await client.lose()

    assert log == ["chat"]
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})


async def test_what_is_emitted_while_connecting_is_held(sio, wire):
    """A broadcast from elsewhere waits too, until the client has been told that it is connected."""
    gate = asyncio.Event()

    @sio.event
    async def connect(sid, environ):
        await gate.wait()

    client = await wire.open()
    await client.send("0")
    await turns()
    await sio.emit("news", 1)
    await sio.emit("news", 2)
    await turns()
    assert client.frames == []
    gate.set()

    frames = [await client.receive() for _ in range(3)]
    assert [frame[:2] for frame in frames] == ["0{", "2[", "2["]
    assert frames[1:] == ['2["news",1]', '2["news",2]']


async def test_what_is_emitted_while_a_client_leaves_does_not_fail(sio, wire):
    """Emits to a client in its own disconnect handler go nowhere and raise nothing."""
    log = []

    @sio.event
    async def disconnect(sid, reason):
        await sio.emit("goodbye", to=sid)
        await sio.emit("left", sid, skip_sid=sid)
        log.append("said")

    other = await wire.join()
    client = await wire.join()
    await client.lose()

    assert log == ["said"]
    assert other.frames == [f'2["left","{client.sid}"]']


async def test_an_event_nobody_handles_is_not_acknowledged(sio, wire):
    """Without a handler there is no acknowledgement, as in python-socketio."""
    sio.on("known", lambda _sid: None)
    client = await wire.join()
    await client.send('21["unknown"]')

    assert await client.ask("known", ack_id=2) == []
    assert client.frames == []


@pytest.mark.parametrize(
    ("result", "arguments"),
    [(None, []), ("x", ["x"]), ((1, 2), [1, 2]), ([1, 2], [[1, 2]]), (False, [False]), ((), []), (0, [0])],
)
async def test_what_is_returned_is_acknowledged(sio, wire, result, arguments):
    """None is no argument, a tuple several, anything else one."""
    sio.on("ask", lambda _sid: result)
    client = await wire.join()

    assert await client.ask("ask") == arguments


async def test_call_in_a_handler_is_answered(sio, wire):
    """A handler may wait for the client's answer: its acknowledgement is read while it waits."""

    @sio.event
    async def start(sid):
        return await sio.call("question", "why", to=sid, timeout=WAIT_S)

    client = await wire.join()
    await client.send('29["start"]')
    assert await client.receive() == '21["question","why"]'
    await client.send('31["because",2]')

    assert await client.receive() == '39["because",2]'


async def test_a_callback_that_waits_does_not_stop_the_reading(sio, wire):
    """A coroutine callback may itself call() the client whose acknowledgement it handles."""
    log = []

    async def callback(*arguments):
        log.append(arguments)
        log.append(await sio.call("more", to=client.sid, timeout=WAIT_S))

    client = await wire.join()
    await sio.emit("question", to=client.sid, callback=callback)
    assert await client.receive() == '21["question"]'
    reading = asyncio.create_task(client.send('31["first"]'))
    assert await client.receive() == '22["more"]'
    async with asyncio.timeout(WAIT_S):
        await reading
    await client.send('32["second"]')
    await settled(lambda: len(log) == 2)

    assert log == [("first",), "second"]


async def test_a_callback_that_fails_is_logged(sio, wire, caplog):
    """An exception in a callback, function or coroutine, is logged and hurts nobody."""

    async def late(*_):
        raise RuntimeError("late")

    def early(*_):
        raise RuntimeError("early")

    client = await wire.join()
    await sio.emit("question", to=client.sid, callback=early)
    await sio.emit("question", to=client.sid, callback=late)
    await client.send("31[]", "32[]")
    await settled(lambda: caplog.text.count("error in the callback") == 2)
    sio.on("known", lambda _sid: 1)
    client.frames.clear()

    assert await client.ask("known") == [1]


async def test_seams_replaced_on_the_instance_are_used(sio, wire):
    """Replaced on the server, _send_packet sees answers and _send_eio_packet the frames of events."""
    sent = []

    async def send_packet(eio_sid, packet):
        sent.append((eio_sid, packet.encode()))

    async def send_eio_packet(eio_sid, packet):
        sent.append((eio_sid, packet.data))

    sio.on("ask", lambda _sid: "yes")
    client = await wire.join()
    sio._send_packet = send_packet
    sio._send_eio_packet = send_eio_packet
    await client.send('21["ask"]')
    await sio.emit("news", to=client.sid)
    await settled(lambda: len(sent) == 2)

    assert sorted(sent) == [(client.eio_sid, '2["news"]'), (client.eio_sid, '31["yes"]')]


async def test_class_namespaces_have_the_same_life(sio, wire):
    """A class-based namespace's methods connect, refuse, answer and leave like functions."""
    log = []

    class Chat(fastsio.AsyncNamespace):
        async def on_connect(self, sid, environ, auth):
            if auth is None:
                raise fastsio.exceptions.ConnectionRefusedError("who are you?")
            await self.emit("welcome", to=sid)

        async def on_message(self, sid, data):
            await self.enter_room(sid, "talk")
            return self.rooms(sid)

        def on_disconnect(self, sid, reason):
            log.append((self.rooms(sid), reason))

    sio.register_namespace(Chat("/chat"))
    client = await wire.open()
    await client.send("0/chat,")
    assert await client.receive() == '4/chat,{"message":"who are you?"}'
    sid = await client.join("/chat", {"name": "Ada"})
    assert await client.receive() == '2/chat,["welcome"]'
    await client.send('2/chat,5["message","hi"]')
    assert await client.receive() == f'3/chat,5[["{sid}","talk"]]'
    await client.send("1/chat,")

    assert log == [([sid, "talk"], "client disconnect")]


async def echo(sid, *data):
    """Answer, once it is awaited."""
    await asyncio.sleep(0)
    return [sid, *data]


def marked(sid: SocketID, data: Data):
    """Have an injected parameter, and return a coroutine."""
    return echo(sid, data)


def plain(sid, data):
    """Have no marker, and return a coroutine."""
    return echo(sid, data)


@pytest.mark.parametrize("handler", [plain, marked])
async def test_a_coroutine_that_a_plain_handler_returns_is_awaited(sio, wire, handler):
    """C-190: with markers and without; its result is the acknowledgement."""
    sio.on("ask", handler)
    client = await wire.join()

    assert await client.ask("ask", 1) == [[client.sid, 1]]


async def test_a_coroutine_that_a_plain_catch_all_handler_returns_is_awaited(sio, wire):
    """C-190: the one for every event is told which."""
    sio.on("*", lambda event, sid, data: echo(sid, event, data))
    client = await wire.join()

    assert await client.ask("ask", 1) == [[client.sid, "ask", 1]]


async def test_middlewares_and_exception_handlers_see_the_result_of_the_coroutine(sio, wire):
    """C-190: after_event is given the answer, and an exception handler may return a coroutine too."""

    class Noting(SyncMiddleware):
        def after_event(self, event, sid, response, **kwargs):
            return {"answer": response}

    def sorry(exc):
        return asyncio.sleep(0, str(exc))

    def fail(sid):
        raise LookupError("gone")

    sio.add_middleware(Noting())
    sio.on("ask", plain)
    sio.on("fail", fail)
    sio.exception_handler(LookupError)(sorry)
    client = await wire.join()

    assert await client.ask("ask", 1) == [{"answer": [client.sid, 1]}]
    assert await client.ask("fail", ack_id=2) == ["gone"]


@pytest.mark.parametrize("text", ["0", "0{}", "0/,"])
async def test_connect_is_the_same_in_each_of_its_forms(sio, wire, text):
    """The short one, of which no packet is made, is answered, refused and repeated like the others."""
    seen = []

    @sio.event
    async def connect(sid, environ, auth):
        seen.append((sid, auth))
        return len(seen) != 2

    sio.on("x", lambda _sid, _data: None, namespace="/chat")
    first, second = await wire.open(), await wire.open()
    await first.send(text)
    await second.send(text)
    await settled(lambda: first.frames and second.frames)
    third = await wire.join("/chat")
    await third.send('51-/chat,["x",{"_placeholder":true,"num":0}]')
    assert not wire.closed
    await third.send(text)

    assert seen == [("sid1", None), ("sid2", None)]
    assert first.frames == ['0{"sid":"sid1"}']
    assert second.frames == ['4{"message":"Connection rejected by server"}']
    assert third.eio_sid in wire.closed

    await first.send(text)
    await settled(lambda: len(seen) == 3)
    assert seen[2] != seen[0]


async def test_a_short_connect_is_shown_to_a_method_that_handles_connects(sio, wire):
    """What an application put in the place of fastsio's method gets each CONNECT."""
    shown = []

    async def handle(eio_sid, namespace, data):
        shown.append((eio_sid, namespace, data))

    sio._handle_connect = handle
    client = await wire.open()
    await client.send("0")

    assert shown == [(client.eio_sid, None, None)]
