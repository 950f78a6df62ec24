"""Attributes of managers that programs written for python-socketio read."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import socketio

import fastsio
from tests.integration.memory_bus import Node
from tests.shells.sync.fake_engine import Wire
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

NOWHERE = "redis://127.0.0.1:1/0"
MAKERS = {
    "Manager": {},
    "AsyncManager": {},
    "PubSubManager": {},
    "RedisManager": {"url": NOWHERE, "write_only": True},
    "AsyncRedisManager": {"url": NOWHERE, "write_only": True},
    "KombuManager": {"url": "memory://", "write_only": True},
    "AsyncAioPikaManager": {"write_only": True},
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_attribute_of_a_manager_of_python_socketio_is_there(name):
    """But for those that hold the connections of RabbitMQ."""
    theirs = getattr(socketio, name)(**MAKERS[name])
    ours: Any = getattr(fastsio, name)(**MAKERS[name])
    names = {each for each in vars(theirs) if not each.startswith(("_", "publisher_"))}

    assert [each for each in sorted(names) if not hasattr(ours, each)] == []
    for each in ("callbacks", "eio_to_sid", "pending_connect", "pending_disconnect", "redis", "pubsub", "connected"):
        if each in names:
            assert getattr(ours, each) == getattr(theirs, each)


async def test_the_client_of_redis_is_the_managers():
    """To ask the server something with; it is there while the manager has a connection."""
    with redis_server() as broker:
        manager = fastsio.AsyncRedisManager(broker.url)
        sio = fastsio.AsyncServer(async_mode="asgi", client_manager=manager)
        assert (manager.redis, manager.pubsub, manager.connected) == (None, None, False)
        await Node(sio, "a").join()
        async with asyncio.timeout(WAIT_S):
            while not manager.connected:  # noqa: ASYNC110 - what changes has no event
                await asyncio.sleep(0.01)
        assert await manager.redis.ping() is True
        assert b"socketio" in manager.pubsub.channels
        await sio.emit("news", 1)
        assert await manager.redis.ping() is True
        await sio.shutdown()
        assert (manager.redis, manager.pubsub, manager.connected) == (None, None, False)

        writer = fastsio.AsyncRedisManager(broker.url, write_only=True)
        await writer.emit("news", 1)
        assert (writer.connected, writer.pubsub, await writer.redis.ping()) == (True, None, True)
        await writer.shutdown()


def test_the_client_of_redis_is_the_managers_in_threads():
    """As on asyncio."""
    with redis_server() as broker:
        manager = fastsio.RedisManager(broker.url)
        sio = fastsio.Server(async_mode="threading", client_manager=manager)
        wire = Wire(sio)
        sio.eio = wire
        wire.join()
        end = time.monotonic() + WAIT_S
        while not manager.connected and time.monotonic() < end:
            time.sleep(0.01)
        assert manager.redis.ping() is True
        assert b"socketio" in manager.pubsub.channels
        sio.emit("news", 1)
        assert manager.redis.ping() is True
        sio.shutdown()
