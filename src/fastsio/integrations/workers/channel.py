"""
Sends a client's connection from one worker to another: its descriptor and some bytes, over a Unix socket.

A parcel is a head with two lengths, the description that :mod:`.origin` makes, and the bytes that were read from the
client's connection. The descriptor travels with the first byte. This module neither parses the description nor the
bytes.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    #: Called with the descriptor, the description of the origin, and the bytes. The function must close the descriptor.
    OnParcel = Callable[[int, bytes, bytes], None]

HEAD: Final = struct.Struct("!II")
READ_BYTES: Final = 65_536
#: How many reads of one worker's connection follow each other before the event loop runs other callbacks.
READS_PER_TURN: Final = 64
BACKLOG: Final = 128
#: Seconds after which a process that could not accept, because it has too many descriptors open, tries again.
RETRY_S: Final = 1.0
#: The most bytes of a parcel; workers send what they have read at once, which is far less.
MAX_PARCEL_BYTES: Final = 16_777_216
#: The buffer for ancillary data: room for the one expected descriptor, and for more that a broken sender adds.
ANCILLARY_BYTES: Final = socket.CMSG_SPACE(array.array("i").itemsize * 4) if hasattr(socket, "CMSG_SPACE") else 0
#: Has received descriptors closed in programs that this process starts; without it, each is marked afterwards.
CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
#: The errors that connecting or sending raises when the other worker has ended.
ENDED: Final = (ConnectionError, FileNotFoundError)
#: The least that a waiting parcel counts against the limit of an :class:`Outbox`, in bytes.
MIN_BYTES: Final = 4096


class ParcelsFull(Exception):  # noqa: N818 - says what happened
    """The limit of an :class:`Outbox` is reached: a worker does not read its parcels fast enough."""


class _Waiting(NamedTuple):
    """The unsent bytes of a parcel. *descriptor* is None once it was sent and *on_end* was called."""

    data: memoryview
    descriptor: int | None
    on_end: Callable[[bool], None]
    size: int


class Outbox:
    """
    Sends parcels to one worker, over a connection that the first parcel opens.

    Args:
        path: The path of the worker's :class:`Inbox`.
        loop: The event loop.
        limit: The most bytes that may wait to be sent; each parcel counts as 4 KiB at least.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self._path = path
        self._loop = loop
        self._limit = limit
        self._size = 0
        self._socket: socket.socket | None = None
        self._waiting: deque[_Waiting] = deque()

    def send(self, descriptor: int, origin: bytes, data: bytes, on_end: Callable[[bool], None]) -> None:
        """
        Send a parcel at once, or queue it until the worker's socket has room.

        The origin is empty for the client's own socket. The caller keeps the descriptor open until *on_end* is called:
        once, with True when the descriptor was sent, perhaps before this method returns; with False when the worker has
        ended.

        Raises:
            OSError: One of :data:`ENDED` if the worker has ended; otherwise this process cannot connect to it.
            ParcelsFull: The limit of waiting bytes is reached.
        """
        parcel = memoryview(b"".join((HEAD.pack(len(origin), len(data)), origin, data)))
        one = _Waiting(parcel, descriptor, on_end, max(MIN_BYTES, len(parcel)))
        if self._waiting:
            self._wait(one)
            return
        try:
            rest = self._write(one)
        except (BrokenPipeError, ConnectionResetError):
            # The worker has closed this connection, and may listen again on a new socket.
            self.close()
            rest = self._write(one)
        if rest is not None:
            self._wait(rest)
            self._loop.add_writer(self._connected(), self._flush)

    def close(self) -> None:
        """Close the connection, and drop the parcels that wait: their *on_end* is called with False."""
        left, self._socket = self._socket, None
        if left is not None:
            self._loop.remove_writer(left)
            left.close()
        waiting, self._waiting, self._size = self._waiting, deque(), 0
        for one in waiting:
            if one.descriptor is not None:
                one.on_end(False)

    def _wait(self, one: _Waiting) -> None:
        # The rest of a parcel that was sent in part is queued even beyond the limit: the stream would be cut otherwise.
        if one.descriptor is not None and self._size + one.size > self._limit:
            raise ParcelsFull
        self._waiting.append(one)
        self._size += one.size

    def _flush(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                one = waiting[0]
                rest = self._write(one)
                if rest is one:
                    return
                if rest is None:
                    waiting.popleft()
                    self._size -= one.size
                else:
                    waiting[0] = rest
        except OSError:
            self.close()
            return
        self._loop.remove_writer(self._connected())

    def _write(self, one: _Waiting) -> _Waiting | None:
        """Write to the socket; return the unsent rest: None when all was sent, *one* itself when nothing was."""
        connection = self._connected()
        descriptors = [] if one.descriptor is None else [one.descriptor]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            count = connection.sendmsg([one.data], rights)
        except BlockingIOError:
            return one
        if one.descriptor is not None:
            one.on_end(True)
        return None if count == len(one.data) else one._replace(data=one.data[count:], descriptor=None)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            try:
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                raise
            self._socket = connection
        return self._socket


class Inbox:
    """
    Receives the parcels of other workers.

    Args:
        path: The path of the Unix socket to listen on; an old file of that path is replaced.
        loop: The event loop.
        on_parcel: Called for each parcel.
        on_loss: Called when a parcel came without its descriptor, because this process has too many open.
        on_malformed: Called with the reason when a connection is closed, because what came over it is no parcel.
    """

    def __init__(
        self,
        path: Path,
        loop: asyncio.AbstractEventLoop,
        on_parcel: OnParcel,
        on_loss: Callable[[], None],
        on_malformed: Callable[[str], None],
    ) -> None:
        self._path = path
        self._loop = loop
        self._on_parcel = on_parcel
        self._on_loss = on_loss
        self._on_malformed = on_malformed
        self._readers: set[_Reader] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(BACKLOG)
        self._timer: asyncio.TimerHandle | None = None
        loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stop listening, and close the connections and the descriptors of incomplete parcels."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for reader in list(self._readers):
            reader.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # too many descriptors are open
            self._loop.remove_reader(self._listener)
            self._timer = self._loop.call_later(RETRY_S, self._loop.add_reader, self._listener, self._accept)
            return
        connection.setblocking(False)
        callbacks = self._on_parcel, self._on_loss, self._on_malformed
        self._readers.add(_Reader(connection, self._loop, *callbacks, on_close=self._readers.discard))


class _Reader:
    """Reads the parcels of one other worker."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_parcel: OnParcel,
        on_loss: Callable[[], None],
        on_malformed: Callable[[str], None],
        *,
        on_close: Callable[[_Reader], None],
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._on_parcel = on_parcel
        self._on_loss = on_loss
        self._on_malformed = on_malformed
        self._on_close = on_close
        self._data = bytearray()
        #: The descriptors of the parcels in the buffer, in order; None for a descriptor that was lost.
        self._descriptors: deque[int | None] = deque()
        loop.add_reader(connection, self._read)

    def close(self) -> None:
        """Close the connection, and the descriptors of incomplete parcels."""
        self._loop.remove_reader(self._connection)
        self._connection.close()
        for descriptor in self._descriptors:
            if descriptor is not None:
                os.close(descriptor)
        self._descriptors.clear()
        self._on_close(self)

    def _read(self) -> None:
        for _ in range(READS_PER_TURN):
            try:
                data, ancillary, flags, _address = self._connection.recvmsg(READ_BYTES, ANCILLARY_BYTES, CLOSE_ON_EXEC)
            except BlockingIOError:
                return
            except OSError:
                data, ancillary, flags = b"", [], 0
            if not data:
                self.close()
                return
            self._keep_descriptors(ancillary, is_cut=bool(flags & socket.MSG_CTRUNC))
            self._data += data
            why = self._deliver_parcels()
            if why is not None:
                self.close()
                self._on_malformed(why)
                return

    def _keep_descriptors(self, ancillary: list[tuple[int, int, bytes]], *, is_cut: bool) -> None:
        received = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(data[: len(data) - len(data) % received.itemsize])
        for descriptor in received:
            if not CLOSE_ON_EXEC:
                os.set_inheritable(descriptor, False)
            self._descriptors.append(descriptor)
        if is_cut and not received:
            self._descriptors.append(None)
            self._on_loss()

    def _deliver_parcels(self) -> str | None:
        """Deliver the parcels that are complete; return why the connection must be closed, or None."""
        data = self._data
        while len(data) >= HEAD.size:
            origin_length, length = HEAD.unpack_from(data)
            begin = HEAD.size + origin_length
            end = begin + length
            if end > MAX_PARCEL_BYTES:
                return f"a parcel of {end} bytes"
            if len(data) < end or not self._descriptors:
                break
            origin, read = bytes(data[HEAD.size : begin]), bytes(data[begin:end])
            del data[:end]
            descriptor = self._descriptors.popleft()
            if descriptor is not None:
                self._on_parcel(descriptor, origin, read)
        # A descriptor arrives with the first byte of its parcel, and no read goes beyond the next descriptor's byte.
        expected = 1 if data else 0
        count = len(self._descriptors)
        return None if count == expected else f"{count} descriptors beside {len(data)} bytes"
