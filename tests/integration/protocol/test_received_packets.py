"""What a client may send, and what the server does about anything else."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.integration.clients import OPENERS, eventually, open_polling, open_websocket, record_of, remains
from tests.support.waiting import WAIT_S

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])

#: Packets that no correct client sends, to a client that joined "/": each closes the connection.
MALFORMED = [
    ["49"],
    ["4"],
    ["4x"],
    ["4-1"],
    ["42"],
    ["42/a"],
    ["42[]"],
    ["42[{}]"],
    ["42[null]"],
    ["42[true]"],
    ["42[[]]"],
    ['42{"a":1}'],
    ['42"text"'],
    ["42["],
    ['42["a"'],
    ['42["a"]x'],
    ['42["a",NaN]'],
    ['42["a",Infinity]'],
    ['42abc["a"]'],
    ['421e3["a"]'],
    ['42-1["a"]'],
    ['421.5["a"]'],
    ['42["connect",{"REMOTE_ADDR":"1.1.1.1"},{"admin":true}]'],
    ['42["connect_error"]'],
    ['42["disconnect","x"]'],
    ['42["disconnecting"]'],
    ['42["newListener"]'],
    ['42["removeListener"]'],
    ['42["' + "e" * 257 + '"]'],
    ['42["a",' + "[" * 65 + "]" * 65 + "]"],
    ["42" + "[" * 100_000],
    ['4299999999999999999["a"]'],
    ['429007199254740992["a"]'],
    ["43[]"],
    ["431{}"],
    ["431"],
    ["40/other,[]"],
    ["40/other,5"],
    ["41{}"],
    ["41[]"],
    ["44"],
    ['44{"message":"x"}'],
    ['45["a"]'],
    ['450-["a"]'],
    ['451["a"]'],
    ['4511-["a"]'],
    ["451234567890-"],
    ['45-1["a"]'],
    ["460-1[]"],
    ["461-[]"],
    ['42/nowhere,["a"]'],
    ["41/nowhere,"],
    ["43/nowhere,1[]"],
    ['451-["a",{"_placeholder":true,"num":0}]', '42["text instead of an attachment"]'],
    ['451-["a",{"_placeholder":true,"num":-1}]', b"\x01"],
    ['451-["a",{"_placeholder":true,"num":1}]', b"\x01"],
    ['451-["a",{"_placeholder":true,"num":true}]', b"\x01"],
    ['451-["a",{"_placeholder":true,"num":0.0}]', b"\x01"],
    ['451-["a",{"_placeholder":true,"num":"0"}]', b"\x01"],
    ['451-["a",{"_placeholder":true}]', b"\x01"],
    ['451-["a",{"_placeholder":"true","num":0}]', b"\x01"],
    ['451-["a",{"_placeholder":1,"num":0}]', b"\x01"],
    ['451-["a"]', b"\x01"],
    [b"\x01"],
]

#: First packets of a connection that are not CONNECT.
BEFORE_CONNECT = [
    ['42["message",1]'],
    ['421["message",1]'],
    ["430[]"],
    ["41"],
    ['451-["message",{"_placeholder":true,"num":0}]'],
    ['4510-["message"]'],
    ['451-["message",{"_placeholder":true,"num":0}]', b"\x01"],
    ["461-0[]"],
    [b"\x01"],
    ["44"],
]


@pytest.fixture
def application(make_server, journal):
    """A server that notes what its handlers are called with."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ, auth=None):
        journal.note(("connect", environ["REMOTE_ADDR"], auth))

    @sio.event
    async def disconnect(sid, reason):
        journal.note(("disconnect", reason))

    @sio.on("*")
    async def anything(event, sid, *args):
        journal.note((event, *args))
        return args

    return sio


async def broken_off(client, frames) -> bool:
    """Send frames and tell whether the server ended the session without an answer."""
    try:
        await client.send(*frames)
        await client.closed()
    except (AssertionError, TimeoutError):
        return False
    return True


async def test_malformed_packets_close_this_connection_only(application, running, journal, caplog):
    """Each malformed packet closes its connection with a logged reason and a disconnect; others live on."""
    survivors = []
    async with running(application) as address, open_websocket(address) as bystander:
        await bystander.join()
        for frames in MALFORMED:
            journal.clear()
            caplog.clear()
            async with open_websocket(address) as client:
                await client.join()
                ended = await broken_off(client, frames)
                assert client.eio_sid not in caplog.text, "the session id is a secret"
            logged = [r for r in caplog.records if r.levelno == logging.WARNING and "connection closed" in r.message]
            seen = [entry for entry in journal if entry[0] != "connect" or entry[2] is not None]
            if not ended or len(logged) != 1 or seen != [("disconnect", "transport error")]:
                survivors.append((frames[0][:60], ended, len(logged), seen))

        assert survivors == []
        assert await bystander.ask("hello", 1) == [1]
        await eventually(lambda: len(application.environ) == 1)


@TRANSPORTS
async def test_no_first_packet_but_connect_is_taken(application, running, journal, transport):
    """A first packet that is not CONNECT closes the connection; a binary header does not wait for its frames."""
    survivors = []
    async with running(application) as address:
        for frames in BEFORE_CONNECT:
            async with OPENERS[transport](address) as client:
                if not await broken_off(client, frames):
                    survivors.append(frames)

        assert survivors == []
        assert journal == []
        await eventually(lambda: not remains(application))


async def test_malformed_packets_close_a_polling_connection(application, running, journal):
    """Over polling a malformed packet ends the session: its poll gets the close packet, then 400."""
    async with running(application) as address, open_polling(address) as client:
        await client.join()
        await client.send("42[]")
        await client.closed()
        await journal.until(("disconnect", "transport error"))

        assert (await client.post('42["a"]')).status_code == 400
        await eventually(lambda: not remains(application))


async def test_reserved_names_never_reach_the_handlers(application, running, journal):
    """A client cannot call the connect and disconnect handlers with arguments of its own."""
    async with running(application) as address:
        for name in ("connect", "disconnect"):
            async with open_websocket(address) as client:
                await client.join()
                await client.send(f'42["{name}",{{"REMOTE_ADDR":"1.1.1.1"}},{{"admin":true}}]')
                await client.closed()
        await journal.until(("disconnect", "transport error"), count=2)

        assert sorted(set(journal)) == [("connect", "127.0.0.1", None), ("disconnect", "transport error")]


async def test_an_acknowledgement_with_id_zero_breaks_nothing(application, running):
    """ACK id 0 is ignored; callbacks and call() of that client work afterwards."""
    async with running(application) as address, open_websocket(address) as client:
        sid = await client.join()
        await client.send("430[]", "43999[1]")
        question = asyncio.create_task(application.call("question", to=sid, timeout=WAIT_S))
        assert await client.receive() == '421["question"]'
        await client.send("431[42]")

        assert await question == 42


async def test_an_event_with_ack_id_zero_is_acknowledged(application, running):
    """0 is an acknowledgement id like any other when a client asks with it."""
    async with running(application) as address, open_websocket(address) as client:
        await client.join()
        await client.send('420["echo","x"]')

        assert await client.receive() == '430["x"]'


async def test_attachments_are_limited_before_anything_is_gathered(application, running):
    """A header that announces too many attachments is refused by itself; up to the limit all is well."""
    places = ",".join(f'{{"_placeholder":true,"num":{i}}}' for i in range(10))
    async with running(application) as address, open_websocket(address) as client:
        await client.join()
        await client.send(f'4510-1["echo",{places}]', *[bytes([i]) for i in range(10)])
        answer = [await client.receive() for _ in range(11)]
        assert answer[0].startswith("4610-1[")
        assert answer[1:] == [bytes([i]) for i in range(10)]
        await client.send(f'4511-1["echo",{places}]')

        await client.closed()


async def test_an_object_that_looks_like_a_placeholder_is_only_data_in_a_text_event(application, running):
    """`_placeholder` objects in an event without attachments are handed over untouched."""
    lookalike = {"_placeholder": True, "num": 3}
    async with running(application) as address, open_websocket(address) as client:
        await client.join()

        assert await client.ask("echo", lookalike) == [lookalike]


async def test_attachments_that_do_not_come_close_the_connection(make_server, running, caplog):
    """Attachments that were announced and do not arrive within attachment_timeout close the connection."""
    sio = make_server(attachment_timeout=0.1)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send('451-["a",{"_placeholder":true,"num":0}]')
        await client.closed()

        assert "attachments are missing" in caplog.text


async def test_attachments_announced_while_connecting_do_not_wait_for_ever(make_server, running, caplog):
    """A binary header sent while connect runs is under attachment_timeout once the client is accepted."""
    sio = make_server(attachment_timeout=0.1)
    gate = asyncio.Event()

    @sio.event
    async def connect(sid, environ):
        await gate.wait()

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40", '451-["a",{"_placeholder":true,"num":0}]')
        await eventually(lambda: record_of(sio, client).decoder.pending)
        gate.set()
        assert (await client.receive()).startswith("40")
        await client.closed()

        assert "attachments are missing" in caplog.text


@pytest.mark.parametrize("header", ['451-["a",{"_placeholder":true,"num":0}]', '461-5[{"_placeholder":true,"num":0}]'])
async def test_attachments_that_came_in_time_leave_no_deadline(make_server, running, journal, header):
    """Once a binary event or acknowledgement is complete, attachment_timeout does not strike any more."""
    sio = make_server(attachment_timeout=WAIT_S)
    sio.on("a", lambda _sid, _data: None)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send(header, b"\x01")
        connection = record_of(sio, client)
        await eventually(lambda: not connection.decoder.pending and not connection.timer_key)
        question = asyncio.create_task(sio.call("late?", to=connection.clients["/"].sid, timeout=WAIT_S))
        await client.receive()
        await client.send("431[]")

        assert await question is None


async def test_events_while_connecting_are_never_dispatched(make_server, running, journal):
    """Events and acknowledgements sent while connect runs do not reach handlers, then or later."""
    sio = make_server()
    gate = asyncio.Event()

    @sio.event
    async def connect(sid, environ):
        await gate.wait()

    @sio.event
    async def message(sid, data):
        journal.note(data)
        return data

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40", '421["message","early"]', '451-2["message",{"_placeholder":true,"num":0}]', b"\x01")
        await eventually(lambda: sio.manager.rooms)
        gate.set()
        assert (await client.receive()).startswith("40{")

        assert await client.ask("message", "late") == ["late"]
        assert journal == ["late"]


async def test_a_second_connect_while_connecting_begins_anew(make_server, running, journal):
    """The connect handler under way is cancelled, another one decides, and other namespaces of the connection live on."""
    sio = make_server(namespaces=["/"])

    @sio.on("connect", namespace="/slow")
    async def connect(sid, environ, auth):
        journal.note(auth)
        try:
            if auth == {"number": 1}:
                await asyncio.Event().wait()
        finally:
            journal.note("over")

    sio.on("hello", lambda _sid: None)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send('40/slow,{"number":1}')
        await journal.until({"number": 1})
        await client.join("/slow", {"number": 2})

        assert await client.ask("hello") == []
        await eventually(lambda: len(journal) == 4)
        assert sorted(map(str, journal)) == ["over", "over", "{'number': 1}", "{'number': 2}"]


async def test_a_second_connect_once_connected_leaves_and_begins_anew(make_server, running, journal):
    """As if the client had left before: its disconnect handler runs, its session is new, other namespaces live on."""
    sio = make_server(namespaces=["/"])
    sio.on("connect", lambda _sid, _environ: journal.note("connect"), namespace="/admin")
    sio.on("disconnect", lambda _sid, reason: journal.note(reason), namespace="/admin")
    sio.on("hello", lambda _sid: None)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        first = await client.join("/admin")
        second = await client.join("/admin")

        assert first != second
        assert journal == ["connect", "client disconnect", "connect"]
        assert list(sio.manager.get_participants("/admin", None)) == [(second, client.eio_sid)]
        assert await client.ask("hello") == []


async def test_a_connect_while_the_disconnect_handler_runs_waits_for_it(make_server, running, journal):
    """A client that the server sent away may come back at once; it is answered when nothing of it is left."""
    sio = make_server()
    gate = asyncio.Event()

    @sio.event
    async def disconnect(sid, reason):
        journal.note(reason)
        await gate.wait()
        journal.note("over")

    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        leaving = asyncio.create_task(sio.disconnect(sid))
        assert await client.receive() == "41"
        await journal.until("server disconnect")
        await client.send("40")
        await eventually(lambda: record_of(sio, client).clients["/"].gone is not None)
        gate.set()

        assert (await client.receive()).startswith('40{"sid":"')
        await leaving
        assert journal == ["server disconnect", "over"]


async def test_a_client_that_is_lost_while_its_connect_waits_leaves_nothing(make_server, running, journal):
    """Nobody waits for a disconnect handler on behalf of a client that is gone."""
    sio = make_server()
    gate = asyncio.Event()

    @sio.event
    async def disconnect(sid, reason):
        journal.note(reason)
        await gate.wait()

    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        leaving = asyncio.create_task(sio.disconnect(sid))
        await journal.until("server disconnect")
        await client.send("40")
        await eventually(lambda: record_of(sio, client).clients["/"].gone is not None)
        await sio.eio.close_client(client.eio_sid, "transport error", abort=True)
        gate.set()
        await leaving

        await eventually(lambda: not remains(sio))
        assert journal == ["server disconnect"]


async def test_late_packets_of_a_namespace_the_server_ended_are_ignored(application, running, journal):
    """An event that crossed the server's DISCONNECT on its way closes nothing and reaches nobody."""
    async with running(application) as address, open_websocket(address) as client:
        sid = await client.join()
        await application.disconnect(sid)
        assert await client.receive() == "41"
        await client.send('421["late"]', "431[]", "41")
        await client.join()

        assert await client.ask("hello") == []
        assert ("late",) not in journal


@TRANSPORTS
async def test_an_unknown_namespace_is_answered(application, running, transport):
    """CONNECT to an unknown namespace is answered `Invalid namespace` and the connection lives on."""
    async with running(application) as address, OPENERS[transport](address) as client:
        await client.send("40/random")
        assert await client.receive() == '44/random,{"message":"Invalid namespace"}'
        await client.send('40/random?token=1,{"a":1}')
        assert await client.receive() == '44/random,{"message":"Invalid namespace"}'

        await client.join()


async def test_the_query_string_of_a_namespace_does_not_change_where_it_leads(make_server, running, journal):
    """`/admin?x=1` is `/admin`, for CONNECT and for events: no second set of rules applies to it."""
    sio = make_server()

    @sio.on("connect", namespace="/admin")
    async def connect(sid, environ, auth):
        journal.note("connect")

    @sio.on("go", namespace="/admin")
    async def go(sid):
        return "gone"

    async with running(sio) as address, open_websocket(address) as client:
        await client.send('40/admin?x=1,{"token":1}')
        assert (await client.receive()).startswith("40/admin,{")
        await client.send('42/admin?y=2,1["go"]')

        assert await client.receive() == '43/admin,1["gone"]'
        assert journal == ["connect"]
