"""Redis and Valkey, for asyncio and for threads: clients, and what managers and layers both do with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.brokers.batch_publisher import BatchPublisher, BlockingBatchPublisher, unchanged
from fastsio.brokers.subscriptions import Subscriptions

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Mapping

    from fastsio.cluster.broker_urls import RedisTarget

#: Seconds of silence after which the server is asked for a sign of life, and within which it has to give one.
PING_INTERVAL_S: Final = 10.0


def new_client(
    target: RedisTarget, options: Mapping[str, Any], *, timeout_s: float, is_async: bool, waits_s: float = 0.0
) -> Any:
    """
    Return a client, which connects when it is used and never tries again by itself.

    Args:
        target: What to connect to.
        options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``; they come before the defaults.
        timeout_s: Seconds that connecting, or an answer, may take.
        is_async: Whether the client is one for asyncio.
        waits_s: Seconds for which commands of this client make the server wait, beyond ``socket_timeout``.

    Raises:
        MissingExtraError: The package is not installed.
    """
    module = f"{target.package}.asyncio" if is_async else target.package
    no_backoff = require(f"{target.package}.backoff", "redis").NoBackoff()
    arguments = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # Managers and layers try again by themselves, in their own way.
        "retry": require(f"{module}.retry", "redis").Retry(no_backoff, 0),
        **dict(target.credentials),
        **options,
        # MessagePack is no text.
        "decode_responses": False,
    }
    if arguments["socket_timeout"] is not None:
        arguments["socket_timeout"] += waits_s
    package = require(module, "redis")
    if target.sentinels:
        return package.Sentinel(list(target.sentinels), **arguments).master_for(target.service)
    return package.from_url(target.url, **arguments)


def parts_of(client: Any) -> list[Any]:
    """Return what has to be closed with a client: itself, and the clients of the sentinels that it asks."""
    sentinels = getattr(client.connection_pool, "sentinel_manager", None)
    return [client, *(() if sentinels is None else sentinels.sentinels)]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A command whose answer the client reads with options."""

    command: tuple[Any, ...]
    parsing: dict[str, Any]


class RedisPublisher:
    """
    Sends commands for any number of tasks over one connection, those of one moment in one pipeline.

    Args:
        client: Of redis or valkey; it is closed with the publisher.
        to_error: Returns the error that a caller gets for a failure.
        sends_cancelled: Whether a command is sent although its future was cancelled meanwhile.

    Attributes:
        client: The client.
    """

    def __init__(
        self,
        client: Any,
        *,
        to_error: Callable[[Exception], Exception] = unchanged,
        sends_cancelled: bool = False,
    ) -> None:
        self.client = client
        self._batches = BatchPublisher(self._send, to_error=to_error, sends_cancelled=sends_cancelled)

    def post(self, *command: Any, **parsing: Any) -> Future[Any]:
        """
        Give a command; the future is done when the server has answered it.

        Args:
            command: Its name and arguments.
            parsing: What the client needs to know to read the answer.
        """
        # Nearly all commands have no options: a message on its way is one object less.
        return self._batches.submit(_Parsed(command, parsing) if parsing else command)

    async def close(self) -> None:
        """Close the connection; what waits fails."""
        await self._batches.close()
        await close_client(self.client)

    async def _send(self, batch: list[tuple[Any, ...] | _Parsed]) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for request in batch:
            if isinstance(request, _Parsed):
                pipeline.execute_command(*request.command, **request.parsing)
            else:
                pipeline.execute_command(*request)
        return await pipeline.execute(raise_on_error=False)  # type: ignore[no-any-return] # untyped packages


class BlockingRedisPublisher:
    """
    Sends commands for any number of threads over one connection, those of one moment in one pipeline.

    Args:
        connect: Makes a client of redis or valkey.
        timeout_s: Seconds that a thread waits for the connection.
    """

    def __init__(self, connect: Callable[[], Any], timeout_s: float) -> None:
        self._connect = connect
        self._client: Any = None
        self._batches: BlockingBatchPublisher[tuple[Any, ...]] = BlockingBatchPublisher(self._send, timeout_s)

    @property
    def client(self) -> Any:
        """The client, once something was sent."""
        return self._client

    def post(self, *command: Any) -> None:
        """
        Send a command; return when the server has answered it.

        Raises:
            TimeoutError: Other threads have the connection for too long; the builtin one.
            Exception: What the package raises.
        """
        self._batches.submit(command)

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            for part in parts_of(client):
                part.close()

    def _send(self, batch: list[tuple[Any, ...]]) -> None:
        if self._client is None:
            self._client = self._connect()
        pipeline = self._client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        pipeline.execute()


async def close_client(client: Any) -> None:
    """Close the connections of a client, those to the sentinels that it asked included."""
    for part in parts_of(client):
        await part.aclose()


async def next_message(pubsub: Any, silence_s: float) -> dict[str, Any]:
    """
    Return the next message of a subscription.

    Args:
        pubsub: The subscription.
        silence_s: Seconds without a message after which the server is sent a ping, and within which it must answer.

    Raises:
        ConnectionError: The server does not answer.
    """
    message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        raise ConnectionError("the server does not answer")
    return message  # type: ignore[no-any-return] # redis and valkey give dicts


class RedisSubscriptions(Subscriptions):
    """What a process is subscribed to at one Redis; *connect* makes a client of redis or valkey."""

    async def _open(self) -> tuple[Any, Any]:
        client = self._connect()
        return client, client.pubsub()

    async def _close(self, connection: tuple[Any, Any]) -> None:
        client, pubsub = connection
        await pubsub.aclose()
        await close_client(client)

    async def _ask(self, connection: tuple[Any, Any], new: list[str], gone: list[str]) -> None:
        _, pubsub = connection
        if gone:
            await pubsub.unsubscribe(*gone)
        if new:
            await pubsub.subscribe(*new)

    async def _read(self, connection: tuple[Any, Any]) -> None:
        _, pubsub = connection
        while True:
            message = await next_message(pubsub, PING_INTERVAL_S)
            if message["type"] == "message":
                await self._take(message["channel"].decode(), message["data"])
            elif message["type"] in ("subscribe", "unsubscribe"):
                self._confirm(message["channel"].decode(), is_subscribed=message["type"] == "subscribe")
