"""Connection state recovery under attack, over real transports: whoever has no right to a session does not get it."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

import fastsio
from fastsio.exceptions import ConnectionRefusedError as Refused
from tests.integration.clients import Closed, Journal, WebSocketClient, eventually, open_websocket
from tests.integration.redis_nodes import Threaded
from tests.support.servers import FAST_WS, Address, serve
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCOUNTS = {"token of ann": "ann", "token of eve": "eve"}


def decide(auth: Any, recovered: Any) -> str:
    """Return the user of a client; refuse one that comes back to the session of another user."""
    user = ACCOUNTS.get((auth or {}).get("token"))
    if user is None or (recovered and recovered.session.get("user") != user):
        raise Refused("not allowed")
    return user


class Site:
    """
    A server that knows its users by a token.

    Attributes:
        sio: The server, with the methods of one for asyncio.
        journal: What its handlers saw: of each connect the user, what was left of auth, and whether it came back.
    """

    def __init__(self, sio: Any, address: Address, journal: Journal, stack: AsyncExitStack) -> None:
        self.sio, self.address, self.journal = sio, address, journal
        self._stack = stack

    async def open(self) -> WebSocketClient:
        """Open a connection, and join no namespace."""
        return await self._stack.enter_async_context(open_websocket(self.address))

    async def ask(self, auth: Any, namespace: str = "/") -> tuple[WebSocketClient, list[Any], dict[str, Any]]:
        """Connect; return the connection, the events that come before the answer, and the answer."""
        client, place = await self.open(), "" if namespace == "/" else f"{namespace},"
        await client.send(f"40{place}{json.dumps(auth)}")
        events: list[Any] = []
        while not str(frame := await client.receive()).startswith((f"40{place}", f"44{place}")):
            events.append(json.loads(str(frame)[2 + len(place) :])[:-1])
        answer: dict[str, Any] = json.loads(str(frame)[2 + len(place) :])
        return client, events, answer

    async def lost(self, user: str = "ann") -> dict[str, Any]:
        """Let a client connect, enter a room and lose its connection; return its sid and pid. It misses an event."""
        client, _, session = await self.ask({"token": f"token of {user}"})
        await self.sio.enter_room(session["sid"], "tea")
        await client.vanish()
        await self.journal.until(("disconnect", session["sid"]))
        await eventually(lambda: not list(self.sio.manager.get_participants("/", session["sid"])))
        await self.sio.emit("secret", 1, room="tea")
        return session

    async def still_there(self, session: dict[str, Any]) -> None:
        """Let the rightful client come back, to everything."""
        _, missed, answer = await self.ask({"token": "token of ann", "pid": session["pid"]})
        assert (answer, missed) == (session, [["secret", 1]])
        assert "tea" in self.sio.rooms(session["sid"])


def make_asyncio(mode: str, journal: Journal, **options: Any) -> fastsio.AsyncServer:
    """Make a server for asyncio."""
    sio = fastsio.AsyncServer(async_mode=mode, namespaces=["/", "/chat"], **options)

    @sio.event
    async def connect(
        sid: fastsio.SocketID, auth: fastsio.Auth, session: fastsio.Session, recovered: fastsio.Recovered
    ) -> None:
        session["user"] = decide(auth, recovered)
        journal.note(("connect", session["user"], auth, bool(recovered)))

    @sio.event
    async def disconnect(sid: fastsio.SocketID) -> None:
        journal.note(("disconnect", sid))

    return sio


def make_threads(journal: Journal, **options: Any) -> fastsio.Server:
    """Make the same for threads."""
    sio = fastsio.Server(async_mode="threading", namespaces=["/", "/chat"], **options)
    loop = asyncio.get_running_loop()

    def note(what: Any) -> None:
        loop.call_soon_threadsafe(journal.note, what)

    @sio.event
    def connect(
        sid: fastsio.SocketID, auth: fastsio.Auth, session: fastsio.Session, recovered: fastsio.Recovered
    ) -> None:
        session["user"] = decide(auth, recovered)
        note(("connect", session["user"], auth, bool(recovered)))

    @sio.event
    def disconnect(sid: fastsio.SocketID) -> None:
        note(("disconnect", sid))

    return sio


@asynccontextmanager
async def site_on(kind: str, journal: Journal, **options: Any) -> AsyncIterator[Site]:
    """Serve on one of the transports."""
    options = {"connection_state_recovery": True, **options}
    async with AsyncExitStack() as stack:
        if kind == "threads":
            sio: Any = Threaded(make_threads(journal, **options))
            address = stack.enter_context(serve_werkzeug(fastsio.WSGIApp(sio.server)))
        elif kind == "aiohttp":
            sio, app = make_asyncio("aiohttp", journal, **options), web.Application()
            sio.attach(app)
            runner = web.AppRunner(app, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            server = web.TCPSite(runner, "127.0.0.1", 0)
            await server.start()
            address = Address(*runner.addresses[0])
        else:
            sio = make_asyncio("asgi", journal, **options)
            ws = {"ws": FAST_WS} if kind == "fast" else {}
            address = await stack.enter_async_context(serve(fastsio.ASGIApp(sio), **ws))
        stack.push_async_callback(sio.shutdown)
        async with AsyncExitStack() as clients:
            yield Site(sio, address, journal, clients)


@pytest.fixture(params=["uvicorn", "fast", "aiohttp", "threads"])
async def site(request, journal) -> AsyncIterator[Site]:
    """A server on each transport; clients that come with one pid wait for each other as long as that takes."""
    async with site_on(request.param, journal, connection_state_recovery={"takeover_timeout": WAIT_S}) as site:
        yield site


@pytest.mark.parametrize(
    "offset", ["1718000000000-0", "PFPvQ1z", "PFPvQ1z.5", "9f1c-17", "~99~", "6560f1a2b3c4d5e6f7a8b9c0"]
)
async def test_offsets_of_other_servers_end_the_session(site, offset):
    """Those of a Redis Stream, of JavaScript, of a room's history, and of another server's events: nothing is sent."""
    session = await site.lost()

    _, missed, answer = await site.ask({"token": "token of ann", "pid": session["pid"], "offset": offset})

    assert missed == []
    assert answer["sid"] != session["sid"]
    assert answer["pid"] != session["pid"]
    assert site.sio.rooms(answer["sid"]) == [answer["sid"]]


async def test_a_pid_is_nothing_in_another_namespace(site):
    """The session stays for the client that it is of."""
    session = await site.lost()

    _, missed, answer = await site.ask({"pid": session["pid"]}, "/chat")

    assert missed == []
    assert session["sid"] not in answer.values()
    await site.still_there(session)


async def test_another_user_with_a_stolen_pid_gets_nothing(site):
    """The connect handler refuses it before any event is sent; the session is over, and no client has its room."""
    session = await site.lost()

    client, missed, answer = await site.ask({"token": "token of eve", "pid": session["pid"]})
    await site.sio.emit("secret", 2, room="tea")

    assert (missed, answer) == ([], {"message": "not allowed"})
    assert list(site.sio.manager.get_participants("/", "tea")) == []
    await client.send("40/chat,")
    assert str(await client.receive()).startswith("40/chat,")  # and not what the room was sent
    _, missed, answer = await site.ask({"token": "token of ann", "pid": session["pid"]})
    assert missed == []
    assert answer["sid"] != session["sid"]


async def test_a_pid_without_a_token_is_no_ticket(site):
    """Who comes with a pid alone is refused as any client without a token is."""
    session = await site.lost()

    _, missed, answer = await site.ask({"pid": session["pid"]})

    assert (missed, answer) == ([], {"message": "not allowed"})


@pytest.mark.parametrize("kind", ["uvicorn", "fast", "aiohttp", "threads"])
async def test_skipped_middlewares_do_not_skip_the_connect_handler(kind, journal):
    """With skip_middlewares the connect handler still refuses another user."""
    async with site_on(kind, journal, connection_state_recovery={"skip_middlewares": True}) as site:
        session = await site.lost()

        _, missed, answer = await site.ask({"token": "token of eve", "pid": session["pid"]})

        assert (missed, answer) == ([], {"message": "not allowed"})


@pytest.mark.parametrize(
    ("pid", "offset"),
    [
        (5, "~1~"),
        (None, None),
        (["x"], "~1~"),
        ({"pid": 1}, {}),
        (True, "~1~"),
        ("real", 1),
        ("real", None),
        ("real", ["~1~"]),
    ],
)
async def test_what_is_no_text_is_taken_out_and_not_looked_at(site, pid, offset):
    """The client is new, its handler sees neither, and the session stays for its client."""
    session = await site.lost()

    auth = {"token": "token of ann", "pid": session["pid"] if pid == "real" else pid, "offset": offset}
    _, missed, answer = await site.ask(auth)

    assert missed == []
    assert answer["sid"] != session["sid"]
    await site.journal.until(("connect", "ann", {"token": "token of ann"}, False))
    await site.still_there(session)


@pytest.mark.parametrize("name", ["pid", "offset"])
async def test_what_is_huge_is_refused_before_it_is_looked_at(site, name):
    """As any auth of that size is; the session stays, and others are served."""
    session = await site.lost()

    _, missed, answer = await site.ask({"token": "token of ann", "pid": session["pid"], name: "~" + "1" * 200_000})

    assert (missed, answer) == ([], {"message": "Too much auth"})
    await site.still_there(session)


@pytest.mark.parametrize("name", ["pid", "offset"])
async def test_what_is_long_is_not_found(site, name):
    """A text of a length that auth may have brings a new client."""
    session = await site.lost()

    _, missed, answer = await site.ask({"token": "token of ann", "pid": session["pid"], name: "~" + "1" * 60_000 + "~"})

    assert missed == []
    assert answer["sid"] != session["sid"]


async def test_of_many_that_come_with_one_pid_one_is_the_client_at_the_end(site):
    """Each takes over from the one before, so that there is one connection in its rooms, and each event comes once."""
    session = await site.lost()
    clients = [await site.open() for _ in range(8)]
    frame = "40" + json.dumps({"token": "token of ann", "pid": session["pid"]})

    readers = [Reader(client) for client in clients]
    await asyncio.gather(*[client.send(frame) for client in clients])
    await eventually(lambda: sum(reader.is_over for reader in readers) == len(readers) - 1)
    (last,) = [reader for reader in readers if not reader.is_over]
    await eventually(lambda: last.answers)
    await eventually(lambda: len(list(site.sio.manager.get_participants("/", "tea"))) == 1)
    await site.sio.emit("news", 2, room="tea")
    await eventually(lambda: "news" in last.events)

    assert [answer for reader in readers for answer in reader.answers if answer != session] == []
    assert last.answers == [session]
    assert last.events in (["secret", "news"], ["news"])  # those before it may have got the first
    last.stop()


class Reader:
    """
    Reads what a connection gets, in the background.

    Attributes:
        answers: The answers to its CONNECT.
        events: The names of its events.
    """

    def __init__(self, client: WebSocketClient) -> None:
        self.answers: list[Any] = []
        self.events: list[str] = []
        self._client = client
        self._task = asyncio.create_task(self._read())

    @property
    def is_over(self) -> bool:
        """Whether the server has closed the connection."""
        return self._task.done()

    def stop(self) -> None:
        """Read no more."""
        self._task.cancel()

    async def _read(self) -> None:
        with suppress(Closed):
            while True:
                frame = str(await self._client.receive())
                if frame.startswith("40"):
                    self.answers.append(json.loads(frame[2:]))
                else:
                    self.events.append(json.loads(frame[2:])[0])
