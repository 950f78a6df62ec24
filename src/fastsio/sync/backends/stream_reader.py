# Written by tools/unasync.py from aio/backends/stream_reader.py; change that one.
"""Reads Redis Streams for one node: new entries in their order, also after an outage, and ranges of old entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.cluster.stream_entries import START, before, entries_of, position_of, write_position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fastsio.cluster.stream_entries import Position, StreamEntry

#: Seconds for which the server lets a reader wait for an entry. A thread that waits cannot be told to end.
BLOCK_S: Final = 1.0
#: How many entries are read at once. Other tasks run when they have been handled.
BATCH: Final = 100
#: Milliseconds after which questions and answers of other nodes are not handled any more.
FRESH_MS: Final = 60_000
#: The field of an entry without an event. A new stream begins with it, so that there is a position before its events.
_ANCHOR: Final = ("fastsio", "1")


class StreamReader:
    """
    Reads several streams over one connection; after a new connection it goes on after the last entry that it has read.

    Args:
        streams: The names of the streams. The first one has the events. After an outage, entries of the others are
            skipped if they are older than :data:`FRESH_MS`.
        max_length: About how many entries the first stream keeps.
        on_gap: Called if entries of the first stream are gone that were not read, with the position to go on from.
    """

    def __init__(self, streams: Sequence[str], max_length: int, on_gap: Callable[[Position], object]) -> None:
        self._streams = tuple(streams)
        self._max_length = max_length
        #: If so many entries come at once, the reader is slower than the nodes that write.
        self._behind = min(BATCH, max_length)
        self._on_gap = on_gap
        #: Stream -> the position of the last entry that was read.
        self._last: dict[str, Position] = {}

    def begin(self, client: Any) -> Position | None:
        """
        Look up the positions to go on from, with a client of Redis that has just connected.

        Return the position of the newest entry of the first stream, if this is the first time; else None.
        """
        main, *others = self._streams
        for stream in others:
            newest = self._newest(client, stream) or START
            last = self._last.get(stream, newest)
            self._last[stream] = min(newest, max(last, (newest[0] - FRESH_MS, 0)))
        if main in self._last:
            self._check_gap(client)
            return None
        position = self._last[main] = self._newest(client, main) or self._anchor(client)
        return position

    def beginning(self, client: Any) -> tuple[StreamEntry | None, bool]:
        """Return the oldest entry of the first stream, or None, and whether the stream still has all of its entries."""
        main = self._streams[0]
        found = client.execute_command("XINFO", "STREAM", main)
        # A map in RESP3; in RESP2 names and values in turn.
        info = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        # Redis 6 does not count.
        return self._first(client, main), info.get(b"entries-added") == info[b"length"]

    def read(self, client: Any) -> list[StreamEntry]:
        """
        Return the next entries, or none if no entry comes within :data:`BLOCK_S`.

        The same entries are returned again until :meth:`go_on` is called with them.
        """
        ids = [write_position(self._last[stream]) for stream in self._streams]
        command = ("XREAD", "COUNT", BATCH, "BLOCK", int(BLOCK_S * 1000), "STREAMS", *self._streams, *ids)
        answer = client.execute_command(*command) or ()
        entries: list[StreamEntry] = []
        was = self._last[self._streams[0]]
        # A list of pairs in RESP2; in RESP3 a map, with the entries in a list more.
        for name, found in answer.items() if isinstance(answer, dict) else answer:
            stream = name.decode()
            fresh = entries_of(stream, found[0] if isinstance(found[0], list) else found)
            entries += fresh
            if len(fresh) >= self._behind and stream == self._streams[0] and not self._has(client, was):
                # The stream was cut faster than this node reads it.
                self._on_gap(before(fresh[0].position))
        return entries

    def go_on(self, entries: Sequence[StreamEntry]) -> None:
        """Record that entries were handled: the next ones are read from now on."""
        for entry in entries:
            self._last[entry.stream] = entry.position

    def _check_gap(self, client: Any) -> None:
        """Report if the entry that was read last, and perhaps others after it, is gone."""
        main = self._streams[0]
        if self._has(client, self._last[main]):
            return
        oldest = self._first(client, main)
        if oldest is None:
            anchor = self._anchor(client)
            oldest = self._first(client, main)
            # The stream was empty, so all its entries are new; another node may have added one before the anchor.
            start = newest = before(anchor if oldest is None else oldest.position)
        else:
            start, newest = before(oldest.position), self._newest(client, main) or oldest.position
        # A server that has lost its newest entries, or all, may also have a clock of its own.
        self._last[main] = min(self._last[main], newest)
        self._on_gap(max(start, self._last[main]))

    def _has(self, client: Any, position: Position) -> bool:
        at = write_position(position)
        return bool(client.execute_command("XRANGE", self._streams[0], at, at))

    def _first(self, client: Any, stream: str) -> StreamEntry | None:
        found = client.execute_command("XRANGE", stream, "-", "+", "COUNT", 1)
        return entries_of(stream, found)[0] if found else None

    def _newest(self, client: Any, stream: str) -> Position | None:
        found = client.execute_command("XREVRANGE", stream, "+", "-", "COUNT", 1)
        return entries_of(stream, found)[0].position if found else None

    def _anchor(self, client: Any) -> Position:
        """Add an entry without an event to the first stream; return its position."""
        limit = ("MAXLEN", "~", self._max_length)
        return position_of(client.execute_command("XADD", self._streams[0], *limit, "*", *_ANCHOR))


def read_range(post: Callable[..., Any], stream: str, after: Position, last: Position) -> Iterator[StreamEntry]:
    """
    Yield the entries of a stream after one position, up to another.

    *post* sends a command. Raise LookupError if not all entries after the first position are there any more.
    """
    end, at = write_position(last), after
    while at < last:
        found = entries_of(stream, post("XRANGE", stream, write_position((at[0], at[1] + 1)), end, "COUNT", BATCH))
        yield from found
        if len(found) < BATCH:
            break
        at = found[-1].position
    # Streams lose their oldest entries first. Looked up at the end: they may have been lost meanwhile.
    first = entries_of(stream, post("XRANGE", stream, "-", "+", "COUNT", 1))
    if not first or first[0].position > after:
        raise LookupError(f"entries of {stream!r} after {write_position(after)} are gone")
