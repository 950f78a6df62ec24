"""
Passes connections to the worker that has the session of the next request, and receives those of other workers.

The socket itself goes to the other worker, with the bytes that were read from it, if it has no TLS and no response
waits to be written. Otherwise the other worker gets one end of a pair of sockets, and this process copies bytes between
the other end and the client.

A connection is passed only to the worker that the sid of its request names. That worker serves it, so connections never
go in circles.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from fastsio.base.server import engine_of
from fastsio.brokers.worker_group import WorkerGroup
from fastsio.engine.log_format import Reports
from fastsio.exceptions import SetupError
from fastsio.integrations.fast.app_lookup import find_all
from fastsio.integrations.workers.channel import ENDED, Inbox, Outbox, ParcelsFull
from fastsio.integrations.workers.forwarding import Forwarding, Settings
from fastsio.integrations.workers.origin import RelayedTransport, describe
from fastsio.integrations.workers.sids import suffix_of, worker_of_request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.brokers.worker_group import Watch

logger = logging.getLogger("uvicorn.error")
PURPOSE: Final = "requests"
#: The environment variable in which ``fastsio run --max-passing`` leaves its bytes for the workers.
MAX_PASSING: Final = "FASTSIO_MAX_PASSING"
#: The most bytes of connections that may wait until one worker reads them; each counts as 4 KiB at least.
DEFAULT_MAX_PASSING: Final = 16_777_216
BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 19\r\nconnection: close\r\n\r\nService Unavailable"
)


class Neighbour(NamedTuple):
    """Another worker, to which a connection was passed: the way there, and what tells whether it lives."""

    outbox: Outbox
    watch: Watch

    def close(self) -> None:
        """Close both."""
        self.watch.close()
        self.outbox.close()


class Passing:
    """
    Passes the connections of one worker to other workers, and receives theirs.

    Args:
        group: The worker's place among the others.
        config: uvicorn's configuration.
        server_state: uvicorn's state; lists this object among its connections, so that uvicorn shuts it down.
        app_state: The state that the application's lifespan has filled.

    Attributes:
        forwarding: Forwards requests to the processes of other machines; None without ``fastsio run --forward``.
        machine: The name of this machine; empty where requests are not forwarded.
    """

    def __init__(
        self, group: WorkerGroup, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._group = group
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = asyncio.get_running_loop()
        self._neighbours: dict[int, Neighbour] = {}
        self._limit = int(os.environ.get(MAX_PASSING, DEFAULT_MAX_PASSING))
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports = Reports()
        self._inbox = Inbox(
            group.path(group.number, PURPOSE), self._loop, self._on_parcel, self._on_loss, self._on_malformed
        )
        settings = Settings.of_environment()
        self.machine = "" if settings is None else settings.machine
        self.forwarding = (
            None if settings is None else Forwarding(settings, group.number, config, server_state, app_state)
        )
        for app in find_all(config.loaded_app):
            engine_of(app.engineio_server).sid_suffix = suffix_of(group.number, self.machine)
        server_state.connections.add(self)  # type: ignore[arg-type] # it has what uvicorn calls

    def shutdown(self) -> None:
        """Neither pass nor receive connections any more: the server stops. Called by uvicorn."""
        self._state.connections.discard(self)
        if self.forwarding is not None:
            self.forwarding.shutdown()
        self._inbox.close()
        for neighbour in self._neighbours.values():
            neighbour.close()
        self._neighbours.clear()

    def other_worker(self, number: int | None) -> int | None:
        """Return *number* if another worker that is alive has it, otherwise None."""
        if number is None or number == self._group.number:
            return None
        neighbour = self._neighbours.get(number)
        if neighbour is None:
            return number if self._group.is_alive(number) else None
        return number if self._is_alive(number, neighbour) else None

    def _is_alive(self, number: int, neighbour: Neighbour) -> bool:
        """Return whether a worker is alive; close what is open for it if it is not."""
        if neighbour.watch.is_alive():
            return True
        del self._neighbours[number]
        neighbour.close()
        return False

    def other_worker_of(self, request: bytes) -> int | None:
        """Return the number of the other worker of this machine that a request names, if it is alive; else None."""
        return self.other_worker(worker_of_request(request, self.machine))

    def pass_on(self, transport: Any, request: bytes) -> bool:
        """
        Pass a connection to another worker if its request is for a session of that worker.

        All earlier requests of the connection must have been answered.

        Return False when this process must answer the request, which has its first line at least; the connection is
        unchanged.
        """
        number = self.other_worker_of(request)
        if number is None:
            return False
        transport.pause_reading()
        try:
            self._send(number, transport, request)
        except ParcelsFull:
            self._refuse(transport, number)
        except ENDED:  # the worker has ended since it was looked up
            transport.resume_reading()
            return False
        except OSError as error:
            self.report_failure(error)
            self._answer_busy(transport)
        return True

    def report_failure(self, error: OSError) -> None:
        """Log that a request could not be passed to a worker that is alive, perhaps because too many files are open."""
        self._report("failure", f"Requests for sessions of other workers are answered with 503: {error}")

    def relay(self, number: int, origin: bytes) -> socket.socket:
        """
        Connect to a worker, as the client that *origin* describes does; return this process's end of a pair of sockets.

        Raise OSError if that is not possible: one of :data:`.channel.ENDED` if the worker has ended. Raise ParcelsFull
        if too many bytes wait for it.
        """
        return self._pair(number, origin, b"")

    def _send(self, number: int, transport: Any, request: bytes) -> None:
        origin, inner = b"", transport
        if isinstance(transport, RelayedTransport):
            origin, inner = transport.origin, transport.inner
        if inner.get_extra_info("sslcontext") or inner.get_write_buffer_size():
            here = self._pair(number, origin or describe(transport), request)
            transport.set_protocol(asyncio.Protocol())
            self._run(self._pump(here, transport))
            return
        descriptor = inner.get_extra_info("socket").fileno()
        on_end = partial(self._on_end, number, transport)
        self._outbox(number).send(descriptor, origin, request, on_end)
        transport.set_protocol(asyncio.Protocol())

    def _on_end(self, number: int, transport: Any, is_sent: bool) -> None:
        if is_sent:
            # The other worker has its own descriptor of the connection, so that this one can be closed.
            transport.abort()
        else:
            self._refuse(transport, number)

    def _pair(self, number: int, origin: bytes, request: bytes) -> socket.socket:
        here, there = socket.socketpair()
        try:
            self._outbox(number).send(there.fileno(), origin, request, lambda _is_sent: there.close())
        except (OSError, ParcelsFull):
            here.close()
            there.close()
            raise
        here.setblocking(False)
        return here

    def _outbox(self, number: int) -> Outbox:
        neighbour = self._neighbours.get(number)
        if neighbour is None:
            for each in list(self._neighbours.items()):  # no further request may name one that has ended
                self._is_alive(*each)
            outbox = Outbox(self._group.path(number, PURPOSE), self._loop, self._limit)
            neighbour = self._neighbours[number] = Neighbour(outbox, self._group.watch(number))
        return neighbour.outbox

    def _refuse(self, transport: Any, number: int) -> None:
        self._report("full", f"Worker {number} does not take the requests for its sessions; they are answered with 503")
        self._answer_busy(transport)

    @staticmethod
    def _answer_busy(transport: Any) -> None:
        transport.set_protocol(asyncio.Protocol())
        transport.write(BUSY)
        transport.close()

    async def _pump(self, here: socket.socket, client: Any) -> None:
        connections: set[Any] = self._state.connections

        def begin(end: PumpEnd, transport: Any) -> None:
            connections.add(end)
            client.set_protocol(PumpEnd(transport, _ignore, _ignore))
            client.resume_reading()

        make = partial(PumpEnd, client, begin, connections.discard)
        try:
            transport, _ = await self._loop.connect_accepted_socket(make, here)
        except OSError:  # the system has no memory for it
            here.close()
            client.abort()
            return
        if client.is_closing():  # perhaps since before begin()
            transport.close()
        elif client.get_write_buffer_size() and not transport.is_closing():
            # The client has not read earlier responses: what it gets now waits until it has.
            transport.pause_reading()
            client.set_write_buffer_limits(high=0)  # lets the transport call resume_writing() in any case
            client.set_write_buffer_limits()

    # -- connections that other workers have passed here

    def _on_parcel(self, descriptor: int, origin: bytes, request: bytes) -> None:
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
            return
        connection.setblocking(False)
        self._run(self._receive(connection, origin, request))

    async def _receive(self, connection: socket.socket, origin: bytes, request: bytes) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Arrival(self._open, origin, request), connection)
        except (OSError, ValueError):  # the client has left, or it is a socket of another kind
            connection.close()

    def _open(self) -> Any:
        make: Any = self._config.http_protocol_class
        return make(config=self._config, server_state=self._state, app_state=self._app_state, _loop=self._loop)

    def _on_loss(self) -> None:
        self._report("loss", "Connections that other workers pass on are lost: too many files are open (ulimit -n)")

    def _on_malformed(self, why: str) -> None:
        self._report("malformed", f"A connection of another process to this worker is closed, because of {why}")

    # -- both

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _report(self, kind: str, message: str) -> None:
        self._reports.warn(logger, kind, monotonic(), message)


class Arrival(asyncio.Protocol):
    """A connection from another worker, with bytes that were read from it, until uvicorn reads it."""

    __slots__ = ("_data", "_make", "_origin", "_transport")

    def __init__(self, make: Callable[[], Any], origin: bytes, request: bytes) -> None:
        self._make = make
        self._origin = origin
        self._data = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the HTTP protocol after the event loop has started to read the connection."""
        self._transport: Any = transport
        asyncio.get_running_loop().call_soon(self._begin)

    def data_received(self, data: bytes) -> None:
        """Append what arrives meanwhile to the bytes that the other worker has read."""
        self._data += data

    def _begin(self) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        protocol = self._make()
        transport.set_protocol(protocol)
        protocol.connection_made(RelayedTransport(transport, self._origin) if self._origin else transport)
        if self._data:  # h11 takes empty data for the end of the connection
            protocol.data_received(self._data)


_passing: WeakKeyDictionary[Any, Passing | None] = WeakKeyDictionary()


def passing_of(config: Config, server_state: ServerState, app_state: dict[str, Any]) -> Passing | None:
    """
    Return the :class:`Passing` of a server of uvicorn; the first call makes it.

    It is None when the process is in no group of workers, or cannot listen for connections of the others.
    """
    try:
        return _passing[server_state]
    except KeyError:
        pass
    try:
        group = WorkerGroup.of_environment()
        passing = None if group is None else Passing(group, config, server_state, app_state)
    except (SetupError, OSError) as error:
        logger.error("Requests for sessions of other workers are not passed on: %s", error)  # noqa: TRY400 - says all
        passing = None
    _passing[server_state] = passing
    return passing


def _ignore(*_arguments: Any) -> None:
    pass


class PumpEnd(asyncio.Protocol):
    """
    One of the two ends of a connection that this process relays: what this end reads is written to the *other* end.

    *on_begin* is called with this end and its transport, *on_end* when it is closed.
    """

    __slots__ = ("_on_begin", "_on_end", "_other", "_transport")

    def __init__(self, other: Any, on_begin: Callable[[PumpEnd, Any], None], on_end: Callable[[PumpEnd], None]) -> None:
        self._other = other
        self._on_begin = on_begin
        self._on_end = on_end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of this end, and report the begin."""
        self._transport: Any = transport
        self._on_begin(self, transport)

    def shutdown(self) -> None:
        """Close this end, which closes the other one too: the server stops. Called by uvicorn."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Write the bytes to the other end."""
        self._other.write(data)

    def pause_writing(self) -> None:
        """Stop reading from the other end: this end cannot write as fast."""
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        """Read from the other end again."""
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Close the other end, after it has written its buffer."""
        self._on_end(self)
        self._other.close()
