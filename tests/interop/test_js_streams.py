"""Servers of fastsio and of JavaScript on one Redis Stream: events go both ways, and clients move between them."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgpack import unpackb
from redis.asyncio import Redis

import fastsio
from fastsio.exceptions import TimeoutError as AckTimeoutError
from tests.integration.redis_nodes import Threaded
from tests.interop.conftest import PACKAGES, RUNNER
from tests.support.brokers import redis_server
from tests.support.node import NodeProgram, node_program
from tests.support.ports import HOST
from tests.support.redis_cluster import MASTERS, redis_cluster
from tests.support.servers import serve
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.redis_cluster import RedisCluster

SCRIPT = Path(__file__).with_name("streams_server.mjs")
STREAM = "socket.io"
JS_PACKAGES = ("socket.io", "@socket.io/redis-streams-adapter", "redis")


class Pair:
    """
    A server of each kind.

    Attributes:
        sio: That of fastsio.
        js: That of JavaScript.
        urls: Where they are: ``"fastsio"`` and ``"js"``.
    """

    def __init__(self, sio: Any, js: NodeProgram, urls: dict[str, str], redis: Redis) -> None:
        self.sio, self.js, self.urls = sio, js, urls
        self._redis = redis

    @asynccontextmanager
    async def client(self, scenario: str, where: str, **settings: Any) -> AsyncIterator[NodeProgram]:
        """Start a scenario of ``scenarios/streams.mjs`` at a server."""
        settings = {"transports": ["websocket"], **settings}
        arguments = ("streams", scenario, self.urls[where], json.dumps(settings))
        async with node_program(RUNNER, *arguments, packages=PACKAGES) as program:
            yield program

    async def do(self, *command: Any) -> None:
        """Let the JavaScript server do something, and wait until it stands in the stream."""
        found = await self._redis.xrevrange(STREAM, count=1)
        await self.js.tell(command)
        assert await self._redis.xread({STREAM: found[0][0] if found else 0}, block=8000)

    async def miss_events(self, sid: str) -> None:
        """Emit what a client in the room "tea" misses, and what is not for it, at both servers."""
        await self.do("emit", ["tea"], [], "news", "js", 1)
        await self.sio.emit("news", ("fastsio", 1), to=sid)
        await self.do("emit", [], [sid], "news", "not for this client")
        await self.sio.emit("news", "not for this client", skip_sid=sid)
        await self.do("emit", [], ["tea"], "news", "not for this room")
        await self.sio.emit("news", "for another room", room="coffee")
        await self.do("binary", [], "news", "js", 2)
        await self.sio.emit("news", {"b": b"\x03"})

    async def ask(self, step: str, *command: Any) -> Any:
        """Let the JavaScript server ask something, and return what it is told."""
        await self.js.tell(command)
        return await self.js.step(step)

    async def listen_to_each_other(self) -> None:
        """Wait until both servers listen to questions."""

        async def are_two() -> bool:
            (found,) = await self._redis.pubsub_numsub("socket.io#/#")
            return int(found[1]) == 2

        async with asyncio.timeout(WAIT_S):
            while not await are_two():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)

    async def lost(self, pid: str) -> None:
        """Wait until the session of a client is stored as that of one that was lost."""

        async def is_stored() -> bool:
            record = await self._redis.get(f"sio:session:{pid}")
            return record is not None and unpackb(b64decode(record)).get("node") is None

        async with asyncio.timeout(WAIT_S):
            while not await is_stored():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@asynccontextmanager
async def serve_asyncio(url: str, stream: str = STREAM, **options: Any) -> AsyncIterator[tuple[Any, str]]:
    """Serve with asyncio; give the server and where it is. The options are those of its manager."""
    manager = fastsio.AsyncRedisStreamsManager(url, stream, **options)
    sio = fastsio.AsyncServer(async_mode="asgi", client_manager=manager, connection_state_recovery=True)

    @sio.event
    async def enter(sid: fastsio.SocketID, room: str) -> None:
        await sio.enter_room(sid, room)

    @sio.event
    async def rooms(sid: fastsio.SocketID) -> list[str]:
        return sorted(sio.rooms(sid))

    @sio.event
    async def remember(sid: fastsio.SocketID, value: str) -> None:
        await sio.save_session(sid, {"value": value})

    async with serve(fastsio.ASGIApp(sio)) as address:
        yield sio, address.http
        await sio.shutdown()


@asynccontextmanager
async def serve_threads(url: str, stream: str = STREAM, **options: Any) -> AsyncIterator[tuple[Any, str]]:
    """The same with threads; the server has the methods of one for asyncio."""
    manager = fastsio.RedisStreamsManager(url, stream, **options)
    sio = fastsio.Server(async_mode="threading", client_manager=manager, connection_state_recovery=True)

    @sio.event
    def enter(sid: fastsio.SocketID, room: str) -> None:
        sio.enter_room(sid, room)

    @sio.event
    def rooms(sid: fastsio.SocketID) -> list[str]:
        return sorted(sio.rooms(sid))

    @sio.event
    def remember(sid: fastsio.SocketID, value: str) -> None:
        sio.save_session(sid, {"value": value})

    threaded = Threaded(sio)
    with serve_werkzeug(fastsio.WSGIApp(sio)) as address:
        yield threaded, address.http
        await threaded.shutdown()


@asynccontextmanager
async def serve_pair(broker: Any, serve_fastsio: Any, **options: Any) -> AsyncIterator[Pair]:
    """Serve with fastsio, whose manager has the options, and with JavaScript."""
    async with AsyncExitStack() as stack:
        sio, url = await stack.enter_async_context(serve_fastsio(broker.url, **options))
        js = await stack.enter_async_context(node_program(SCRIPT, broker.url, STREAM, packages=JS_PACKAGES))
        urls = {"fastsio": url, "js": f"http://{HOST}:{await js.step('listens')}"}
        client = await stack.enter_async_context(Redis.from_url(broker.url))
        yield Pair(sio, js, urls, client)


@pytest.fixture(params=[serve_asyncio, serve_threads], ids=["asyncio", "threads"])
async def pair(broker, request) -> AsyncIterator[Pair]:
    """A server of each kind on one Redis."""
    async with serve_pair(broker, request.param) as pair:
        yield pair


@pytest.fixture(params=[serve_asyncio, serve_threads], ids=["asyncio", "threads"])
async def asking(broker, request) -> AsyncIterator[Pair]:
    """The same, and each server listens to the questions of the other."""
    async with serve_pair(broker, request.param, channel_prefix="socket.io") as pair:
        yield pair


#: What a client tells that has been lost at one server and come back to the other.
MOVED = {
    "same": True,
    "recovered": True,
    "missed": 5,
    "news": [["seen"], ["js", 1], ["fastsio", 1], ["js", 2, {"bytes": "0102"}], [{"b": {"bytes": "03"}}]],
}


async def test_a_client_moves_from_javascript(pair):
    """A client of the JavaScript server comes back to fastsio, with what it had and what it missed, of both servers."""
    async with pair.client("moves", "js", other=pair.urls["fastsio"]) as client:
        sid = (await pair.js.step("joined"))["sid"]
        assert await client.step("connected") == sid
        await pair.do("emit", ["tea"], [], "news", "seen")
        pid = await client.step("dropped")
        assert await pair.js.step("left") == {"sid": sid, "reason": "transport close"}
        await pair.lost(pid)
        await pair.miss_events(sid)
        await client.tell()
        await client.step("back")
        session = await pair.sio.get_session(sid)
        await pair.do("emit", ["tea"], [], "last")
        result = await client.result()

    assert result == {**MOVED, "rooms": sorted([sid, "tea"])}
    assert session == {"value": "this"}


async def test_a_client_moves_to_javascript(pair):
    """A client of fastsio comes back to the JavaScript server."""
    async with pair.client("moves", "fastsio", other=pair.urls["js"]) as client:
        sid = await client.step("connected")
        await pair.sio.emit("news", "seen", room="tea")
        await pair.lost(await client.step("dropped"))
        await pair.miss_events(sid)
        await client.tell()
        joined = await pair.js.step("joined")
        await client.step("back")
        await pair.sio.emit("last", room="tea")
        result = await client.result()

    assert result == {**MOVED, "rooms": sorted([sid, "tea"])}
    assert joined == {"sid": sid, "recovered": True, "rooms": sorted([sid, "tea"]), "data": {"value": "this"}}


async def test_servers_of_both_kinds_steer_clients_of_the_other(pair):
    """Events, rooms and the end of connections reach clients of the other server."""
    async with pair.client("listens", "js") as there, pair.client("listens", "fastsio") as here:
        theirs = (await pair.js.step("joined"))["sid"]
        assert await there.step("connected") == theirs
        ours = await here.step("connected")

        await pair.sio.enter_room(theirs, "tea")
        await pair.do("join", [ours], "tea")
        await pair.sio.emit("news", "fastsio", room="tea")
        await pair.do("emit", ["tea"], [ours], "news", "only there")
        await pair.do("emit", ["tea"], [], "news", "js")
        for client, expected in ((there, ["fastsio", "only there", "js"]), (here, ["fastsio", "js"])):
            await client.tell(len(expected))
            assert await client.step("news") == [[each] for each in expected]

        await pair.do("leave", [ours], "tea")
        await pair.sio.leave_room(theirs, "tea")
        await pair.sio.emit("news", "nobody", room="tea")
        await pair.sio.emit("news", "all")
        for client in (there, here):
            await client.tell(1)
            assert await client.step("news") == [["all"]]
            await client.tell("end")

        await pair.sio.disconnect(theirs)
        await pair.do("dismiss", [ours])
        assert await pair.js.step("left") == {"sid": theirs, "reason": "server namespace disconnect"}
        assert await there.result() == await here.result() == {"active": False}


async def test_each_kind_of_server_asks_its_own_clients(pair):
    """Without channel_prefix questions do not reach the other; servers of JavaScript do not wait for fastsio's."""
    async with pair.client("listens", "js") as there, pair.client("listens", "fastsio") as here:
        theirs = (await pair.js.step("joined"))["sid"]
        assert await there.step("connected") == theirs
        ours = await here.step("connected")

        await pair.js.tell(["ask"])
        assert await pair.js.step("answers") == [theirs]
        await pair.js.tell(["fetch"])
        assert await pair.js.step("sockets") == [theirs]
        assert await pair.sio.call("ask", to=ours, timeout=WAIT_S) == ours
        with pytest.raises(AckTimeoutError):
            await pair.sio.call("ask", to=theirs, timeout=0.3)
        await there.tell("end")
        await here.tell("end")
        await pair.sio.disconnect(theirs)
        await pair.sio.disconnect(ours)
        await asyncio.gather(there.result(), here.result())


async def test_servers_of_both_kinds_ask_clients_of_the_other(asking):
    """With channel_prefix acknowledgements come from clients of both servers, and each is found; once only."""
    pair = asking
    async with pair.client("listens", "js") as there, pair.client("listens", "fastsio") as here:
        theirs = (await pair.js.step("joined"))["sid"]
        assert await there.step("connected") == theirs
        ours = await here.step("connected")
        await pair.sio.enter_room(ours, "tea")
        await pair.sio.save_session(ours, {"user": 7})
        await pair.listen_to_each_other()

        assert sorted(await pair.ask("answers", "call", [], [], "ask")) == sorted([ours, theirs])
        assert await pair.ask("answers", "call", ["tea"], [], "ask") == [ours]
        assert await pair.ask("answers", "call", [], ["tea"], "ask") == [theirs]
        assert await pair.ask("answers", "call", ["coffee"], [], "ask") == []
        assert sorted(await pair.ask("sockets", "fetch")) == sorted([ours, theirs])
        (described,) = await pair.ask("described", "describe", ["tea"], [])
        assert await pair.ask("others", "others", "hello", 1) == [None]
        assert await pair.sio.call("ask", to=theirs, timeout=WAIT_S) == theirs
        assert await pair.sio.call("ask", to=ours, timeout=WAIT_S) == ours

        handshake = described.pop("handshake")
        assert described == {"id": ours, "rooms": sorted([ours, "tea"]), "data": {"user": 7}}
        assert handshake["address"] == HOST
        assert (handshake["headers"], handshake["query"], handshake["auth"]) == ({}, {}, {})
        await there.tell("end")
        await here.tell("end")
        await pair.sio.disconnect(theirs)
        await pair.sio.disconnect(ours)
        await asyncio.gather(there.result(), here.result())


@pytest.mark.parametrize("serve_fastsio", [serve_asyncio, serve_threads])
async def test_servers_of_both_kinds_ask_each_other_in_a_cluster(serve_fastsio):
    """The channels of questions are heard at one master, and what is published at any of them arrives."""
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(redis_cluster())
        served = serve_fastsio(cluster.url, cluster=True, channel_prefix="socket.io")
        sio, url = await stack.enter_async_context(served)
        program = node_program(SCRIPT, cluster.url, STREAM, "1", "cluster", packages=JS_PACKAGES)
        js = await stack.enter_async_context(program)
        urls = {"fastsio": url, "js": f"http://{HOST}:{await js.step('listens')}"}
        pair = Pair(sio, js, urls, await stack.enter_async_context(Redis.from_url(cluster.url)))
        there = await stack.enter_async_context(pair.client("listens", "js"))
        theirs = await there.step("connected")
        assert (await js.step("joined"))["sid"] == theirs
        here = await stack.enter_async_context(pair.client("listens", "fastsio"))
        ours = await here.step("connected")
        async with asyncio.timeout(WAIT_S):
            while await asyncio.to_thread(subscriptions, cluster) < 2:  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)

        assert sorted(await pair.ask("answers", "call", [], [], "ask")) == sorted([ours, theirs])
        assert sorted(await pair.ask("sockets", "fetch")) == sorted([ours, theirs])
        assert await sio.call("ask", to=theirs, timeout=WAIT_S) == theirs
        await there.tell("end")
        await here.tell("end")
        await sio.disconnect(theirs)
        await sio.disconnect(ours)
        await asyncio.gather(there.result(), here.result())


def subscriptions(cluster: RedisCluster) -> int:
    """Return how many listen to the questions of the root namespace, as servers of JavaScript count them."""
    return sum(cluster.command(number, "PUBSUB", "NUMSUB", "socket.io#/#")[1] for number in range(MASTERS))


async def test_servers_of_javascript_with_several_streams(broker):
    """Each namespace has one of them: "/", whose hash is 47, has the fourth of four."""
    async with AsyncExitStack() as stack:
        sio, url = await stack.enter_async_context(serve_asyncio(broker.url, "counted-3"))
        program = node_program(SCRIPT, broker.url, "counted", "4", packages=JS_PACKAGES)
        js = await stack.enter_async_context(program)
        urls = {"fastsio": url, "js": f"http://{HOST}:{await js.step('listens')}"}
        pair = Pair(sio, js, urls, await stack.enter_async_context(Redis.from_url(broker.url)))
        there = await stack.enter_async_context(pair.client("listens", "js"))
        theirs = await there.step("connected")
        here = await stack.enter_async_context(pair.client("listens", "fastsio"))
        ours = await here.step("connected")

        assert (await js.step("joined"))["sid"] == theirs
        await sio.emit("news", 1, to=theirs)
        await js.tell(["emit", [ours], [], "news", 2])
        for client, expected in ((there, 1), (here, 2)):
            await client.tell(1)
            assert await client.step("news") == [[expected]]
            await client.tell("end")
        await sio.disconnect(theirs)
        await sio.disconnect(ours)
        await asyncio.gather(there.result(), here.result())
