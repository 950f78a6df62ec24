"""Channel layers of every kind on real brokers, as several processes would have them."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fastsio.layers import BaseChannelLayer, InMemoryChannelLayer, LocalChannelLayer
from fastsio.layers.nats import NatsChannelLayer
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.brokers import Broker

#: Seconds until another message is sent to a group that is not heard yet.
PROBE_S = 0.2
REDIS = {"pubsub": RedisPubSubChannelLayer, "queue": RedisChannelLayer}
KINDS = ("memory", "local", "pubsub", "queue", "nats")
BROKERS = ("pubsub", "queue", "nats")
MESSAGE = {"type": "chat.message", "text": "💬 hi", "data": b"\x00\xff", "deep": [{"n": [1, None, True, 1.5]}]}
_numbers = itertools.count()


class Lab:
    """
    Makes layers, and closes them in the end.

    Args:
        kind: One of :data:`KINDS`.
        broker: What they connect to.
    """

    def __init__(self, kind: str, broker: Broker | None) -> None:
        self.kind = kind
        self.broker = broker
        self.prefix = f"test{next(_numbers)}"
        #: Of Unix sockets, whose paths are short.
        self.folder = TemporaryDirectory()
        self._layers: list[BaseChannelLayer] = []

    @property
    def place(self) -> str:
        """The URL of the broker, or the directory of local layers."""
        return self.folder.name if self.broker is None else self.broker.url

    def layer(self, **options: Any) -> Any:
        """Make a layer that hears the others of this lab; in one process, a memory layer is the same for all."""
        if self.kind == "memory":
            if not self._layers or options:
                self._layers.append(InMemoryChannelLayer(**options))
            return self._layers[-1]
        if self.kind == "local":
            self._layers.append(LocalChannelLayer(**{"path": self.place, "prefix": self.prefix, **options}))
            return self._layers[-1]
        settings = {"hosts": [self.place], "prefix": self.prefix, **options}
        layer = NatsChannelLayer(**settings) if self.kind == "nats" else REDIS[self.kind](**settings)
        self._layers.append(layer)
        return layer

    async def close(self) -> None:
        """Close them all."""
        for layer in self._layers:
            await layer.close()
        self.folder.cleanup()


@asynccontextmanager
async def laboratory(kind: str, broker: Broker | None) -> AsyncIterator[Lab]:
    """Give a lab for the length of a block."""
    lab = Lab(kind, broker)
    try:
        yield lab
    finally:
        await lab.close()


async def soon(awaitable: Awaitable[Any]) -> Any:
    """Wait for what has to happen."""
    return await asyncio.wait_for(awaitable, WAIT_S)


async def receive(layer: BaseChannelLayer, channel: str, count: int = 1) -> list[Any]:
    """Receive messages."""
    return [await soon(layer.receive(channel)) for _ in range(count)]


async def has_nothing(layer: BaseChannelLayer, *channels: str) -> bool:
    """
    Tell whether channels are empty: what was sent before a message that has arrived would have arrived too.

    Each gets a message of its own, which has to be the first.
    """
    for channel in channels:
        await layer.send(channel, {"type": "sentinel"})
        if await soon(layer.receive(channel)) != {"type": "sentinel"}:
            return False
    return True


async def until(check: Callable[[], Any]) -> None:
    """Wait until *check* holds; it may be a coroutine function."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = check()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(0.005)


async def heard(speaker: BaseChannelLayer, group: str, listener: BaseChannelLayer, channel: str) -> None:
    """Send to a group until a channel, which is put into it by and by, has got one of the messages; it is empty then."""
    async with asyncio.timeout(WAIT_S):
        for number in itertools.count():
            await speaker.group_send(group, {"type": "probe", "n": number})
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S):
                    while (await listener.receive(channel))["n"] != number:
                        pass
                    return


class Calls:
    """Counts what a layer tells the application."""

    def __init__(self):
        self.lost, self.back = asyncio.Event(), asyncio.Event()
        self.seen = []

    def on_disconnect(self):
        self.seen.append("lost")
        self.lost.set()

    async def on_reconnect(self):
        self.seen.append("back")
        self.back.set()

    def options(self):
        """What a layer is made with."""
        return {"on_disconnect": self.on_disconnect, "on_reconnect": self.on_reconnect}


async def member(layer, *groups):
    """Make a channel and put it into groups."""
    channel = await layer.new_channel()
    for group in groups:
        await layer.group_add(group, channel)
    return channel
