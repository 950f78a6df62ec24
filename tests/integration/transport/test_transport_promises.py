"""What the transport promises to an application, and how its handlers are called."""

from __future__ import annotations

import json

import aiohttp
import msgpack
import pytest
import socketio

import fastsio
from fastsio import Auth, Environ, Reason, SocketID
from tests.integration.clients import OPENERS, Closed, eventually, open_polling, open_websocket, remains
from tests.support.waiting import WAIT_S

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "polling"])


@TRANSPORTS
async def test_the_environ_has_the_address_of_the_client(make_server, running, journal, transport):
    """REMOTE_ADDR and REMOTE_PORT are those of the peer; a forwarded-for header is not believed."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note((environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]), environ["SERVER_PORT"]))

    headers = {"X-Forwarded-For": "6.6.6.6"}
    async with running(sio, forwarded_allow_ips="") as address:
        async with OPENERS[transport](address, headers=headers, source="127.0.0.2") as client:
            await client.join()

        assert len(journal) == 1
        host, port, server_port = journal[0]
        assert host == "127.0.0.2"
        assert port not in (0, address.port)
        assert server_port == str(address.port)


async def test_the_address_behind_a_trusted_proxy_is_that_of_the_client(make_server, running, journal):
    """A server that trusts its proxy corrects the scope, and REMOTE_ADDR follows."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note(environ["REMOTE_ADDR"])

    async with running(sio, proxy_headers=True, forwarded_allow_ips="127.0.0.1") as address:
        async with open_websocket(address, headers={"X-Forwarded-For": "6.6.6.6"}) as client:
            await client.join()

        assert journal == ["6.6.6.6"]


async def test_intervals_below_a_second_are_kept(make_server, running):
    """pingInterval and pingTimeout are whole milliseconds as configured, and pings come at that rate."""
    sio = make_server(ping_interval=0.3, ping_timeout=0.9)
    async with running(sio) as address, open_websocket(address) as client:
        assert (client.handshake["pingInterval"], client.handshake["pingTimeout"]) == (300, 900)
        await client.join()

        assert await client.socket.recv() == "2"


@pytest.mark.parametrize("frame", ["", "x", "9", "2", "2probe"])
async def test_a_malformed_frame_ends_the_session_at_once(make_server, running, journal, frame):
    """A frame that is no Engine.IO packet ends the session and runs the disconnect handler at once."""
    sio = make_server()
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send(frame)
        await client.closed()
        await eventually(lambda: not remains(sio))

        assert journal == ["transport error"]


async def test_many_packets_in_a_post_are_all_handled(make_server, running, journal):
    """A POST of a client that was offline carries all it has kept; none is lost."""
    sio = make_server()
    sio.on("count", lambda _sid, number: journal.note(number))
    async with running(sio) as address, open_polling(address) as client:
        await client.join()
        assert (await client.post(*[f'42["count",{number}]' for number in range(40)])).text == "ok"
        await journal.until(39)

        assert journal == list(range(40))


async def test_an_unknown_packet_type_in_a_post_is_refused(make_server, running, journal):
    """An unknown Engine.IO packet over polling is answered 400 and ends the session."""
    sio = make_server()
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with running(sio) as address, open_polling(address) as client:
        await client.join()

        assert (await client.post("9")).status_code == 400
        await journal.until("transport error")


async def test_a_client_that_says_goodbye_is_reported_so(make_server, running, journal):
    """The reason tells a close packet, a closed WebSocket and a DISCONNECT apart from a failure."""
    sio = make_server()
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with running(sio) as address:
        async with open_websocket(address) as client:
            await client.join()
            await client.send("1")
            await journal.until("client disconnect")
        async with open_websocket(address) as client:
            await client.join()
        await journal.until("transport close")
        async with open_websocket(address) as client:
            await client.join()
            await client.send("41")
            await journal.until("client disconnect", count=2)


async def test_a_silent_client_times_out(make_server, running, journal):
    """A client that does not answer pings is gone after ping_interval + ping_timeout, and leaves nothing."""
    sio = make_server(ping_interval=0.1, ping_timeout=1)
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with running(sio) as address, open_websocket(address) as client:
        await client.socket.send("40")
        await journal.until("ping timeout")

        await eventually(lambda: not remains(sio))


async def pack(client, **packet) -> None:
    """Send a packet of the msgpack serializer."""
    await client.send(msgpack.packb(packet))


async def unpack(client):
    """Return the next packet of the msgpack serializer."""
    return msgpack.unpackb(await client.receive())


@TRANSPORTS
async def test_a_msgpack_disconnect_has_no_data(make_server, running, transport):
    """DISCONNECT in MessagePack leaves data out, where nil is an invalid payload to the JavaScript parser."""
    sio = make_server(serializer="msgpack")
    async with running(sio) as address, OPENERS[transport](address) as client:
        await pack(client, type=0, nsp="/")
        opened = await unpack(client)
        await sio.disconnect(opened["data"]["sid"])

        assert await unpack(client) == {"type": 1, "nsp": "/"}


async def test_a_msgpack_refusal_under_always_connect_has_no_data(make_server, running):
    """The refusal under always_connect is a bare DISCONNECT in MessagePack too."""
    sio = make_server(serializer="msgpack", always_connect=True)
    sio.on("connect", lambda _sid, _environ: False)
    async with running(sio) as address, open_websocket(address) as client:
        await pack(client, type=0, nsp="/")

        assert (await unpack(client))["type"] == 0
        assert await unpack(client) == {"type": 1, "nsp": "/"}


MSGPACK_MALFORMED = [
    {"type": 5, "nsp": "/", "data": ["a"]},
    {"type": -1, "nsp": "/"},
    {"type": True, "nsp": "/"},
    {"type": 2, "data": ["a"]},
    {"type": 2, "nsp": 5, "data": ["a"]},
    {"type": 2, "nsp": "/", "data": "a"},
    {"type": 2, "nsp": "/", "data": []},
    {"type": 2, "nsp": "/", "data": ["disconnect"]},
    {"type": 2, "nsp": "/", "data": ["a"], "id": -1},
    {"type": 2, "nsp": "/", "data": ["a"], "id": 2**53},
    {"type": 3, "nsp": "/", "data": []},
    {"type": 1, "nsp": "/", "data": {}},
    {"type": 4, "nsp": "/", "data": {}},
    [1, 2],
    5,
]


async def test_malformed_msgpack_closes_the_connection(make_server, running, journal):
    """What is no packet in MessagePack closes its connection and runs the disconnect handler."""
    sio = make_server(serializer="msgpack")
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    survivors = []
    frames = [msgpack.packb(packet) for packet in MSGPACK_MALFORMED]
    async with running(sio) as address:
        for frame in [*frames, b"", b"\xc1", b"\x81", b"\x91" * 2000, "text"]:
            async with open_websocket(address) as client:
                await pack(client, type=0, nsp="/")
                await unpack(client)
                await client.send(frame if isinstance(frame, bytes) else f"4{frame}")
                try:
                    survivors.append((frame, await client.receive()))
                except Closed:
                    continue

        assert survivors == []
        await eventually(lambda: not remains(sio))
        assert journal == ["transport error"] * (len(MSGPACK_MALFORMED) + 5)


async def test_unannotated_handlers_are_called_as_python_socketio_calls_them(make_server, running, journal):
    """Parameters named sid, environ, auth, data, reason or event are filled by position, never by name."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ, auth):
        journal.note(("connect", environ["REQUEST_METHOD"], auth))

    @sio.event
    async def message(sid, data):
        return data

    @sio.event
    async def pair(environ, event, reason=None):
        return event, reason

    @sio.on("*")
    async def anything(event, sid, data):
        return event, data

    @sio.event
    async def disconnect(sid, reason):
        journal.note(("disconnect", reason))

    async with running(sio) as address, open_websocket(address) as client:
        await client.join(auth={"token": 1})
        assert await client.ask("message", {"a": 1}) == [{"a": 1}]
        assert await client.ask("pair", "first", "second") == ["first", "second"]
        assert await client.ask("other", 5) == ["other", 5]
        await client.close()
        await journal.until(("disconnect", "transport close"))

        assert journal[0] == ("connect", "GET", {"token": 1})


async def test_annotated_handlers_may_name_their_parameters_as_they_like(make_server, running, journal):
    """A parameter is injected for its annotation, in any order and under any name."""
    sio = make_server()

    @sio.event
    async def connect(credentials: Auth, who: SocketID, request: Environ):
        journal.note((credentials, who, request["REQUEST_METHOD"]))

    @sio.event
    async def disconnect(why: Reason, who: SocketID):
        journal.note((why, who))

    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join(auth="secret")
        await client.close()
        await journal.until(("transport close", sid))

        assert journal[0] == ("secret", sid, "GET")


async def test_types_without_a_marker_change_nothing(make_server, running):
    """`sid: str, data: dict` alone is a python-socketio handler: no validation, called by position."""
    sio = make_server()

    @sio.event
    async def message(sid: str, data: dict, flag: int = 0) -> list:
        return [data, flag]

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()

        assert await client.ask("message", "no dict", "no int") == [["no dict", "no int"]]


def test_nothing_of_the_package_pickles():
    """No module of fastsio imports pickle (CVE-2025-61765)."""
    from pathlib import Path

    sources = Path(fastsio.__file__).parent.rglob("*.py")

    assert [path.name for path in sources if "pickle" in path.read_text()] == []


async def test_numbers_that_json_has_not_are_never_sent(make_server, running):
    """NaN and Infinity, which JavaScript refuses, leave as null."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await sio.emit("numbers", [float("nan"), float("inf"), 1.5])

        assert json.loads((await client.receive())[2:]) == ["numbers", [None, None, 1.5]]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("collected")
async def test_a_burst_reaches_a_polling_client_in_python(make_server, running, journal):
    """python-engineio's client loses what a poll brings if it is more than 16 packets, and gets no more than these."""
    sio = make_server()

    @sio.event
    async def burst(sid):
        for number in range(100):
            await sio.emit("number", number, to=sid)

    async with running(sio) as address, aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, http_session=http_session)
        client.on("number", journal.note)
        await client.connect(address.http, transports=["polling"], wait_timeout=WAIT_S)
        await client.emit("burst")
        await journal.until(99)
        await client.disconnect()

    assert journal == list(range(100))
