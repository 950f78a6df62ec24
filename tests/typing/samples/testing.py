"""What type checkers see in the clients of ``fastsio.testing``; not run."""

# ruff: noqa: D103 - samples for type checkers, never run
from __future__ import annotations

from typing import assert_type

from fastsio import AsyncServer, Server
from fastsio.testing import SyncTestClient, TestClient

sio = AsyncServer()
threaded = Server()


async def losses() -> None:
    async with TestClient(sio, headers={"X-Name": "ada"}) as client:
        await client.connect("/chat", auth={"token": "t"})
        await client.drop()
        await client.drop("ping timeout")
        assert_type(await client.reconnect(), TestClient)
        await client.reconnect(recover=False, auth={"token": "other"})
        assert_type(client.recovered, bool)
        assert_type(client.recovered_namespaces, frozenset[str])
        with client.freeze():
            client.thaw()
        with client.hold():
            client.release()
        client.delay(0.5)
        client.repeat()
        client.repeat(2)


def losses_of_threads() -> None:
    with SyncTestClient(threaded) as client:
        client.connect("/chat", auth={"token": "t"})
        client.drop("transport error")
        assert_type(client.reconnect(recover=True), SyncTestClient)
        assert_type(client.recovered, bool)
        with client.freeze(), client.hold():
            client.delay(0.5)
            client.repeat()
