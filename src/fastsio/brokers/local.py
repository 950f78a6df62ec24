"""
A bus between the processes of one machine, without a broker: Unix sockets in a directory that they share.

Each listening process has a socket in the directory, and each publishing process connects to all sockets. It reads the
directory again when the directory has changed. So a process is part of the bus as soon as its socket exists, and other
processes notice its end when its connections close. The messages of one publisher arrive in their order.

On a connection only the publisher writes. A frame is the length of the rest in four bytes, one byte for the kind of the
frame, and the content. The first frame is the greeting: the name of the publisher, how many messages for all
processes it has published before, and the name under which its process listens, if it does.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import stat
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.worker_group import MAX_SOCKET_PATH, WORKERS, check_is_own
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

#: How many bytes may wait for one process by default.
MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
#: Publishers wait while more bytes than this, or a quarter of ``max_pending_bytes``, wait for a process; but only for
#: PATIENCE_S seconds.
HIGH_WATER_BYTES: Final = 1024 * 1024
PATIENCE_S: Final = 0.5
#: Seconds after which a publisher connects again to a process that it has left out.
RETRY_S: Final = 1.0
#: Seconds that closing waits for a process that reads nothing.
LINGER_S: Final = 1.0
#: Nanoseconds in which a directory may change twice with the same time of change.
RACY_NS: Final = 1_000_000_000
#: The characters of the longest name of a process.
MAX_NAME: Final = 17
GREETING: Final = 0
TO_ALL: Final = 1
TO_ONE: Final = 2
#: The bytes of a frame's length, and of length and kind together.
LENGTH: Final = 4
HEAD: Final = 5
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


class LocalPlace:
    """
    The directory of a bus, inside the directory that the processes share.

    Args:
        path: The shared directory; None is the one that ``fastsio run --workers`` makes.
        channel: The name of the bus.
        max_pending_bytes: How many bytes may wait for one process.
        purpose: A prefix of the directory's name, so that buses for different purposes may have the same name.

    Attributes:
        directory: The directory of the bus.
        high_water: Publishers wait while more bytes than this wait for a process.

    Raises:
        SetupError: There is no such directory, the path is too long for Unix sockets, or the number is not positive.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, channel: str, max_pending_bytes: int, purpose: str = "bus"
    ) -> None:
        if path is None:
            path = os.environ.get(WORKERS) or None
        if path is None:
            raise SetupError(
                "a bus between the processes of a machine needs a directory that they share: give path='/run/app', or "
                f"start them with 'fastsio run --workers', which sets {WORKERS} for more than one worker"
            )
        if not hasattr(socket, "AF_UNIX"):
            raise SetupError("this system has no Unix sockets; use a manager with a broker")
        if type(max_pending_bytes) is not int or max_pending_bytes <= 0:
            raise SetupError(f"max_pending_bytes={max_pending_bytes!r} is not valid; give it a positive number")
        digest = blake2b(channel.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
        self.path = Path(path)
        self.directory = self.path / f"{purpose}-{_UNSAFE.sub('_', channel)[:8]}-{digest}"
        self.max_pending_bytes = max_pending_bytes
        self.high_water = min(HIGH_WATER_BYTES, max_pending_bytes // 4)
        if len(os.fsencode(self.socket_of("." + "0" * MAX_NAME))) > MAX_SOCKET_PATH:
            raise SetupError(f"the path {self.path} is too long for Unix sockets; choose a shorter one")

    def socket_of(self, name: str) -> Path:
        """Return the path of the socket of a process."""
        return self.directory / name

    def make(self) -> None:
        """Make the directory, unless it exists; raise OSError if other users may use it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.directory.mkdir(mode=0o700)
        self.check()

    def check(self) -> None:
        """Raise OSError unless only processes of this user can publish and listen in the directory."""
        check_is_own(self.path, may_be_sticky=True)
        found = self.directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(f"{self.directory} must be a directory of this user, closed to others (mode 0700)")

    def names(self) -> Iterator[str]:
        """Return the names of the processes whose sockets are in the directory."""
        return (each.name for each in self.directory.iterdir() if not each.name.startswith("."))


class _Peer(asyncio.Protocol):
    """A publisher's connection to a listening process; it is behind while more than *high_water* bytes wait for it."""

    def __init__(self, name: str, high_water: int, on_end: Callable[[_Peer], object]) -> None:
        self.name = name
        self.high_water = high_water
        self.transport: Any = None
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        #: Whether more than *high_water* bytes wait for the process; whether it has not read them within PATIENCE_S.
        self.is_behind = self.is_given_up = False
        self.has_room = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.opening: asyncio.Task[None] | None = None
        self._on_end = on_end

    @property
    def pending_bytes(self) -> int:
        """How many bytes for the other process wait in this one."""
        return self.waiting_bytes + (0 if self.transport is None else self.transport.get_write_buffer_size())

    def connection_made(self, transport: Any) -> None:
        """Write the frames that were queued before the connection was open."""
        self.transport = transport
        transport.set_write_buffer_limits(high=self.high_water)
        self.resume_writing()
        self.write()

    def write(self) -> None:
        """Write the queued frames. Before the connection is open, only check whether the process is behind."""
        if self.transport is None:
            if self.waiting_bytes > self.high_water:
                self.pause_writing()
        elif self.waiting:
            frames, self.waiting, self.waiting_bytes = self.waiting, [], 0
            # Not writelines(): in Python 3.12 and 3.13 it does not call pause_writing().
            self.transport.write(b"".join(frames))

    def pause_writing(self) -> None:
        """Record that the process reads slower than this one writes."""
        self.is_behind = True
        self.has_room.clear()

    def resume_writing(self) -> None:
        """Record that the process has read most of the bytes."""
        self.is_behind = self.is_given_up = False
        self.has_room.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        """Record that the process has ended, or has closed the connection."""
        self.resume_writing()
        self.has_ended.set()
        self._on_end(self)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio's interface
        """End the connection: only this side writes."""
        self.abort()

    def abort(self) -> None:
        """Abort the connection, and drop the queued frames."""
        self.waiting, self.waiting_bytes = [], 0
        if self.opening is not None:
            self.opening.cancel()
        if self.transport is not None:
            self.transport.abort()


def ignore(_name: str) -> None:
    """Do nothing about a process that has ended."""


class LocalPublisher:
    """
    Publishes to all processes that listen, on one event loop.

    Args:
        own: Returns the name under which this process itself listens; it does not get its own messages.
        get_logger: Returns the logger for processes that do not read.
        on_end: Called with the name of a process that is not connected any more.

    Attributes:
        name: The unique name of the publisher.
        count: How many messages for all processes it has published.
    """

    def __init__(
        self,
        place: LocalPlace,
        own: Callable[[], str],
        get_logger: Callable[[], Any],
        on_end: Callable[[str], object] = ignore,
    ) -> None:
        self.name = token_hex(8)
        self.count = 0
        self._place = place
        self._own = own
        self._get_logger = get_logger
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._peers: dict[str, _Peer] = {}
        #: Name of a process that was left out because it did not read -> the time at which to connect again.
        self._left_out: dict[str, float] = {}
        #: The directory's time of change when it was read last; None if it must be read again.
        self._seen_ns: int | None = None
        self._writing: asyncio.Handle | None = None

    @property
    def peers(self) -> Collection[str]:
        """The names of the connected processes."""
        return self._peers.keys()

    async def publish(self, payload: bytes, to: str | None = None) -> Sequence[str]:
        """
        Publish a message; wait a moment if a process is behind, but not for a process that has stopped reading.

        Args:
            payload: The message.
            to: The name of the one process that gets it; None is all. If that process is not connected, the message is
                dropped.

        Returns:
            The names of the processes that the message was written for. Some may have ended since.

        Raises:
            ValueError: The message is too large.
            OSError: The directory cannot be used.
        """
        if len(payload) + HEAD > self._place.max_pending_bytes:
            raise ValueError(
                f"a message of {len(payload)} bytes is larger than max_pending_bytes={self._place.max_pending_bytes}"
            )
        self._look()
        head = frame_head(TO_ALL if to is None else TO_ONE, payload)
        if to is None:
            self.count += 1
            peers = list(self._peers.values())
        else:
            peers = [self._peers[to]] if to in self._peers else []
        peers = [peer for peer in peers if self._give(peer, head, payload)]
        if peers and self._writing is None:
            self._writing = self._loop.call_soon(self._write)
        for peer in peers:
            if peer.waiting_bytes > peer.high_water:  # self._write() runs only once this task waits
                peer.write()
            if peer.is_behind and not peer.is_given_up:
                await self._let_read(peer)
        return [peer.name for peer in peers]

    def look(self) -> Collection[str]:
        """Connect to new processes, and return the names of all; raise OSError if the directory cannot be used."""
        self._look()
        return self._peers.keys()

    def post(self, payload: bytes, to: str) -> bool:
        """
        Write a message to one process at once, without waiting for it to read.

        Return False if it is not connected, or too much would wait for it; raise ValueError if the message is larger
        than half of ``max_pending_bytes``.
        """
        if len(payload) > self._place.max_pending_bytes // 2:
            raise ValueError(f"a message of {len(payload)} bytes cannot be posted")
        peer = self._peers.get(to)
        if peer is None or not self._give(peer, frame_head(TO_ONE, payload), payload):
            return False
        peer.write()
        return self._peers.get(to) is peer

    def is_behind(self, to: str) -> bool:
        """Return whether a process reads slower than this one writes: many bytes wait for it."""
        peer = self._peers.get(to)
        return peer is not None and peer.pending_bytes > peer.high_water

    async def close(self) -> None:
        """Write all queued frames and close the connections; do not wait for a process that does not read."""
        if self._writing is not None:
            self._writing.cancel()
        peers, self._peers = list(self._peers.values()), {}
        for peer in peers:
            if peer.opening is not None:
                await asyncio.wait([peer.opening])
            peer.write()
            if peer.transport is None:
                peer.has_ended.set()
            else:
                peer.transport.close()
        await asyncio.gather(*(self._let_read_all(peer) for peer in peers))

    async def _let_read_all(self, peer: _Peer) -> None:
        """Wait until all is written to a process; abort the connection if it reads nothing for LINGER_S seconds."""
        while not peer.has_ended.is_set():
            pending = peer.pending_bytes
            try:
                async with asyncio.timeout(LINGER_S):
                    await peer.has_ended.wait()
            except TimeoutError:
                if peer.pending_bytes >= pending:
                    text = "bus in %s: a process does not read; it misses messages that were published before the end"
                    self._get_logger().error(text, self._place.path)
                    peer.abort()
                    return

    def _look(self) -> None:
        """Connect to the processes whose sockets are new in the directory."""
        now_s = time.monotonic()
        due = [name for name, at_s in self._left_out.items() if at_s <= now_s]
        try:
            changed_ns = self._place.directory.stat().st_mtime_ns
        except FileNotFoundError:
            self._place.path.stat()  # raises if the shared directory does not exist either
            return
        if changed_ns == self._seen_ns and not due:
            return
        self._place.check()
        for name in due:
            del self._left_out[name]
        own = self._own()
        for name in self._place.names():
            if name not in self._peers and name not in self._left_out and name != own:
                self._connect(name, own, is_back=name in due)
        # After an error the directory is read again, so that no process is forgotten.
        self._seen_ns = changed_ns if time.time_ns() - changed_ns > RACY_NS else None

    def _connect(self, name: str, own: str, *, is_back: bool) -> None:
        path = self._place.socket_of(name)
        try:
            connection = _connected(path)
        except ConnectionRefusedError:  # the process of the socket was killed; no other gets its name
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except BlockingIOError:  # the backlog of the socket is full
            self._leave_out(name, "it accepts no connections")
            return
        except OSError as error:  # too many files are open
            self._leave_out(name, str(error))
            return
        peer = self._peers[name] = _Peer(name, self._place.high_water, self._forget)
        greeting = f"fastsio 1 {self.name} {self.count} {own}".rstrip().encode()
        peer.waiting = [frame_head(GREETING, greeting), greeting]
        peer.waiting_bytes = HEAD + len(greeting)
        peer.opening = self._loop.create_task(self._open(peer, connection))
        if is_back:
            self._get_logger().error("bus in %s: a process that was left out is connected again", self._place.path)

    async def _open(self, peer: _Peer, connection: socket.socket) -> None:
        try:
            await self._loop.create_unix_connection(lambda: peer, sock=connection)
        except BaseException as error:
            connection.close()
            self._forget(peer)
            peer.resume_writing()
            if not isinstance(error, OSError):
                raise
        finally:
            peer.opening = None

    def _forget(self, peer: _Peer) -> None:
        if self._peers.get(peer.name) is peer:
            del self._peers[peer.name]
            self._seen_ns = None
            self._on_end(peer.name)

    def _give(self, peer: _Peer, head: bytes, payload: bytes) -> bool:
        """Queue a frame for a process; if too much waits for it, leave it out and return False."""
        size = len(head) + len(payload)
        if peer.pending_bytes + size > self._place.max_pending_bytes:
            self._forget(peer)
            self._leave_out(peer.name, f"more than max_pending_bytes={self._place.max_pending_bytes} wait for it")
            peer.abort()
            return False
        peer.waiting += (head, payload)
        peer.waiting_bytes += size
        return True

    def _leave_out(self, name: str, why: str) -> None:
        self._left_out[name] = time.monotonic() + RETRY_S
        text = "bus in %s: a process is left out, trying again; it misses messages: %s"
        self._get_logger().error(text, self._place.path, why)

    def _write(self) -> None:
        self._writing = None
        for peer in list(self._peers.values()):
            peer.write()

    @staticmethod
    async def _let_read(peer: _Peer) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await peer.has_room.wait()
        except TimeoutError:
            peer.is_given_up = True


def _connected(path: Path) -> socket.socket:
    """Return a socket that is connected to that of a process."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(os.fspath(path))
    except BaseException:
        connection.close()
        raise
    return connection


def frame_head(kind: int, content: bytes) -> bytes:
    """Return the length and the kind of a frame, which precede its content."""
    return (len(content) + 1).to_bytes(LENGTH, "big") + bytes((kind,))
