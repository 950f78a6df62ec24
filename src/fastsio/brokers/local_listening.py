"""The receiving half of the bus between the processes of one machine, which :mod:`.local` describes."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastsio.brokers.local import GREETING, HEAD, HIGH_WATER_BYTES, LENGTH, TO_ALL, TO_ONE, LocalPlace, ignore
from fastsio.brokers.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

#: The kind of the item that follows the last message of a connection; it is not a frame.
END: Final = 3
#: Seconds for which the count of handled messages of a disconnected publisher is kept.
KNOWN_S: Final = 5.0
BACKLOG: Final = 1024
_GREETING: Final = re.compile(rb"fastsio 1 ([0-9a-f]{16}) ([0-9]{1,18})(?: ([0-9a-f]{1,32}))?")
_TOPIC_END: Final = b"\n"


class Arrived(NamedTuple):
    """A frame of a publisher with its kind and content, or (END, without content) the end of its connection."""

    sender: _Sender
    kind: int
    content: bytes


class _Sender(asyncio.Protocol):
    """The connection of a publisher to this process."""

    def __init__(self, listener: LocalListener) -> None:
        self.name = ""
        #: The name under which the publisher's process listens; empty if it does not.
        self.process = ""
        #: The number of the publisher's last handled message for all; those before the connection count too.
        self.count = 0
        self.transport: Any = None
        self._listener = listener
        self._buffer = bytearray()
        self._unhandled_bytes = 0
        self._is_paused = False

    def connection_made(self, transport: Any) -> None:
        """Register the connection."""
        self.transport = transport
        self._listener.senders.add(self)

    def data_received(self, data: bytes) -> None:
        """Read the frames in the buffer; malformed bytes end the connection."""
        buffer = self._buffer
        buffer += data
        start, most = 0, self._listener.place.max_pending_bytes
        while len(buffer) - start >= LENGTH:
            end = start + LENGTH + int.from_bytes(buffer[start : start + LENGTH], "big")
            if not start + LENGTH < end <= start + LENGTH + most:
                self._refuse(f"a frame of {end - start - LENGTH} bytes")
                return
            if end > len(buffer):
                break
            if not self._handle_frame(buffer[start + LENGTH], bytes(buffer[start + HEAD : end])):
                return
            start = end
        del buffer[:start]
        if self._unhandled_bytes > HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _handle_frame(self, kind: int, content: bytes) -> bool:
        """Queue a frame for the listener; if it is malformed, end the connection and return False."""
        if not self.name:
            match = _GREETING.fullmatch(content) if kind == GREETING else None
            if match is None:
                self._refuse("no greeting")
                return False
            self.name, self.count, self.process = match[1].decode(), int(match[2]), (match[3] or b"").decode()
        elif kind not in {TO_ALL, TO_ONE}:
            self._refuse(f"a frame of the kind {kind}")
            return False
        self._unhandled_bytes += len(content)
        self._listener.put(Arrived(self, kind, content))
        return True

    def count_handled(self, size: int) -> None:
        """Resume reading, if the process has handled most of the bytes that it had read."""
        self._unhandled_bytes -= size
        if self._is_paused and self._unhandled_bytes < HIGH_WATER_BYTES // 2 and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    def _refuse(self, what: str) -> None:
        text = "bus in %s: a connection is closed, because what it has sent makes no sense: %s"
        self._listener.get_logger().error(text, self._listener.place.path, what)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        """Queue the end of the publisher, after its last frame."""
        self._listener.senders.discard(self)
        self._listener.put(Arrived(self, END, b""))


class LocalListener:
    """
    Receives the messages of other processes, on one event loop.

    Args:
        name: The name under which this process listens; no process had it before.
        on_gap: Called when messages of a publisher were lost.
        get_logger: Returns the logger for connections with malformed bytes.
        on_end: Called with the name of a process that has ended, when all its messages were handled.

    Attributes:
        senders: The connections of publishers.
        taking: Publisher, number and bytes of the message that is being handled, if it is for all; otherwise None.
    """

    def __init__(
        self,
        place: LocalPlace,
        name: str,
        on_gap: Callable[[], object],
        get_logger: Callable[[], Any],
        on_end: Callable[[str], object] = ignore,
    ) -> None:
        self.place = place
        self.get_logger = get_logger
        self.senders: set[_Sender] = set()
        self.taking: tuple[str, int, int] | None = None
        self._path = place.socket_of(name)
        self._on_gap = on_gap
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.AbstractServer | None = None
        self._arrived: deque[Arrived] = deque()
        self._waiting: asyncio.Future[None] | None = None
        #: Publisher -> its present connection; disconnected publisher -> the time of its end.
        self._present: dict[str, _Sender] = {}
        self._gone: dict[str, float] = {}
        #: Publisher -> how many of its messages for all were handled here.
        self._handled: dict[str, int] = {}
        #: The calls of until_handled() that wait: publisher -> how many messages, and the future of the call.
        self._awaited: list[tuple[Mapping[str, int], asyncio.Future[None]]] = []

    async def open(self) -> None:
        """Start listening: what is published after the return arrives. Raise OSError if that is not possible."""
        self.place.make()
        # The socket gets its final name when it listens: publishers remove a socket that refuses connections.
        hidden = self._path.with_name(f".{self._path.name}")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(os.fspath(hidden))
            hidden.chmod(0o600)
            listening.listen(BACKLOG)
            listening.setblocking(False)
            self._server = await self._loop.create_unix_server(lambda: _Sender(self), sock=listening, backlog=BACKLOG)
            hidden.rename(self._path)
        except BaseException:
            hidden.unlink(missing_ok=True)
            listening.close()
            raise

    async def read(self) -> AsyncGenerator[bytes, None]:
        """Yield the messages. A message counts as handled when the caller asks for the next one."""
        while True:
            while self._arrived:
                sender, kind, content = self._arrived.popleft()
                if kind == END:
                    self._handle_end(sender)
                elif kind == GREETING:
                    self._handle_greeting(sender)
                elif self._present.get(sender.name) is sender:
                    self.taking = (sender.name, sender.count + 1, len(content)) if kind == TO_ALL else None
                    yield content
                    if kind == TO_ALL:
                        sender.count += 1
                        self._handled[sender.name] = sender.count
                        if self._awaited:
                            self._release()
                sender.count_handled(len(content))
            self._waiting = self._loop.create_future()
            await self._waiting

    def put(self, arrived: Arrived) -> None:
        """Queue a frame or an end for :meth:`read`."""
        self._arrived.append(arrived)
        waiting = self._waiting
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def close(self) -> None:
        """Stop listening."""
        self._path.unlink(missing_ok=True)
        if self._server is not None:
            self._server.close()
        for sender in list(self.senders):
            sender.transport.abort()
        for _, waiting in self._awaited:
            if not waiting.done():
                waiting.set_result(None)

    # The counts of handled messages

    def handled(self) -> dict[str, int]:
        """Return publisher -> how many of its messages for all were handled; without publishers that ended long ago."""
        self._forget_ended()
        return dict(self._handled)

    def _forget_ended(self) -> None:
        oldest_s = time.monotonic() - KNOWN_S
        while self._gone and self._gone[name := next(iter(self._gone))] < oldest_s:
            del self._gone[name], self._handled[name]

    def is_connected_to(self, publisher: str) -> bool:
        """Return whether a publisher is connected, or messages of it wait to be handled."""
        return publisher in self._present

    def hears_process(self, name: str) -> bool:
        """Return whether a process is connected under the name that it listens under, or messages of it wait."""
        return any(sender.process == name for sender in self._present.values())

    async def until_handled(self, counts: Mapping[str, int]) -> None:
        """Wait until that many messages of each publisher were handled, except of publishers that have ended."""
        if not self._is_behind(counts):
            return
        waiting = self._loop.create_future()
        self._awaited.append((counts, waiting))
        try:
            await waiting
        finally:
            self._awaited = [each for each in self._awaited if each[1] is not waiting]

    def _is_behind(self, counts: Mapping[str, int]) -> bool:
        return any(self._handled.get(name, 0) < count and name not in self._gone for name, count in counts.items())

    def _release(self) -> None:
        for counts, waiting in self._awaited:
            if not waiting.done() and not self._is_behind(counts):
                waiting.set_result(None)

    def _handle_greeting(self, sender: _Sender) -> None:
        name, before = sender.name, self._present.get(sender.name)
        known = self._handled.get(name)
        if before is not None:  # messages on the older connection would arrive out of order
            before.transport.abort()
        self._gone.pop(name, None)
        self._present[name] = sender
        self._handled[name] = sender.count
        if known is not None and known < sender.count:
            self._on_gap()
        self._release()

    def _handle_end(self, sender: _Sender) -> None:
        if self._present.get(sender.name) is sender:
            self._forget_ended()
            del self._present[sender.name]
            self._gone[sender.name] = time.monotonic()
            self._release()
            if sender.process and not self.hears_process(sender.process):
                self._on_end(sender.process)


class LocalSubscriptions(Subscriptions):
    """The topics that a process subscribes to on a bus whose messages :func:`on_topic` has made."""

    async def _open(self) -> LocalListener:
        listener: LocalListener = self._connect()
        await listener.open()
        return listener

    async def _close(self, connection: LocalListener) -> None:
        await connection.close()

    async def _ask(self, connection: LocalListener, new: list[str], gone: list[str]) -> None:  # noqa: ARG002 - no filter
        for topic in gone:
            self._confirm(topic, is_subscribed=False)
        for topic in new:
            self._confirm(topic, is_subscribed=True)

    async def _read(self, connection: LocalListener) -> None:
        async for message in connection.read():
            topic, _, payload = message.partition(_TOPIC_END)
            name = topic.decode(errors="replace")
            if name in self._topics.wanted:
                await self._on_message(name, payload)


def on_topic(topic: str, payload: bytes) -> bytes:
    """Return a message for a bus, with topic and payload; the name of the topic must have no control characters."""
    return topic.encode() + _TOPIC_END + payload
