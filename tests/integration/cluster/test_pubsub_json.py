"""The JSON of the application on the bus: what clients of this server get, clients of the others get too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from tests.integration.memory_bus import MemoryBus, Node
from tests.shells.aio.fake_engine import settled
from tests.shells.sync.fake_engine import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Money:
    """An object that only the application's JSON can write."""


class OwnJSON:
    """The application's JSON."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(value, default=lambda _: {"cents": 5}, **options)

    loads = staticmethod(json.loads)


class BytesBus(MemoryBus):
    """Carries what managers have encoded."""

    async def publish(self, raw: Any) -> None:
        self.inject(raw)


class EncodingManager(fastsio.AsyncPubSubManager):
    """Writes messages as the managers of fastsio do."""

    name = "encoding"

    def __init__(self, bus: MemoryBus, **options: Any) -> None:
        super().__init__(**options)
        self.bus = bus

    async def _publish(self, data: dict[str, Any]) -> None:
        await self.bus.publish(self._encode(data))

    async def _listen(self) -> AsyncIterator[Any]:
        async for message in self.bus.listen():
            yield message


WAYS = {
    "server's": ({"json": OwnJSON}, {}),
    "manager's": ({"json": OwnJSON}, {"json": OwnJSON}),
    "msgpack": ({"json": OwnJSON}, {"bus_format": "msgpack"}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_an_object_reaches_clients_of_all_servers(way):
    """As the JSON module writes it, from a server, in an acknowledgement, and from a program that only writes."""
    bus = BytesBus()
    server_options, manager_options = WAYS[way]
    nodes = [
        Node(
            fastsio.AsyncServer(
                async_mode="asgi", client_manager=EncodingManager(bus, **manager_options), **server_options
            ),
            name,
        )
        for name in "ab"
    ]
    clients = [await node.join() for node in nodes]
    await settled(lambda: bus.listeners == 2)
    writer = EncodingManager(bus, write_only=True, json=OwnJSON, bus_format=manager_options.get("bus_format", "json"))

    await nodes[0].server.emit("pay", {"m": Money()})
    await nodes[0].server.emit("sign", (b"x", Money()))
    await writer.emit("pay", Money())

    for client in clients:
        assert [json.loads((await client.receive())[1:]) for _ in range(1)] == [["pay", {"m": {"cents": 5}}]]
        head, attachment = await client.receive(), await client.receive()
        assert (json.loads(head[3:])[2], attachment) == ({"cents": 5}, b"x")
        assert json.loads((await client.receive())[1:]) == ["pay", {"cents": 5}]
    for node in nodes:
        await node.server.shutdown()


class SyncManager(fastsio.PubSubManager):
    """Keeps what is published."""

    name = "kept"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.published: list[Any] = []

    def _publish(self, data: dict[str, Any]) -> None:
        self.published.append(json.loads(self._encode(data)))

    def _listen(self) -> Iterator[Any]:
        while not self.is_stopping:
            self.server.sleep(0.01)
            yield {}


def test_an_object_reaches_clients_of_a_threaded_server():
    """And its bus, and that of a program that only writes."""
    manager = SyncManager()
    sio = fastsio.Server(async_mode="threading", client_manager=manager, json=OwnJSON)
    wire = Wire(sio)
    sio.eio = wire
    client = wire.join()
    sio.emit("pay", Money())
    writer = SyncManager(write_only=True, json=OwnJSON)
    writer.emit("pay", Money())
    sio.shutdown()

    assert client.receive() == '2["pay",{"cents":5}]'
    for each in (manager, writer):
        assert [message["data"] for message in each.published] == [[{"cents": 5}]]
