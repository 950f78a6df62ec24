"""The layer on Redis pub/sub: fast, but a message that no process listens for is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.redis import RedisSubscriptions
from fastsio.layers.names import shard_of
from fastsio.layers.redis.hosts import close_publishers, open_publishers, quoted, read_hosts
from fastsio.layers.topics import TopicLayer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastsio.layers.redis.hosts import Host


class RedisPubSubChannelLayer(TopicLayer["Host"]):
    """
    Carry messages between processes through Redis pub/sub, at most once.

    A process has one connection to listen and one to send to each host. Databases do not separate layers, prefixes do.

    Args:
        hosts: The Redis servers; several share the groups and channels between them. Each is a URL (``redis://``,
            ``rediss://``, ``unix://``, ``redis+sentinel://``, ``valkey://``), a pair of host and port, or a dict with
            ``address``, with ``host`` and ``port``, or with ``sentinels`` and ``master_name``; all other items of the
            dict are options of the client. None is ``redis://localhost:6379/0``.
        prefix: The beginning of the layer's topics; layers with different prefixes never get each other's messages.
        on_disconnect: Called without arguments when a connection was lost; may be a coroutine function.
        on_reconnect: Called without arguments when it is back; may be a coroutine function.
        symmetric_encryption_keys: Secrets; the first encrypts, any decrypts. None does not encrypt.
        serializer_format: The format of messages that are sent: ``json``, or ``msgpack`` (extra ``msgpack``). Both are
            read.
        expiry: Seconds after which a message that has arrived expires. 60.
        capacity: How many messages may wait for one consumer. 100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: The policy for a message without room.

    Raises:
        SetupError: An option is out of range, or a host has none of the known forms.
        MissingExtraError: A package that an option needs is not installed.
    """

    def _read_place(self, hosts: Sequence[Host] | None, prefix: str) -> None:
        self._key = quoted(prefix)
        self._hosts = read_hosts(hosts)
        self._senders = PerLoop(partial(open_publishers, self._hosts), close_publishers)

    def _topic(self, kind: str, name: str) -> str:
        return f"{self._key}:{kind}:{name}"

    async def _publish(self, topic: str, payload: bytes) -> None:
        senders = await self._senders.get()
        await senders[shard_of(topic, len(senders))].post("PUBLISH", topic, payload)

    def _subscribe(self) -> Iterator[RedisSubscriptions]:
        for number, host in enumerate(self._hosts):
            # The first topic, which no process publishes to, keeps the connection open when there is no other.
            topics = [self._topic("host", self.node), *self._wanted(number, len(self._hosts))]
            label = f"Redis at {host.label}"
            yield RedisSubscriptions(
                host.client, label, topics, self._handle_message, self._connection_lost, self._connection_back
            )
