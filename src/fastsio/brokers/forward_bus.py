"""The channels over which processes of several machines send each other requests: Redis pub/sub, or NATS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from fastsio._extras import require
from fastsio.brokers.nats import SCHEMES, NatsPublisher, NatsSubscriptions, connect_once
from fastsio.brokers.redis import RedisPublisher, RedisSubscriptions, new_client
from fastsio.cluster.broker_urls import place_of, redis_target, require_scheme
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

#: Seconds in which the broker has to take a message.
TIMEOUT_S: Final = 5
KIND: Final = "forwarding of requests"
REDIS_SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys", "unix", "redis+sentinel", "valkey+sentinel")

Publisher = TypeVar("Publisher", RedisPublisher, NatsPublisher)


class ForwardBus(ABC, Generic[Publisher]):
    """
    Publishes to channels of a broker, and listens to some of them.

    Args:
        url: The URL of the broker, as for the manager of that broker.
        on_message: Awaited with the channel and the message, for each message.
        on_change: Called when the connection was lost, and when it is back.
    """

    _publisher: Publisher

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        on_message: Callable[[str, bytes], Awaitable[None]],
        on_change: Callable[[], object],
    ) -> None:
        subscribe = self._connect(url)
        self._listening = subscribe(channels, on_message, on_change, on_change, kind=KIND)

    async def wait_until_listening(self) -> None:
        """Wait until the bus listens to its channels, or its first attempt to connect has failed."""
        await self._listening.wait_for_first_attempt()

    @abstractmethod
    async def publish(self, channel: str, message: bytes) -> bool:
        """
        Send a message; return False if no process listens to the channel.

        Raises:
            Exception: Any error of the broker's client.
        """

    async def close(self) -> None:
        """Close the connections."""
        await self._listening.close()
        await self._publisher.close()

    @abstractmethod
    def _connect(self, url: str) -> Callable[..., RedisSubscriptions | NatsSubscriptions]:
        """Make the publisher; return a function that makes the subscriptions, from the channels and the callbacks."""


class RedisForwardBus(ForwardBus[RedisPublisher]):
    """Channels of a Redis, whose ``PUBLISH`` returns how many processes listen."""

    def _connect(self, url: str) -> Callable[..., RedisSubscriptions]:
        connect = partial(new_client, redis_target(url), {}, timeout_s=TIMEOUT_S, is_async=True)
        self._publisher = RedisPublisher(connect())
        return partial(RedisSubscriptions, connect, f"Redis at {place_of(url)}")

    async def publish(self, channel: str, message: bytes) -> bool:
        """Send a message; return whether a process listens."""
        return bool(await self._publisher.post("PUBLISH", channel, message))


class NatsForwardBus(ForwardBus[NatsPublisher]):
    """Subjects of NATS, which does not tell whether a process listens."""

    def _connect(self, url: str) -> Callable[..., NatsSubscriptions]:
        connect = partial(connect_once, require("nats", "nats"), [url])
        self._publisher = NatsPublisher(connect, TIMEOUT_S)
        return partial(NatsSubscriptions, connect, f"NATS at {place_of(url)}")

    async def publish(self, channel: str, message: bytes) -> bool:
        """Send a message; return True, because NATS does not tell whether a process listens."""
        await self._publisher.publish(channel, message)
        return True


def bus_class(url: str) -> type[ForwardBus[Any]]:
    """Return the class of the bus for the URL of a broker; raise SetupError if that is neither Redis nor NATS."""
    scheme = url.partition("://")[0]
    if scheme in REDIS_SCHEMES:
        redis_target(url)
        return RedisForwardBus
    if scheme in SCHEMES:
        require_scheme(url, SCHEMES, "nats://localhost:4222")
        require("nats", "nats")
        return NatsForwardBus
    raise SetupError(
        "requests are forwarded over Redis or NATS: write the URL like 'redis://localhost:6379/0' or "
        "'nats://localhost:4222'"
    )
