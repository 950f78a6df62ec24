"""Questions of servers of JavaScript on the channels beside a Redis Stream; here the test takes the place of one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from msgpack import packb, unpackb
from redis.asyncio import Redis

from tests.integration.clients import eventually
from tests.integration.streams_lab import Lab
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.brokers import Broker

PREFIX = "test"


class Asker:
    """A server of JavaScript, as far as it asks: one client of Redis, and the channel for its answers."""

    def __init__(self, redis: Redis, pubsub: Any) -> None:
        self._redis, self._pubsub = redis, pubsub
        self._asked = 0

    async def say(self, raw: bytes, namespace: str = "/") -> int:
        """Publish on the channel for questions; return how many servers have heard it."""
        return int(await self._redis.publish(f"{PREFIX}#{namespace}#", raw))

    async def fetch(self, namespace: str = "/") -> list[dict[str, Any]]:
        """Ask one server for its clients."""
        self._asked += 1
        request = f"request{self._asked}"
        data = {"opts": {"rooms": [], "except": [], "flags": {}}, "requestId": request}
        await self.say(packb({"uid": "theirs", "nsp": namespace, "type": 7, "data": data}), namespace)
        answer = await self.hear()
        assert (answer["type"], answer["nsp"], answer["data"]["requestId"]) == (8, namespace, request)
        found: list[dict[str, Any]] = answer["data"]["sockets"]
        return found

    async def hear(self) -> Any:
        """Return the next answer."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
                if message is not None:
                    return unpackb(message["data"])

    async def until_heard(self, count: int = 1, namespace: str = "/") -> None:
        """Wait until so many servers listen to questions."""

        async def listening() -> int:
            ((_, found),) = await self._redis.pubsub_numsub(f"{PREFIX}#{namespace}#")
            return int(found)

        async with asyncio.timeout(WAIT_S):
            while await listening() != count:  # noqa: ASYNC110 - Redis tells no other way
                await asyncio.sleep(0.01)


@asynccontextmanager
async def asker_at(broker: Broker) -> AsyncIterator[Asker]:
    """Listen to answers in the namespaces of the tests."""
    async with Redis.from_url(broker.url) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(f"{PREFIX}#/#theirs#", f"{PREFIX}#/rare#theirs#")
        yield Asker(redis, pubsub)


@pytest.fixture
async def broker():
    """A Redis."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def lab(broker, request) -> AsyncIterator[Lab]:
    """Servers on a stream."""
    async with AsyncExitStack() as stack:
        yield Lab(broker, request.node.name, stack)


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_what_is_no_question_is_logged_and_dropped(lab, broker, kind, caplog):
    """The server goes on answering."""
    sio = await getattr(lab, kind)(channel_prefix=PREFIX)
    peer = await lab.join(sio)
    async with asker_at(broker) as asker:
        await asker.until_heard()
        await asker.say(b"\xc1")
        await asker.say(packb({"uid": "theirs", "nsp": "/", "type": 7, "data": {"requestId": 1}}))
        await asker.say(packb({"uid": "theirs", "nsp": "/", "type": 12, "data": {"requestId": "no number"}}))
        await asker.say(packb({"uid": "theirs", "nsp": "/", "type": 12, "data": {"requestId": "999"}}))

        assert [client["id"] for client in await asker.fetch()] == [peer.sid]
    assert caplog.text.count("question dropped") == 2


async def test_servers_of_fastsio_call_a_client_of_each_other_once(lab, broker):
    """They hear of the event in their own way, and leave out what is for servers of JavaScript."""
    one, two = await lab.node(channel_prefix=PREFIX), await lab.node(channel_prefix=PREFIX)
    await lab.join(one)
    peer = await lab.join(two)
    async with asker_at(broker) as asker:
        await asker.until_heard(2)
        call = asyncio.create_task(one.call("ask", to=peer.sid, timeout=WAIT_S))
        frame = await peer.client.receive()
        assert frame.endswith('["ask"]')
        await peer.client.send(f"43{frame[2 : frame.index('[')]}[5]")
        assert await call == 5
        await two.emit("last", to=peer.sid)

        assert await peer.event() == ["last"]


async def test_namespaces_without_handlers_are_listened_to_as_long_as_they_have_clients(lab, broker):
    """Clients may choose their names, so they are not kept."""
    sio = await lab.node(channel_prefix=PREFIX)
    sio.namespaces = "*"
    peer = await lab.join(sio)
    async with asker_at(broker) as asker:
        await asker.until_heard()
        await asker.until_heard(0, "/rare")
        await peer.client.send("40/rare,")
        assert (await peer.client.receive()).startswith("40/rare,")
        await asker.until_heard(1, "/rare")
        assert len(await asker.fetch("/rare")) == 1
        await peer.client.send("41/rare,")
        await asker.until_heard(0, "/rare")
        assert [client["id"] for client in await asker.fetch()] == [peer.sid]


async def test_questions_are_heard_again_after_an_outage(lab, broker, caplog):
    """The log has its beginning and its end."""
    sio = await lab.node(channel_prefix=PREFIX)
    peer = await lab.join(sio)
    async with asker_at(broker) as asker:
        await asker.until_heard()
    broker.stop()
    await eventually(lambda: "servers of JavaScript cannot ask this one" in caplog.text)
    broker.start()
    await eventually(lambda: "servers of JavaScript can ask this one again" in caplog.text)
    async with asker_at(broker) as asker:
        await asker.until_heard()

        assert [client["id"] for client in await asker.fetch()] == [peer.sid]


async def test_a_server_without_the_option_listens_to_no_questions(lab, broker):
    """Servers of JavaScript do not wait for it."""
    sio = await lab.node()
    await lab.join(sio)
    async with asker_at(broker) as asker:
        assert await asker.say(b"") == 0
