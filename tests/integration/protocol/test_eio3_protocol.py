"""Socket.IO protocol 3 and 4 on the wire: joining, refusals, sids, events, limits, next to clients of protocol 5."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.exceptions import ConnectionRefusedError as Refused
from tests.shells.engine.wire import WebSocketClient, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable


class Site:
    """A server without a network, and what its handlers saw."""

    def __init__(self, **options: Any) -> None:
        logger = logging.getLogger("tests.socketio")
        logger.setLevel(logging.DEBUG)
        self.sio = fastsio.AsyncServer(async_mode="asgi", allow_eio3=True, logger=logger, **options)
        self.engine = self.sio.eio
        self.seen: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self._disconnect)
        self.sio.on("connect", self._connect_admin, namespace="/admin")
        self.sio.on("disconnect", self._disconnect, namespace="/admin")
        self.sio.on("echo", self._echo)
        self.sio.on("echo", self._echo, namespace="/admin")
        self.on_connect: Callable[[], Any] = lambda: None

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> Any:
        self.seen.put_nowait(("connect", sid, auth))
        verdict = self.on_connect()
        return await verdict if inspect.isawaitable(verdict) else verdict

    async def _connect_admin(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        self.seen.put_nowait(("admin", sid, auth))
        if auth == {"token": "wrong"}:
            raise Refused("no", {"code": 42})

    async def _disconnect(self, sid: str, reason: str) -> None:
        self.seen.put_nowait(("disconnect", sid, reason))

    async def _echo(self, sid: str, *args: Any) -> Any:
        return (sid, *args)

    async def saw(self) -> tuple[Any, ...]:
        """Wait for the next call of a handler."""
        return await soon(self.seen.get())


async def open_client(site: Site) -> tuple[WebSocketClient, str]:
    """Open an Engine.IO 3 connection."""
    client = WebSocketClient(site, "EIO=3&transport=websocket")
    return client, await client.opened()


async def join_root(site: Site) -> tuple[WebSocketClient, str]:
    """Open a connection that is in the root namespace."""
    client, eio_sid = await open_client(site)
    assert await client.frame() == "40"
    assert (await site.saw())[0] == "connect"
    return client, eio_sid


@pytest.fixture
def site() -> Site:
    """A server with handlers for the root and for /admin."""
    return Site()


# Joining.


async def test_the_root_is_joined_unasked(site):
    """C-76, C-77: CONNECT without a payload follows OPEN; the sid is the Engine.IO session id and there is no auth."""
    client, eio_sid = await open_client(site)

    assert await client.frame() == "40"
    assert await site.saw() == ("connect", eio_sid, None)
    assert site.sio.rooms(eio_sid) == [eio_sid]


@pytest.mark.parametrize(
    ("frame", "auth"),
    [
        ("40/admin", None),
        ("40/admin,", None),
        ("40/admin?token=a%2Cb&token=c,", {"token": "c"}),
        ("40/admin?token=1", {"token": "1"}),
    ],
)
async def test_a_namespace_is_joined_with_a_query(site, frame, auth):
    """C-76: the query is the auth; a comma may follow. The sid is the namespace and the Engine.IO session id."""
    client, eio_sid = await join_root(site)

    client.say(frame)

    assert await client.frame() == "40/admin,"
    assert await site.saw() == ("admin", f"/admin#{eio_sid}", auth)


async def test_a_namespace_is_joined_before_the_root_has_decided(site):
    """The client does not wait for the root; each namespace is answered on its own."""
    decided = asyncio.Event()
    site.on_connect = decided.wait
    site.sio.on("connect", lambda sid, environ: None, namespace="/news")
    client, _ = await open_client(site)

    client.say("40/news,")

    assert await client.frame() == "40/news,"
    decided.set()
    assert await client.frame() == "40"


async def test_a_namespace_is_left_and_joined_again(site):
    """C-77: the sid is the same as before, and nothing of the first time is left."""
    client, eio_sid = await join_root(site)
    sid = f"/admin#{eio_sid}"
    for _ in range(2):
        client.say("40/admin,")
        assert await client.frame() == "40/admin,"
        assert await site.saw() == ("admin", sid, None)
        assert site.sio.rooms(sid, namespace="/admin") == [sid]
        await site.sio.enter_room(sid, "tea", namespace="/admin")

        client.say("41/admin")

        assert await site.saw() == ("disconnect", sid, "client disconnect")
    client.say('421["echo"]')
    assert await client.frame() == f'431["{eio_sid}"]'


async def test_connect_is_answered_first_under_always_connect():
    """CONNECT comes before the handler has decided, a refusal is a DISCONNECT."""
    site = Site(always_connect=True)
    site.on_connect = lambda: False

    client, _ = await open_client(site)

    assert [await client.frame(), await client.frame()] == ["40", "41"]


# Refusals.


async def test_a_refused_root_keeps_the_connection_for_a_while():
    """ERROR holds the text; a connection that joins nothing is closed after connect_timeout."""
    site = Site(connect_timeout=0.1)
    site.on_connect = lambda: False
    client, _ = await open_client(site)

    assert await client.frame() == '44"Connection rejected by server"'
    assert await client.closed() == ["1"]


async def test_a_refusal_is_the_data_of_the_application(site):
    """ERROR holds what was given beside the message."""
    client, _ = await join_root(site)

    client.say("40/admin?token=wrong,")

    assert await client.frame() == '44/admin,{"code":42}'


async def test_an_unknown_namespace_is_refused_with_a_text(site):
    """As the server of these clients did."""
    client, _ = await join_root(site)

    client.say("40/nowhere,")

    assert await client.frame() == '44/nowhere,"Invalid namespace"'


# Events.


async def test_events_and_acknowledgements_have_the_same_form(site):
    """Binary is framed with its type, in both directions."""
    client, eio_sid = await join_root(site)

    client.say('451-7["echo",{"_placeholder":true,"num":0}]')
    client.say(b"\x04\x01\xff")

    assert await client.frame() == f'461-7["{eio_sid}",{{"_placeholder":true,"num":0}}]'
    assert await client.frame() == b"\x04\x01\xff"


async def test_call_gets_the_answer(site):
    """An acknowledgement of the client ends the wait."""
    client, eio_sid = await join_root(site)
    asking = asyncio.create_task(site.sio.call("question", b"\x00", to=eio_sid))

    head, attachment = await client.frame(), await client.frame()
    client.say('431["fine"]')

    assert (head, attachment) == ('451-1["question",{"_placeholder":true,"num":0}]', b"\x04\x00")
    assert await soon(asking) == "fine"


async def test_a_room_may_have_clients_of_both_protocols(site):
    """One emit reaches each in its form."""
    old, old_sid = await join_root(site)
    new = WebSocketClient(site)
    await new.opened()
    new.say("40")
    confirmation = await new.frame()
    _, new_sid, _ = await site.saw()
    for sid in (old_sid, new_sid):
        await site.sio.enter_room(sid, "tea")

    await site.sio.emit("news", b"\x05", room="tea")

    assert confirmation == f'40{{"sid":"{new_sid}"}}'
    head = '451-["news",{"_placeholder":true,"num":0}]'
    assert [await old.frame(), await old.frame()] == [head, b"\x04\x05"]
    assert [await new.frame(), await new.frame()] == [head, b"\x05"]


async def test_the_server_ends_a_namespace(site):
    """DISCONNECT has the same form."""
    client, eio_sid = await join_root(site)

    await site.sio.disconnect(eio_sid)

    assert await client.frame() == "41"
    assert await site.saw() == ("disconnect", eio_sid, "server disconnect")


# What a client must not do.


@pytest.mark.parametrize(
    "frame",
    [
        "4",
        "49",
        "42",
        "42/admin,[]",
        '42/admin,["echo"]',
        '44"no"',
        '4511-["e"]',
        '42["connect"]',
        "40/" + "x" * 300,
        "40/admin?" + "x" * 9000,
        b"\x04hi",
    ],
)
async def test_a_broken_packet_closes_that_connection(site, frame):
    """The root's disconnect handler runs, and another client is not disturbed."""
    client, eio_sid = await join_root(site)
    other, other_sid = await join_root(site)

    client.say(frame)

    assert await site.saw() == ("disconnect", eio_sid, "transport error")
    await client.closed()
    other.say('421["echo"]')
    assert await other.frame() == f'431["{other_sid}"]'


async def test_attachments_that_do_not_come_close_the_connection():
    """attachment_timeout holds for old clients too."""
    site = Site(attachment_timeout=0.1)
    client, eio_sid = await join_root(site)

    client.say('451-["echo",{"_placeholder":true,"num":0}]')

    assert await site.saw() == ("disconnect", eio_sid, "transport error")


async def test_attachments_that_are_too_large_close_the_connection():
    """max_binary_bytes counts what stands after the type."""
    site = Site(max_binary_bytes=3)
    client, eio_sid = await join_root(site)
    client.say('451-1["echo",{"_placeholder":true,"num":0}]')
    client.say(b"\x04xyz")
    assert str(await client.frame()).startswith("461-1")
    assert await client.frame() == b"\x04xyz"

    client.say('451-["echo",{"_placeholder":true,"num":0}]')
    client.say(b"\x04wxyz")

    assert await site.saw() == ("disconnect", eio_sid, "transport error")


# What is left behind.


async def test_nothing_is_left_of_a_client(site):
    """Neither records nor rooms stay once the connection is lost."""
    client, eio_sid = await join_root(site)
    client.say("40/admin,")
    await client.frame()
    await site.saw()

    client.leave()

    assert {(await site.saw())[1] for _ in range(2)} == {eio_sid, f"/admin#{eio_sid}"}
    await until(lambda: not site.sio.environ)
    assert not site.sio._connections
    assert not site.engine.sockets
    assert not dict(site.sio.manager.rooms)


async def test_the_log_does_not_show_whole_sids(site, caplog):
    """C-77: they are the Engine.IO session id, which is a secret of the client."""
    caplog.set_level(logging.DEBUG, "tests.socketio")

    def fail() -> None:
        raise RuntimeError("only for the log")

    site.on_connect = fail
    client, eio_sid = await open_client(site)
    await client.frame()
    client.say("9")
    await client.closed()

    assert any("error in the connect handler" in record.getMessage() for record in caplog.records)
    assert not any(eio_sid in record.getMessage() for record in caplog.records)
