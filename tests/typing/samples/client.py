"""What type checkers see in clients and their handlers; not run."""

# ruff: noqa: D103, T201 - samples for type checkers, never run
from __future__ import annotations

from typing import Annotated, Any, assert_type

from pydantic import BaseModel

from fastsio import (
    AsyncClient,
    AsyncClientNamespace,
    AsyncSimpleClient,
    Client,
    ClientNamespace,
    Data,
    Depends,
    Event,
    NamespaceName,
    Reason,
    SimpleClient,
    SocketID,
)
from fastsio.exceptions import BadNamespaceError, ConnectionError, DisconnectedError, TimeoutError

client = AsyncClient(
    reconnection_attempts=3,
    reconnection_delay=0.5,
    serializer="msgpack",
    retries=3,
    ack_timeout=2.5,
    offline_buffer=True,
    max_buffered_events=100,
    recovery=True,
    max_held_packets=100,
    max_held_bytes=1_000_000,
    request_timeout=5,
)
threaded = Client(handle_sigint=False)


class News(BaseModel):
    text: str


def unit() -> int:
    return 1


@client.event
async def connect(sid: SocketID) -> None:
    assert_type(sid, str)


@client.event
async def disconnect(reason: Reason) -> None:
    assert_type(reason, str)


@client.on("news", namespace="/a")
async def news(
    news: News, event: Event, place: NamespaceName, data: Data, this: AsyncClient, by: Annotated[int, Depends(unit)]
) -> str:
    assert_type(news.text, str)
    assert_type(event, str)
    assert_type(by, int)
    assert_type(this.connected, bool)
    return news.text


@threaded.on("*")
def anything(event: Event, *args: Any) -> int:
    return len(args)


assert_type(anything("x"), int)


class Chat(AsyncClientNamespace):
    async def on_said(self, news: News) -> None:
        await self.emit("seen", news.text)
        print(await self.emit_with_ack("ask", timeout=1), await self.call("ask"))


class Room(ClientNamespace):
    def on_said(self, news: News) -> None:
        self.emit("seen", news.text)


client.register_namespace(Chat("/chat"))
threaded.register_namespace(Room("/chat"))
client.dependency_overrides[unit] = lambda: 2


async def use() -> None:
    await client.connect("http://localhost", auth=lambda: {"token": "t"}, transports=["websocket"], retry=True)
    assert_type(await client.emit("x", ("two", b"2"), callback=print), None)
    try:
        print(await client.call("ask", timeout=1), await client.emit_with_ack("ask"))
    except (TimeoutError, DisconnectedError, BadNamespaceError, ConnectionError) as error:
        print(error)
    assert_type(client.get_sid("/a"), str | None)
    assert_type(client.sid, str | None)
    assert_type(client.transport(), str | None)
    assert_type(client.namespaces, dict[str, str])
    assert_type(client.recovered, bool)
    assert_type(client.recovered_namespaces, frozenset[str])
    assert_type(await client.wait(), None)
    await client.disconnect()
    async with AsyncSimpleClient(reconnection=False) as simple:
        assert_type(simple, AsyncSimpleClient)
        await simple.connect("http://localhost", namespace="/a")
        assert_type(await simple.receive(timeout=1), list[Any])
        assert_type(simple.sid, str | None)
        assert_type(simple.recovered, bool)


def use_threads() -> None:
    threaded.connect("http://localhost", namespaces=["/", "/a"], wait_timeout=3)
    assert_type(threaded.emit("x"), None)
    print(threaded.call("ask"), threaded.emit_with_ack("ask", timeout=1))
    threaded.shutdown()
    with SimpleClient() as simple:
        assert_type(simple, SimpleClient)
        simple.connect("http://localhost")
        assert_type(simple.receive(), list[Any])
