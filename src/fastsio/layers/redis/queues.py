"""
The keys of the queue layer in Redis, and the commands on them: streams of messages, and groups with leases.

A stream is a queue. A group is two sorted sets: its routes (``n:`` a process, ``c:`` a channel that any process may
read), which messages are sent to, and its channels. The score of an entry is the time when it lapses, in milliseconds
by the clock of Redis, so the clocks of processes may differ.

To read, each stream has a consumer group, in which the process is a consumer: an entry that it has read stays pending
until it is acknowledged, and is read again after the connection broke.

This module knows which key is on which host, never what a message means. Its methods that write work from any event
loop.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.reconnection import ReconnectLoop
from fastsio.brokers.redis import close_redis
from fastsio.layers.names import node_of, shard_of
from fastsio.layers.redis.hosts import close_publishers, open_publishers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fastsio.brokers.redis import RedisPublisher
    from fastsio.layers.inbox import Capacities
    from fastsio.layers.redis.hosts import RedisHost

#: The consumer group of every stream.
GROUP: Final = "readers"
#: Milliseconds for which a read waits in Redis when there is no entry; less if the lease is short.
BLOCK_MS: Final = 2000
#: How many entries are read at once from the process's own stream, and from one that other processes read too.
OWN_COUNT: Final = 200
SHARED_COUNT: Final = 16
#: The beginnings of errors of Redis when a stream, and its group with it, does not exist any more.
_GONE: Final = ("NOGROUP", "UNBLOCKED")


class StreamReader:
    """
    Reads from one Redis.

    Args:
        own: The stream that only this process reads.
        keep_ms: For how long a stream is kept without a heartbeat.
        lease_s: For how long an entry belongs to its reader without a heartbeat; one is sent three times in it.
        wanted: Returns how many entries may be read from which streams, beside the process's own.
        on_entry: Gets stream, id and payload of an entry; returns False if :meth:`finish` is called later.
        renew: Called for each heartbeat: when the connection is made, and regularly from then on.
        on_loss: Called when entries for the process were lost: it was away for too long, or Redis has lost them.
    """

    def __init__(
        self,
        host: RedisHost,
        *,
        node: str,
        own: str,
        keep_ms: int,
        lease_s: float,
        wanted: Callable[[], dict[str, int]],
        on_entry: Callable[[str, str, bytes], Awaitable[bool]],
        renew: Callable[[], Awaitable[None]],
        on_loss: Callable[[], object],
        on_disconnect: Callable[[], object] | None,
        on_reconnect: Callable[[], object] | None,
    ) -> None:
        self._host = host
        self._node = node
        self._own = own
        self._keep_ms = keep_ms
        self._lease_s = lease_s
        self._block_ms = max(1, min(BLOCK_MS, int(lease_s * 1000 / 3)))
        self._wanted = wanted
        self._on_entry = on_entry
        self._renew = renew
        self._on_loss = on_loss
        #: Seconds without a heartbeat after which entries expire, or other processes send none any more.
        self._away_s = min(lease_s, keep_ms / 1000 - lease_s)
        #: The time of the last heartbeat; None before the first one.
        self._beat_at: float | None = None
        self._client: Any = None
        #: Stream -> entries that a consumer has not read yet, and stream -> entries that are finished but still pending
        #: in Redis.
        self._held: dict[str, set[str]] = {}
        self._done: dict[str, set[str]] = {}
        self._grouped: set[str] = set()
        #: The shared streams that the present read waits for.
        self.reading: frozenset[str] = frozenset()
        self._skew_s = 0.0
        self._listener = ReconnectLoop(f"at Redis {host.label}", self._listen, on_disconnect, on_reconnect)

    async def wait_for_first_attempt(self) -> None:
        """Wait until Redis was reached, or the first attempt has failed."""
        await self._listener.wait_for_first_attempt()

    async def close(self) -> None:
        """Close the connection."""
        await self._listener.stop()

    def age_of(self, entry: str) -> float:
        """Return how many seconds ago an entry was written."""
        return monotonic() + self._skew_s - int(entry.partition("-")[0]) / 1000

    def finish(self, stream: str, entry: str) -> None:
        """Mark an entry as finished; it is acknowledged with the next read."""
        self._held.get(stream, set()).discard(entry)
        self._done.setdefault(stream, set()).add(entry)

    def stop_reading(self, stream: str) -> set[str]:
        """Stop reading a stream; return the entries that no consumer has read."""
        self._grouped.discard(stream)
        return self._held.pop(stream, set())

    async def _listen(self) -> None:
        self._grouped.clear()
        self._client = self._host.client(waits_s=BLOCK_MS / 1000)
        try:
            seconds, microseconds = await self._command("TIME")
            self._skew_s = int(seconds) + int(microseconds) / 1e6 - monotonic()
            is_new = await self._create_group(self._own)
            await self._renew()
            await self._check_losses(is_new=is_new)
            self._listener.confirm()
            while await self._read({self._own: OWN_COUNT}, "0"):
                pass
            next_beat = monotonic() + self._lease_s / 3
            while True:
                if monotonic() >= next_beat:
                    await self._send_heartbeat()
                    next_beat = monotonic() + self._lease_s / 3
                await self._read_new()
        finally:
            client, self._client = self._client, None
            self.reading = frozenset()
            await close_redis(client)

    async def _read_new(self) -> None:
        shared = self._wanted()
        for stream in shared.keys() - self._grouped:
            await self._create_group(stream)
            await self._read({stream: SHARED_COUNT}, "0")
            await self._claim(stream)
            return  # there may be no room for more entries
        self.reading = frozenset(shared)
        await self._read({self._own: OWN_COUNT, **shared}, ">")
        self.reading = frozenset()

    async def _read(self, streams: dict[str, int], after: str) -> int:
        """Read new entries (``>``), waiting for one, or pending ones (``0``) from streams; return how many."""
        pipeline = self._client.pipeline(transaction=False)
        done, self._done = self._done, {}
        for stream, entries in done.items():
            pipeline.execute_command("XACK", stream, GROUP, *entries)
            pipeline.execute_command("XDEL", stream, *entries)
        wait = ("BLOCK", self._block_ms) if after == ">" else ()
        count = min(streams.values())
        pipeline.execute_command(
            "XREADGROUP",
            "GROUP",
            GROUP,
            self._node,
            "COUNT",
            count,
            *wait,
            "STREAMS",
            *streams,
            *([after] * len(streams)),
        )
        try:
            *_, found = await pipeline.execute(raise_on_error=False)
        except BaseException:
            for stream, entries in done.items():
                self._done.setdefault(stream, set()).update(entries)
            raise
        if isinstance(found, Exception):
            if not str(found).startswith(_GONE):
                raise found
            for stream in streams:
                await self._create_group(stream)
            self._on_loss()
            return 0
        handled = 0
        for name, entries_found in _pairs(found):
            handled += await self._handle_entries(name.decode(), entries_found)
        return handled

    async def _handle_entries(self, stream: str, entries: Any) -> int:
        handled = 0
        for entry, fields in entries:
            name = entry.decode()
            if name in self._held.get(stream, ()) or name in self._done.get(stream, ()):
                continue  # read a second time, after the connection broke
            handled += 1
            self._held.setdefault(stream, set()).add(name)
            payload = fields.get(b"d") if fields else None
            if payload is None or await self._on_entry(stream, name, payload):
                self.finish(stream, name)
        return handled

    async def _send_heartbeat(self) -> None:
        """Send a heartbeat: renew what shows the other processes that this one lives."""
        await self._renew()
        self._beat_at = monotonic()
        for stream in {self._own, *self._grouped}:
            await self._command("PEXPIRE", stream, self._keep_ms)
        for stream, entries in list(self._held.items()):
            if entries:
                await self._command("XCLAIM", stream, GROUP, self._node, 0, *entries, "JUSTID", parse_justid=True)
        for stream in self._wanted():
            if stream in self._grouped:
                await self._claim(stream)

    async def _claim(self, stream: str) -> None:
        """Take over the entries of processes that do not send heartbeats any more."""
        found = await self._command(
            "XAUTOCLAIM", stream, GROUP, self._node, int(self._lease_s * 1000), "0", "COUNT", SHARED_COUNT
        )
        await self._handle_entries(stream, [entry for entry in found[1] if entry and entry[0] is not None])

    async def _check_losses(self, *, is_new: bool) -> None:
        """Report if entries were lost while this process was not connected; *is_new*: its stream had to be made."""
        was_at, self._beat_at = self._beat_at, monotonic()
        if was_at is None:
            return
        is_late = self._beat_at - was_at > self._away_s
        if is_new or is_late or await self._command("XLEN", self._own) >= NODE_BACKLOG:
            self._on_loss()

    async def _create_group(self, stream: str) -> bool:
        """Make the group that reads a stream; return False if there was one."""
        is_new = True
        try:
            await self._command("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM")
            await self._command("PEXPIRE", stream, self._keep_ms)
        except self._host.errors.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            is_new = False
        self._grouped.add(stream)
        return is_new

    async def _command(self, *command: Any, **parsing: Any) -> Any:
        return await self._client.execute_command(*command, **parsing)


def _pairs(found: Any) -> list[tuple[bytes, Any]]:
    """Return stream and entries of each stream that had any."""
    return [] if found is None else list(found.items() if isinstance(found, dict) else found)


_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: KEYS: stream. ARGV: capacity, expiry and time to keep the stream in ms, whether to drop the oldest entry, payload.
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

#: KEYS: routes or members. Returns the entries that have not lapsed.
LIVE: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)


#: How many messages may wait for all channels of a process together, while it is not connected.
NODE_BACKLOG: Final = 10_000
_FLUSH_BATCH: Final = 500
_GLOB: Final = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})


class Queues:
    """
    The keys of a layer.

    Args:
        key: The beginning of the keys, escaped.
        expiry_s: For how long a message is kept.
        lease_s: For how long a process stays a member without renewing it.
        capacities: How many messages are kept for channels that any process may read.
        drops_old: Whether channels that are full drop the oldest message.
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
        #: For how many milliseconds a stream is kept after the last heartbeat.
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
        """Return the number of the host that has a stream or a group."""
        return shard_of(key, len(self.hosts))

    async def run(self, key: str, *command: Any, **parsing: Any) -> Any:
        """Run a command on the host that has a key; return its answer."""
        senders = await self.senders.get()
        return await senders[shard_of(key, len(senders))].post(*command, **parsing)

    async def add_to_channel(self, channel: str, payload: bytes) -> bool:
        """Add to the stream of a channel; return False if it is full."""
        return await self._add(
            self.stream_of(channel), self._capacities.of(channel), payload, drops_old=self._drops_old
        )

    async def add_to_node(self, node: str, payload: bytes) -> bool:
        """Add to the stream of a process; return False if it is full."""
        return await self._add(self.stream_of_node(node), NODE_BACKLOG, payload, drops_old=False)

    async def add_to_group(self, group: str, payload: bytes) -> list[str]:
        """Add to the streams of a group's routes; return those channels, read by any process, that are full."""
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
        """Put channels with a common route into a group, or renew their membership, for *lease_s* seconds."""
        keys = (self._routes(group), self._members(group))
        await self.run(group, "EVAL", JOIN, 2, *keys, int(lease_s * 1000), route, *channels)

    async def leave(self, group: str, channel: str, route: str | None) -> None:
        """Take a channel out of a group, and with it *route*, unless that is None because other channels use it."""
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
        """End the waiting read of a process at a host."""
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
    """Return the route to a channel."""
    node = node_of(channel)
    return f"c:{channel}" if node is None else f"n:{node}"
