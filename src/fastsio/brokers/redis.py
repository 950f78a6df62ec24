"""Redis and Valkey, for asyncio and for threads: the clients, publishers and subscriptions of managers and layers."""

from __future__ import annotations

from asyncio import gather
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.brokers.batch_publisher import BatchPublisher, BlockingBatchPublisher, unchanged
from fastsio.brokers.subscriptions import Subscriptions

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fastsio.cluster.broker_urls import RedisTarget

#: Seconds without a message after which the server is sent a ping, and within which it has to answer.
PING_INTERVAL_S: Final = 10.0
#: Seconds after which a thread that waits for a message checks whether it must end.
LOOK_INTERVAL_S: Final = 1.0


def new_client(
    target: RedisTarget,
    options: Mapping[str, Any],
    *,
    timeout_s: float,
    is_async: bool,
    waits_s: float = 0.0,
    cluster_nodes: Iterable[tuple[str, int]] | None = None,
) -> Any:
    """
    Return a client, which connects when it is used and does not repeat commands that failed.

    Args:
        target: The address, and the package.
        options: Keyword arguments for ``Redis.from_url()`` or ``Sentinel()``; they override the defaults.
        timeout_s: Seconds that connecting, or an answer, may take.
        is_async: Whether the client is one for asyncio.
        waits_s: Seconds for which blocking commands of this client let the server wait; ``socket_timeout`` is longer by
            them.
        cluster_nodes: If the target is a node of a Redis Cluster, the addresses of others that are known, for it may be
            gone. The client finds the masters, and repeats a command for which another master has to be asked.
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
        # MessagePack is not text.
        "decode_responses": False,
    }
    if arguments["socket_timeout"] is not None:
        arguments["socket_timeout"] += waits_s
    package = require(module, "redis")
    if cluster_nodes is not None:
        del arguments["retry"]
        clusters = require(f"{module}.cluster", "redis")
        nodes = [clusters.ClusterNode(host, port) for host, port in cluster_nodes]
        cluster = getattr(clusters, f"{target.package.capitalize()}Cluster")
        if not is_async:
            cluster, arguments["connection_pool_class"] = _closing(cluster, package.ConnectionPool)
        return cluster.from_url(target.url, startup_nodes=nodes, **arguments)
    if target.sentinels:
        return package.Sentinel(list(target.sentinels), **arguments).master_for(target.service)
    return package.from_url(target.url, **arguments)


def _closing(cluster: Any, pool: Any) -> tuple[Any, Any]:
    """
    Return classes, made of those for a cluster and for a node, that close connections to nodes that have left too.

    The client for threads forgets such nodes without closing the connections to them.
    """
    pools: list[Any] = []

    class NotedPool(pool):  # type: ignore[misc] # untyped packages
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            pools.append(self)

    class ClosingCluster(cluster):  # type: ignore[misc] # untyped packages
        def close(self) -> None:
            super().close()
            for each in pools:
                each.disconnect()

    return ClosingCluster, NotedPool


def parts_of(client: Any) -> list[Any]:
    """Return the clients that have to be closed with a client: itself, and those of its sentinels."""
    pool = getattr(client, "connection_pool", None)  # a client of a cluster has several
    sentinels = getattr(pool, "sentinel_manager", None)
    return [client, *(() if sentinels is None else sentinels.sentinels)]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A command with options for the reading of its answer."""

    command: tuple[Any, ...]
    parsing: dict[str, Any]


class RedisPublisher:
    """
    Sends commands for any number of tasks over one connection, several in one pipeline.

    Args:
        client: A client of redis or valkey; it is closed with the publisher.
        to_error: As for :class:`BatchPublisher`; so is *sends_cancelled*.
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
        """Send a command; return a future for the answer, which the package reads with the options *parsing*."""
        # Nearly all commands have no options, and need no object for them.
        return self._batches.submit(_Parsed(command, parsing) if parsing else command)

    async def post_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one pipeline; return the answers, or raise the first error of the package."""
        if len(commands) == 1:
            return [await self.post(*commands[0])]
        return await gather(*(self.post(*command) for command in commands))

    async def close(self) -> None:
        """Close the connection; commands that wait fail."""
        await self._batches.close()
        await close_redis(self.client)

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
    Sends commands for any number of threads over one connection, several in one pipeline.

    Args:
        client: A client of redis or valkey; it is closed with the publisher.
        timeout_s: Seconds that a thread waits for the connection; then the builtin TimeoutError is raised.
    """

    def __init__(self, client: Any, timeout_s: float) -> None:
        self.client = client
        self._batches: BlockingBatchPublisher[tuple[Any, ...]] = BlockingBatchPublisher(self._send, timeout_s)

    def post(self, *command: Any) -> Any:
        """Send a command; return what the server has answered, or raise any error of the package."""
        return self._batches.submit(command)[0]

    def post_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one pipeline; return the answers, or raise the first error of the package."""
        return self._batches.submit(*commands)

    def close(self) -> None:
        """Close the connection."""
        close_blocking_redis(self.client)

    def _send(self, batch: list[tuple[Any, ...]]) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command)
        return pipeline.execute(raise_on_error=False)  # type: ignore[no-any-return] # untyped packages


async def close_redis(client: Any) -> None:
    """Close the connections of a client, also those to its sentinels."""
    for part in parts_of(client):
        await part.aclose()


def close_blocking_redis(client: Any) -> None:
    """Close the connections of a client for threads, also those to its sentinels."""
    for part in parts_of(client):
        part.close()


async def next_message(pubsub: Any, silence_s: float) -> dict[str, Any]:
    """
    Return the next message of a subscription; raise ConnectionError if the server does not answer.

    After *silence_s* seconds without a message the server is sent a ping, which it must answer within the same time.
    """
    message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        raise ConnectionError("the server does not answer")
    return message  # type: ignore[no-any-return] # redis and valkey give dicts


def next_message_until(pubsub: Any, silence_s: float, is_over: Callable[[], bool]) -> dict[str, Any]:
    """Do what :func:`next_message` does, for threads; return ``{"type": "over"}`` once *is_over* says so."""
    silent_s, is_asked = 0.0, False
    while not is_over():
        message = pubsub.get_message(timeout=LOOK_INTERVAL_S)
        if message is not None:
            return message  # type: ignore[no-any-return] # redis and valkey give dicts
        silent_s += LOOK_INTERVAL_S
        if silent_s >= silence_s:
            if is_asked:
                raise ConnectionError("the server does not answer")
            pubsub.ping()
            silent_s, is_asked = 0.0, True
    return {"type": "over"}


class RedisSubscriptions(Subscriptions):
    """The channels that a process subscribes to at one Redis; *connect* makes a client of redis or valkey."""

    async def _open(self) -> tuple[Any, Any]:
        client = self._connect()
        return client, client.pubsub()

    async def _close(self, connection: tuple[Any, Any]) -> None:
        client, pubsub = connection
        await pubsub.aclose()
        await close_redis(client)

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
                await self._on_message(message["channel"].decode(), message["data"])
            elif message["type"] in ("subscribe", "unsubscribe"):
                self._confirm(message["channel"].decode(), is_subscribed=message["type"] == "subscribe")
