"""
Read the streams of one Redis for a process, over one connection that is made again when it breaks.

Each stream has a consumer group, in which the process is a consumer: what it was given stays pending until it is
acknowledged, and is given again after the connection broke. Knows ids and bytes, never what a message means.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.reconnection import ReconnectLoop
from fastsio.brokers.redis import close_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastsio.layers.redis.hosts import RedisHost

#: The consumer group of every stream.
GROUP: Final = "readers"
#: Milliseconds for which Redis keeps the process waiting when there is nothing; less if the lease is short.
BLOCK_MS: Final = 2000
#: Entries to read at once from the process's own stream, and from one that other processes read too.
OWN_COUNT: Final = 200
SHARED_COUNT: Final = 16
#: What Redis says when a stream, and its group with it, is gone.
_GONE: Final = ("NOGROUP", "UNBLOCKED")

logger = logging.getLogger("fastsio.layers")


class StreamReader:
    """
    Reads from one Redis.

    Args:
        host: The Redis.
        node: The name of the process.
        own: The stream that only this process reads.
        keep_ms: For how long a stream is kept without sign of life.
        lease_s: For how long an entry is its reader's; a third of it is the time between two beats.
        wanted: Tells how many entries may be read from which streams, beside the own.
        take: Gets stream, id and payload of an entry; returns whether it is done with, or will be later.
        beat: Called when the connection is there, and regularly from then on.
        on_disconnect: As for :class:`ReconnectLoop`.
        on_reconnect: As for :class:`ReconnectLoop`.
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
        take: Callable[[str, str, bytes], Awaitable[bool]],
        beat: Callable[[], Awaitable[None]],
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
        self._take = take
        self._beat = beat
        self._client: Any = None
        #: Entries that a consumer has not read yet, and those that are done with but still pending at Redis.
        self._held: dict[str, set[str]] = {}
        self._done: dict[str, set[str]] = {}
        self._grouped: set[str] = set()
        #: The shared streams that are being waited for.
        self.reading: frozenset[str] = frozenset()
        self._skew_s = 0.0
        self._listener = ReconnectLoop(f"at Redis {host.label}", self._listen, on_disconnect, on_reconnect)

    @property
    def is_up(self) -> bool:
        """Whether messages arrive at present."""
        return self._listener.is_up

    async def settle(self) -> None:
        """Wait until Redis was reached, or could not be."""
        await self._listener.settle()

    async def close(self) -> None:
        """Close the connection."""
        await self._listener.stop()

    def age_of(self, entry: str) -> float:
        """Return how many seconds ago an entry was written."""
        return monotonic() + self._skew_s - int(entry.partition("-")[0]) / 1000

    def finish(self, stream: str, entry: str) -> None:
        """Mark an entry as handled; Redis is told with the next read."""
        self._held.get(stream, set()).discard(entry)
        self._done.setdefault(stream, set()).add(entry)

    def let_go(self, stream: str) -> set[str]:
        """Forget a stream; return the entries that nobody has read."""
        self._grouped.discard(stream)
        return self._held.pop(stream, set())

    async def _listen(self) -> None:
        self._grouped.clear()
        self._client = self._host.client(waits_s=BLOCK_MS / 1000)
        try:
            seconds, microseconds = await self._command("TIME")
            self._skew_s = int(seconds) + int(microseconds) / 1e6 - monotonic()
            await self._group(self._own)
            await self._beat()
            self._listener.confirm()
            while await self._read({self._own: OWN_COUNT}, "0"):
                pass
            next_beat = monotonic() + self._lease_s / 3
            while True:
                if monotonic() >= next_beat:
                    await self._live()
                    next_beat = monotonic() + self._lease_s / 3
                await self._read_new()
        finally:
            client, self._client = self._client, None
            self.reading = frozenset()
            await close_client(client)

    async def _read_new(self) -> None:
        shared = self._wanted()
        for stream in shared.keys() - self._grouped:
            await self._group(stream)
            await self._read({stream: SHARED_COUNT}, "0")
            await self._claim(stream)
            return  # what was read may be all there is room for
        self.reading = frozenset(shared)
        await self._read({self._own: OWN_COUNT, **shared}, ">")
        self.reading = frozenset()

    async def _read(self, streams: dict[str, int], after: str) -> int:
        """Read from streams: what is new (``>``), waiting for it, or what is pending (``0``); return how many."""
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
                await self._group(stream)
            return 0
        handed = 0
        for name, entries_found in _pairs(found):
            handed += await self._hand_over(name.decode(), entries_found)
        return handed

    async def _hand_over(self, stream: str, entries: Any) -> int:
        handed = 0
        for entry, fields in entries:
            name = entry.decode()
            if name in self._held.get(stream, ()) or name in self._done.get(stream, ()):
                continue  # given a second time, after the connection broke
            handed += 1
            self._held.setdefault(stream, set()).add(name)
            payload = fields.get(b"d") if fields else None
            if payload is None or await self._take(stream, name, payload):
                self.finish(stream, name)
        return handed

    async def _live(self) -> None:
        """Say to Redis, and so to the other processes, that this one lives."""
        await self._beat()
        for stream in {self._own, *self._grouped}:
            await self._command("PEXPIRE", stream, self._keep_ms)
        for stream, entries in list(self._held.items()):
            if entries:
                await self._command("XCLAIM", stream, GROUP, self._node, 0, *entries, "JUSTID", parse_justid=True)
        for stream in self._wanted():
            if stream in self._grouped:
                await self._claim(stream)

    async def _claim(self, stream: str) -> None:
        """Take over what processes were given that do not live any more."""
        found = await self._command(
            "XAUTOCLAIM", stream, GROUP, self._node, int(self._lease_s * 1000), "0", "COUNT", SHARED_COUNT
        )
        await self._hand_over(stream, [entry for entry in found[1] if entry and entry[0] is not None])

    async def _group(self, stream: str) -> None:
        try:
            await self._command("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM")
            await self._command("PEXPIRE", stream, self._keep_ms)
        except self._host.errors.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._grouped.add(stream)

    async def _command(self, *command: Any, **parsing: Any) -> Any:
        return await self._client.execute_command(*command, **parsing)


def _pairs(found: Any) -> list[tuple[bytes, Any]]:
    """Return stream and entries of each stream that had any."""
    return [] if found is None else list(found.items() if isinstance(found, dict) else found)
