"""How clients connect, are refused, and are lost while they connect."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

import fastsio
from tests.integration.clients import OPENERS, eventually, open_polling, open_websocket, record_of, remains
from tests.shells.engine.wire import start_http

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])


@TRANSPORTS
async def test_an_exception_in_connect_is_answered_and_leaves_nothing(make_server, running, transport):
    """A connect handler that raises is answered with CONNECT_ERROR, and nothing of the client is kept."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        raise RuntimeError("secret of the database")

    async with running(sio) as address, OPENERS[transport](address) as client:
        await client.send("40")
        answer = await client.receive()

        assert answer.startswith("44{")
        assert "secret" not in answer
        assert json.loads(answer[2:])["message"]
        assert list(sio.manager.get_namespaces()) == []
        assert not record_of(sio, client).active()
        await client.close()
        await eventually(lambda: not remains(sio))


async def test_a_refused_client_gets_no_broadcast(make_server, running):
    """A client whose connect handler raised is no target of broadcasts."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ, auth):
        if auth == {"fail": True}:
            raise RuntimeError

    async with running(sio) as address, open_websocket(address) as refused, open_websocket(address) as other:
        await refused.send('40{"fail":true}')
        assert (await refused.receive()).startswith("44")
        await other.join()
        await sio.emit("news", 1)
        await sio.disconnect(next(iter(sio.manager.rooms["/"][None])))
        assert await other.receive() == '42["news",1]'
        await refused.send('40{"fail":false}')

        assert (await refused.receive()).startswith("40")


async def test_a_connect_handler_of_two_arguments_serves_clients_with_auth(make_server, running, journal):
    """`connect(sid, environ)` works for a client that sends auth; the arity is read, not guessed."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note(environ["QUERY_STRING"])

    async with running(sio) as address, open_websocket(address) as client:
        await client.join(auth={"token": "t"})

        assert len(journal) == 1


async def test_a_refusal_keeps_its_message_and_data(make_server, running):
    """ConnectionRefusedError of fastsio is a CONNECT_ERROR with its message and data, the builtin one with a fixed text."""
    sio = make_server(namespaces=["/builtin"])

    @sio.on("connect")
    async def ours(sid, environ):
        raise fastsio.exceptions.ConnectionRefusedError("no entry", {"until": 5})

    @sio.on("connect", namespace="/builtin")
    def builtin(sid, environ):
        raise ConnectionRefusedError("closed")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40", "40/builtin,")
        answers = {await client.receive(), await client.receive()}

        refused = '44/builtin,{"message":"Connection refused by server"}'
        assert answers == {'44{"message":"no entry","data":{"until":5}}', refused}


@TRANSPORTS
async def test_a_connection_lost_while_connecting_cancels_the_handler(make_server, running, journal, transport):
    """A connection lost while connect runs cancels the handler, runs no disconnect handler, leaves nothing."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note("connecting")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            journal.note("cancelled")
            raise

    @sio.event
    async def disconnect(sid, reason):
        journal.note("disconnect")

    async with running(sio) as address, OPENERS[transport](address) as client:
        await client.send("40")
        await journal.until("connecting")
        assert not sio.manager.is_connected(next(iter(sio.manager.rooms["/"][None])), "/")
        await client.close()

        await journal.until("cancelled")
        await eventually(lambda: not remains(sio))
        assert journal == ["connecting", "cancelled"]


async def test_a_poll_given_up_while_connecting_cancels_the_handler(make_server, running, journal):
    """A polling client that vanishes while connect runs is noticed by its broken poll."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note("connecting")
        try:
            await asyncio.Event().wait()
        finally:
            journal.note("over")

    async with running(sio) as address, open_polling(address) as client:
        await client.send("40")
        await journal.until("connecting")
        poll = asyncio.create_task(client.poll())
        await eventually(lambda: sio.eio.sockets[client.eio_sid].poll_waiter is not None)
        poll.cancel()
        await asyncio.wait([poll])

        await journal.until("over")
        await eventually(lambda: not remains(sio))


async def test_a_websocket_cut_while_connecting_leaves_nothing(make_server, running, journal):
    """A TCP connection cut without a word ends a connect handler too."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note("connecting")
        try:
            await asyncio.Event().wait()
        finally:
            journal.note("over")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")
        await journal.until("connecting")
        await client.vanish()

        await journal.until("over")
        await eventually(lambda: not remains(sio))


async def test_a_client_that_disconnected_itself_in_connect_and_was_lost_leaves_nothing(make_server, running, journal):
    """A connect handler that called disconnect() and waits is cancelled with the connection."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        await sio.disconnect(sid)
        journal.note("dismissed")
        try:
            await asyncio.Event().wait()
        finally:
            journal.note("over")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")
        await journal.until("dismissed")
        await client.close()

        await journal.until("over")
        await eventually(lambda: not remains(sio))


async def test_a_client_may_leave_the_namespace_while_it_connects(make_server, running, journal):
    """DISCONNECT while connect runs cancels the handler; the connection may join again."""
    sio = make_server()
    attempts = []

    @sio.event
    async def connect(sid, environ):
        attempts.append(sid)
        if len(attempts) == 1:
            journal.note("connecting")
            try:
                await asyncio.Event().wait()
            finally:
                journal.note("over")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")
        await journal.until("connecting")
        await client.send("41")
        await journal.until("over")

        assert await client.join() == attempts[1]
        assert list(sio.manager.rooms["/"][None]) == [attempts[1]]


async def test_a_type_error_inside_connect_runs_the_handler_once(make_server, running, journal):
    """A TypeError raised inside a connect handler does not run it a second time."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ, auth=None):
        journal.note("connect")
        raise TypeError("of the application")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")

        assert (await client.receive()).startswith("44")
        assert journal == ["connect"]


async def test_a_type_error_inside_disconnect_runs_the_handler_once(make_server, running, journal):
    """A TypeError raised inside a disconnect handler does not run it a second time."""
    sio = make_server()

    @sio.event
    async def disconnect(sid, reason=None):
        journal.note(("disconnect", reason))
        raise TypeError("of the application")

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send("41")
        await eventually(lambda: not sio.manager.rooms)

        assert journal == [("disconnect", "client disconnect")]


async def test_disconnect_inside_connect_refuses_the_client(make_server, running, journal):
    """server.disconnect(sid) in the connect handler refuses the client, whatever the handler returns."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        await sio.disconnect(sid)
        return True

    @sio.event
    async def disconnect(sid, reason):
        journal.note("disconnect")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")

        assert (await client.receive()).startswith('44{"message":')
        await eventually(lambda: not sio.manager.rooms)
        assert journal == []


async def test_emits_inside_connect_arrive_after_connect(make_server, running):
    """What the connect handler emits, to the client, a room or everybody, arrives after CONNECT, in order."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        await sio.enter_room(sid, "lobby")
        await sio.emit("to-you", 1, to=sid)
        await sio.emit("to-room", b"\x01", room="lobby")
        await sio.emit("to-all", 3)

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()

        frames = [await client.receive() for _ in range(4)]
        assert frames == [
            '42["to-you",1]',
            '451-["to-room",{"_placeholder":true,"num":0}]',
            b"\x01",
            '42["to-all",3]',
        ]


async def test_emits_inside_a_connect_that_refuses_never_arrive(make_server, running):
    """What was emitted to a client that is refused in the end is not sent."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ, auth):
        await sio.emit("welcome", to=sid)
        return auth == {"ok": True}

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")
        assert (await client.receive()).startswith("44")
        await client.join(auth={"ok": True})

        assert await client.receive() == '42["welcome"]'


async def test_a_refusal_under_always_connect_is_a_disconnect_without_payload(make_server, running):
    """With always_connect a refusal is DISCONNECT without a payload, which the JavaScript parser accepts."""
    sio = make_server(always_connect=True)

    @sio.event
    async def connect(sid, environ):
        raise fastsio.exceptions.ConnectionRefusedError("no entry", {"until": 5})

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()

        assert await client.receive() == "41"
        assert list(sio.manager.get_namespaces()) == []


async def test_events_under_always_connect_wait_for_the_connect_handler(make_server, running, journal):
    """With always_connect events sent before connect has decided run after it accepted, in order."""
    sio = make_server(always_connect=True)
    gate = asyncio.Event()

    @sio.event
    async def connect(sid, environ):
        journal.note("connecting")
        await gate.wait()
        journal.note("accepted")

    @sio.event
    async def message(sid, number):
        journal.note(number)
        return number

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await journal.until("connecting")
        await client.send('420["message",1]', '421["message",2]')
        await eventually(lambda: (held := record_of(sio, client).clients["/"].held) and len(held.packets) == 2)
        gate.set()

        assert [await client.receive(), await client.receive()] == ["430[1]", "431[2]"]
        assert journal == ["connecting", "accepted", 1, 2]


@pytest.mark.parametrize("query", ["EIO=4", "EIO=3"])
async def test_a_handshake_that_fails_after_the_client_was_accepted_leaves_nothing(make_server, query, monkeypatch):
    """Neither session nor environ nor record: the request fails, and the server is as before."""
    sio = make_server(allow_eio3=True)

    def fail(*_args, **_kwargs):
        raise RuntimeError("no more timers")

    monkeypatch.setattr(sio.eio.deadlines, "set", fail)

    request = start_http(SimpleNamespace(engine=sio.eio), "GET", f"{query}&transport=polling")
    with pytest.raises(RuntimeError, match="no more timers"):
        await request.response()

    await eventually(lambda: not remains(sio))
