"""Every limit is an option and is enforced."""

from __future__ import annotations

import asyncio
import json

import pytest

from fastsio.exceptions import SetupError
from tests.integration.clients import eventually, open_polling, open_websocket, record_of, remains


def nested(depth: int) -> str:
    """Return the payload of an event with *depth* arrays inside each other, its own included."""
    return '["echo",' + "[" * (depth - 1) + "]" * (depth - 1) + "]"


def placeholders(count: int) -> str:
    """Return the payload of an event with *count* attachments."""
    return json.dumps(["echo", *({"_placeholder": True, "num": number} for number in range(count))])


#: Option, its value, frames within the limit that are acknowledged, frames beyond it.
LIMITS = [
    ("max_attachments", 2, [f"452-1{placeholders(2)}", b"a", b"b"], [f"453-1{placeholders(3)}"]),
    ("max_binary_bytes", 4, [f"452-1{placeholders(2)}", b"ab", b"cd"], [f"452-1{placeholders(2)}", b"ab", b"cde"]),
    ("max_json_depth", 5, [f"421{nested(5)}"], [f"421{nested(6)}"]),
    ("max_event_length", 4, ['421["echo"]'], ['421["echos"]']),
    ("max_ack_id", 9, ['429["echo"]'], ['4210["echo"]']),
    ("max_namespace_length", 5, ['421["echo"]'], ["40/12345"]),
    ("max_http_buffer_size", 200, [f'421["echo","{"x" * 150}"]'], [f'421["echo","{"x" * 250}"]']),
]


@pytest.mark.parametrize(("option", "value", "within", "beyond"), LIMITS, ids=[row[0] for row in LIMITS])
async def test_the_limit_is_an_option(make_server, running, journal, option, value, within, beyond):
    """What is within the limit is served, what is beyond it closes the connection."""
    sio = make_server(**{option: value})
    sio.on("echo", lambda _sid, *_: None)
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send(*within)
        assert (await client.receive()).startswith("43")
        await client.send(*beyond)

        await client.closed()
        assert journal == ["transport error"]


async def test_max_namespaces(make_server, running):
    """A connection may be in max_namespaces namespaces; one more is answered CONNECT_ERROR."""
    sio = make_server(namespaces="*", max_namespaces=2)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join("/a")
        await client.join("/b")
        await client.send("40/c")
        assert await client.receive() == '44/c,{"message":"Too many namespaces"}'
        await client.send("41/b,")

        await client.join("/b")


async def test_namespaces_that_were_left_make_place(make_server, running):
    """Only namespaces a client is in count, and the record of a connection does not grow with those it left."""
    sio = make_server(namespaces="*", max_namespaces=3)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join("/stays")
        for number in range(10):
            await client.join(f"/{number}")
            await client.send(f"41/{number},")
        await client.join("/last")

        assert len(record_of(sio, client).clients) == 3
        assert sorted(sio.manager.get_namespaces()) == ["/last", "/stays"]


async def test_max_rooms(make_server, running):
    """A client may be in max_rooms rooms beside its own; leaving one makes place."""
    sio = make_server(max_rooms=2)
    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        await sio.enter_room(sid, "a")
        await sio.enter_room(sid, "b")
        with pytest.raises(ValueError, match="max_rooms=2"):
            await sio.enter_room(sid, "c")
        await sio.leave_room(sid, "a")
        await sio.enter_room(sid, "c")

        assert sio.rooms(sid) == [sid, "b", "c"]


async def test_max_concurrent_handlers(make_server, running, journal):
    """C-34: beyond max_concurrent_handlers the connection's next event waits; another connection does not."""
    sio = make_server(max_concurrent_handlers=2)
    gate = asyncio.Event()

    @sio.event
    async def work(sid, number):
        journal.note(number)
        await gate.wait()

    @sio.event
    async def ping(sid):
        return "pong"

    async with running(sio) as address, open_websocket(address) as busy, open_websocket(address) as other:
        await busy.join()
        await other.join()
        await busy.send(*[f'42["work",{number}]' for number in range(5)])
        await journal.until(1)
        assert await other.ask("ping") == ["pong"]
        assert journal == [0, 1]
        gate.set()

        await journal.until(4)
        assert journal == [0, 1, 2, 3, 4]


async def test_max_held_packets(make_server, running, caplog):
    """Under always_connect a client that sends more than max_held_packets before it is let in is closed."""
    sio = make_server(always_connect=True, max_held_packets=2)

    @sio.event
    async def connect(sid, environ):
        await asyncio.Event().wait()

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send('42["a"]', '42["a"]', '42["a"]')
        await client.closed()
        await eventually(lambda: not remains(sio))

        assert "too many events before connect was decided" in caplog.text


async def test_max_held_packets_bounds_what_connect_emits(make_server, running, caplog):
    """What is emitted to a client that is not let in yet is bounded too; the rest is dropped with a warning."""
    sio = make_server(max_held_packets=2)

    @sio.event
    async def connect(sid, environ):
        for number in range(4):
            await sio.emit("hello", number, to=sid)

    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await sio.emit("after")

        assert [await client.receive() for _ in range(3)] == ['42["hello",0]', '42["hello",1]', '42["after"]']
        assert "max_held_packets" in caplog.text


async def test_connect_timeout(make_server, running, caplog):
    """A connection that joins no namespace within connect_timeout is closed."""
    sio = make_server(connect_timeout=0.1)
    async with running(sio) as address, open_websocket(address) as silent, open_polling(address) as polling:
        await silent.closed()
        await polling.closed()
        await eventually(lambda: not remains(sio))

        assert caplog.text.count("no namespace joined in time") == 2


async def test_connect_timeout_runs_on_for_a_client_that_is_refused(make_server, running):
    """Neither a refusal nor an unknown namespace stops the clock."""
    sio = make_server(connect_timeout=1.0)
    sio.on("connect", lambda _sid, _environ: False)
    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40", "40/unknown")
        assert {(await client.receive())[:3] for _ in range(2)} == {"44{", "44/"}

        await client.closed()


async def test_connect_timeout_ends_a_connect_handler_that_hangs(make_server, running, journal):
    """A connect handler that does not decide within connect_timeout is cancelled with its connection."""
    sio = make_server(connect_timeout=1.0)

    @sio.event
    async def connect(sid, environ):
        try:
            await asyncio.Event().wait()
        finally:
            journal.note("over")

    async with running(sio) as address, open_websocket(address) as client:
        await client.send("40")
        await client.closed()

        await journal.until("over")
        await eventually(lambda: not remains(sio))


async def test_connect_timeout_is_over_once_joined(make_server, running):
    """A client that joined in time stays, also after it left every namespace."""
    sio = make_server(connect_timeout=1.0)
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await client.send("41")
        async with open_websocket(address) as silent:
            await silent.closed()

        await client.join()


@pytest.mark.parametrize(
    "option",
    [
        "max_namespaces",
        "max_rooms",
        "max_pending_acks",
        "max_concurrent_handlers",
        "max_held_packets",
        "connect_timeout",
        "attachment_timeout",
        "shutdown_timeout",
        "max_attachments",
        "max_json_depth",
        "max_event_length",
        "max_ack_id",
        "max_namespace_length",
        "max_binary_bytes",
    ],
)
def test_a_limit_that_is_no_number_is_refused(make_server, option):
    """A limit that makes no sense fails when the server is created, and the message names it."""
    for value in (-1, "10", True):
        with pytest.raises(SetupError, match=option):
            make_server(**{option: value})


@pytest.mark.parametrize("option", ["max_buffer_packets", "max_buffer_bytes", "slow_client", "upgrade_timeout"])
def test_an_option_of_the_transport_that_makes_no_sense_is_refused(make_server, option):
    """The options of the transport are checked likewise."""
    with pytest.raises(ValueError, match=option):
        make_server(**{option: -1})
