"""
What stands at Redis for the queue layer, and how it is changed: streams of messages, and groups with leases.

A stream is a queue. A group is two sorted sets: where to send a message (``n:`` a process, ``c:`` a channel that any
process may read), and the channels themselves. Their scores are when an entry lapses, in milliseconds; the clock is
that of Redis, so that those of the processes may differ.

Works from any event loop. Knows which key is on which host, never what a message means.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.per_loop import PerLoop
from fastsio.layers.names import node_of
from fastsio.layers.redis.hosts import close_publishers, open_publishers, shard_of
from fastsio.layers.redis.reader import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastsio.brokers.redis import RedisPublisher
    from fastsio.layers.inbox import Capacities
    from fastsio.layers.redis.hosts import RedisHost

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: KEYS: stream. ARGV: capacity, expiry and time to keep the stream in ms, whether to drop what is oldest, payload.
ENQUEUE: Final = (
    _NOW
    + """
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', now - ARGV[2]))
if ARGV[4] == '1' then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', ARGV[1] - 1)
elseif redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('XADD', KEYS[1], '*', 'd', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
)

#: KEYS: routes, members. ARGV: lease in ms, route, channels.
JOIN: Final = (
    _NOW
    + """
local deadline = string.format('%.0f', now + ARGV[1])
redis.call('ZADD', KEYS[1], deadline, ARGV[2])
for index = 3, #ARGV do
  redis.call('ZADD', KEYS[2], deadline, ARGV[index])
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', key, ARGV[1])
  end
end
return 1
"""
)

#: KEYS: routes or members. Returns those that have not lapsed.
LIVE: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)


#: Messages that may wait for a process as a whole, while it is not connected.
NODE_BACKLOG: Final = 10_000
_FLUSH_BATCH: Final = 500
_GLOB: Final = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})


class Queues:
    """
    The keys of a layer.

    Args:
        hosts: Where they are.
        key: What they begin with, escaped.
        expiry_s: For how long a message is kept.
        lease_s: For how long a process is a member without renewing it.
        capacities: How many messages are kept for channels that any process may read.
        drops_old: Whether those that are full drop what is oldest.
    """

    def __init__(
        self,
        hosts: list[RedisHost],
        key: str,
        *,
        expiry_s: float,
        lease_s: float,
        capacities: Capacities,
        drops_old: bool,
    ) -> None:
        self.hosts = hosts
        self._key = key
        self._expiry_ms = int(expiry_s * 1000)
        self._lease_ms = int(lease_s * 1000)
        #: How long a stream outlives the last sign of life.
        self.keep_ms = self._expiry_ms + self._lease_ms
        self._capacities = capacities
        self._drops_old = drops_old
        self.senders: PerLoop[list[RedisPublisher]] = PerLoop(partial(open_publishers, hosts), close_publishers)

    def stream_of(self, channel: str) -> str:
        """Return the stream of a channel that any process may read."""
        return f"{self._key}:channel:{channel}"

    def stream_of_node(self, node: str) -> str:
        """Return the stream of a process."""
        return f"{self._key}:node:{node}"

    def shard_of(self, key: str) -> int:
        """Return which host has a stream or a group."""
        return shard_of(key, len(self.hosts))

    async def run(self, key: str, *command: Any, **parsing: Any) -> Any:
        """Run a command on the host that has a key."""
        senders = await self.senders.get()
        return await senders[shard_of(key, len(senders))].post(*command, **parsing)

    async def add_to_channel(self, channel: str, payload: bytes) -> bool:
        """Add to the stream of a channel; False if it is full."""
        return await self._add(
            self.stream_of(channel), self._capacities.of(channel), payload, drops_old=self._drops_old
        )

    async def add_to_node(self, node: str, payload: bytes) -> bool:
        """Add to the stream of a process; False if it is full."""
        return await self._add(self.stream_of_node(node), NODE_BACKLOG, payload, drops_old=False)

    async def add_to_group(self, group: str, payload: bytes) -> list[str]:
        """Add wherever a group leads to; return the channels of no process that are full."""
        found = await self.run(group, "EVAL", LIVE, 1, self._routes(group))
        routes = [route.decode() for route in found]
        taken = await asyncio.gather(
            *(
                self.add_to_node(route[2:], payload)
                if route.startswith("n:")
                else self.add_to_channel(route[2:], payload)
                for route in routes
            )
        )
        return [
            route[2:] for route, is_taken in zip(routes, taken, strict=True) if not is_taken and route.startswith("c:")
        ]

    async def join(self, group: str, route: str, channels: Iterable[str], lease_s: float) -> None:
        """
        Enter channels into a group, or renew that.

        Args:
            group: The group.
            route: How they are reached: ``n:`` and a process, or ``c:`` and the channel itself.
            channels: Their names.
            lease_s: For how long.
        """
        keys = (self._routes(group), self._members(group))
        await self.run(group, "EVAL", JOIN, 2, *keys, int(lease_s * 1000), route, *channels)

    async def leave(self, group: str, channel: str, route: str | None) -> None:
        """Take a channel out of a group, with the route if nobody else in the group is reached by it."""
        senders = await self.senders.get()
        sender = senders[self.shard_of(group)]
        answers = [sender.post("ZREM", self._members(group), channel)]
        if route is not None:
            answers.append(sender.post("ZREM", self._routes(group), route))
        await asyncio.gather(*answers)

    async def members(self, group: str) -> list[str]:
        """Return the channels of a group."""
        found = await self.run(group, "EVAL", LIVE, 1, self._members(group))
        return sorted(name.decode() for name in found)

    async def release(self, stream: str, node: str, entries: Iterable[str]) -> None:
        """Release entries that a process has not used, for the next reader of the stream."""
        idle = ("IDLE", self._lease_ms, "JUSTID")
        await self.run(stream, "XCLAIM", stream, GROUP, node, 0, *entries, *idle, parse_justid=True)

    async def nudge(self, number: int, node: str) -> None:
        """End the wait of a process at a host."""
        senders = await self.senders.get()
        await senders[number].post("XADD", self.stream_of_node(node), "*", "w", "1")

    async def empty(self) -> list[str]:
        """Delete all keys of the layer; return the processes that had a stream."""
        senders = await self.senders.get()
        found = [node for sender in senders for node in await self._empty(sender)]
        return sorted(set(found))

    async def _empty(self, sender: RedisPublisher) -> list[str]:
        cursor, found = b"0", []
        start = self.stream_of_node("")
        while True:
            match = f"{self._key.translate(_GLOB)}:*"
            cursor, keys = await sender.post("SCAN", cursor, "MATCH", match, "COUNT", _FLUSH_BATCH)
            if keys:
                await sender.post("UNLINK", *keys)
            names = [key.decode() for key in keys]
            found += [name.removeprefix(start) for name in names if name.startswith(start)]
            if int(cursor) == 0:
                return found

    async def _add(self, stream: str, capacity: int, payload: bytes, *, drops_old: bool) -> bool:
        limits = (capacity, self._expiry_ms, self.keep_ms, int(drops_old))
        return bool(await self.run(stream, "EVAL", ENQUEUE, 1, stream, *limits, payload))

    def _routes(self, group: str) -> str:
        return f"{self._key}:routes:{group}"

    def _members(self, group: str) -> str:
        return f"{self._key}:members:{group}"


def route_of(channel: str) -> str:
    """Return how a channel is reached."""
    node = node_of(channel)
    return f"c:{channel}" if node is None else f"n:{node}"
