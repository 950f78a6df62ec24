"""
The connection of one consumer: it handles frames of the client and messages of the channel layer, each in order.

**Order.** Frames are handled in the order in which they arrive, and so are messages of the channel layer. With
``concurrency = 1`` one handler runs at a time, for a frame or for a message; the next frame is read when it has ended,
so a client that sends faster than its handlers work is slowed down by its transport. With more concurrency handlers
start in order and may end in any order. A server's question about a room is answered at once: otherwise handlers that
wait for the answers of each other's consumers would not get them.

**The layer.** Its messages arrive by a synchronous callback and wait in a bounded queue for one task of the connection.
A frame that was broadcast is written at once if no message waits before it, without the task and without waiting for
the event loop. Messages that arrive while the consumer connects wait until it has connected.

**Waiting.** A frame waits while its client does not read, and with it the handler that sends it. If behind such a frame
more than half of the queue is full, senders of further messages wait too. A client that accepts no frame for
``slow_client_timeout`` is closed.

**The end.** While a handler waits, frames are read ahead, within bounds, so that the end of the connection is noticed.
Running handlers end first, and frames that arrived before are handled; after ``handler_grace`` seconds handlers are
cancelled. Then ``disconnect`` is called, with the groups still joined; then the groups are left in any case.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from fastsio.aio import concurrency
from fastsio.aio.connection_scope import TaskScope
from fastsio.aio.engine.eager import DONE, Rest, begin_waiting
from fastsio.aio.engine.frameworks.environ import NOWHERE, make_environ
from fastsio.aio.engine.links import needs_task
from fastsio.aio.engine.read_ahead import CANCEL_S, ReadAhead
from fastsio.cluster.relay import Recent
from fastsio.consumers.frames import ENVELOPES, is_left_out
from fastsio.consumers.types import StopConsumer, logger
from fastsio.engine.congestion import Congestion
from fastsio.exceptions import BusError, DisconnectedError
from fastsio.layers.frames import ORDER, TEXT, fault_of
from fastsio.protocol import NamespaceState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fastsio.consumers.types import Receive, Scope, Send
    from fastsio.layers import BaseChannelLayer
    from fastsio.layers.inbox import Inbox

_ID_BYTES: Final = 8


class Peer:
    """
    One connection's client.

    Attributes:
        namespace: The namespace whose rooms it can be in: ``"/"`` unless the consumer sets another.
        auth: None: a WebSocket has no ``auth``, only headers, cookies and the query of its handshake.
        session: A dict in which handlers store data for the length of the connection.
        scope_store: The dependencies that live as long as the connection.
        state: CONNECTED, or LEFT when it has gone.
    """

    # Not a dataclass, because payloads may contain dataclasses, and the scope has cookies.
    __slots__ = ("_environ", "_sid", "auth", "namespace", "scope", "scope_store", "session", "state")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._sid: str | None = None
        self._environ: dict[str, Any] | None = None
        self.namespace = "/"
        self.auth: Any = None
        self.session: dict[str, Any] = {}
        self.scope_store = TaskScope()
        self.state = NamespaceState.CONNECTED

    @property
    def sid(self) -> str:
        """The id of the connection: its channel's name, or a random text without a channel layer."""
        if self._sid is None:
            self._sid = token_hex(_ID_BYTES)
        return self._sid

    @sid.setter
    def sid(self, sid: str) -> None:
        self._sid = sid

    @property
    def is_active(self) -> bool:
        """Whether the client is connected."""
        return self.state is NamespaceState.CONNECTED

    @property
    def label(self) -> str:
        """The name of the client in a log."""
        return self.sid

    @property
    def environ(self) -> dict[str, Any]:
        """The handshake with WSGI's keys."""
        if self._environ is None:
            self._environ = _environ_of(self.scope)
        return self._environ


def _environ_of(scope: Scope) -> dict[str, Any]:
    environ = make_environ(
        software="asgi",
        method=scope.get("method", "GET"),
        path=scope.get("path", "/"),
        query=scope.get("query_string", b"").decode("latin-1"),
        http_version=scope.get("http_version", "1.1"),
        scheme=scope.get("scheme", "http"),
        client=scope.get("client") or NOWHERE,
        server=scope.get("server") or NOWHERE,
        headers=scope.get("headers", ()),
    )
    environ["asgi.scope"] = scope
    return environ


#: How many ids of messages to several groups a connection remembers, so that it handles none twice.
REMEMBERED: Final = 100
#: The members of a frame that is broadcast to one group: type and text.
BARE: Final = 2
#: RFC 6455: no status code was in the close frame.
NO_STATUS: Final = 1005
#: RFC 6455, registry of close codes: try again later.
TRY_AGAIN: Final = 1013


class _ServedConsumer(Protocol):
    """The attributes and methods of a consumer that its connection uses."""

    concurrency: ClassVar[int]
    handler_grace: ClassVar[float]
    inbox_capacity: ClassVar[int | None]
    slow_client_timeout: ClassVar[float | None]
    is_stopped: bool

    @property
    def writes_broadcasts(self) -> bool: ...
    def attach(self, scope: Scope, connection: Connection, /) -> None: ...
    def enter_channel(self, layer: BaseChannelLayer, channel: str, /) -> None: ...
    def answer_at_once(self, message: Mapping[str, Any], /) -> bool: ...
    async def dispatch(self, message: Mapping[str, Any], /) -> None: ...
    async def handle_layer_message(self, message: Mapping[str, Any], /) -> None: ...
    async def pass_on(self, message: Mapping[str, Any], /) -> None: ...
    async def handle_server_message(self, message: Mapping[str, Any], /) -> None: ...
    async def on_failure(self, exc: Exception, message: Mapping[str, Any], /) -> None: ...
    async def release(self) -> None: ...
    @classmethod
    def find_channel_layer(cls) -> BaseChannelLayer | None: ...


class Connection:
    """Runs a consumer, which was made for this connection, until the connection has ended."""

    def __init__(self, consumer: _ServedConsumer, scope: Scope, receive: Receive, send: Send) -> None:
        self._consumer = consumer
        self._receive = receive
        #: Reads ahead while a handler waits; None before a handler has waited.
        self._ahead: ReadAhead | None = None
        self._main: asyncio.Task[Any] | None = None
        self._is_handling = self._is_overdue = False
        #: When handlers are cancelled, in the time of the loop; None while the client is connected.
        self._grace_ends: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._send = send
        self._needs_task = needs_task(send)
        self._layer: BaseChannelLayer | None = None
        self._channel = ""
        self._capacity = 0
        self._waiting: deque[dict[str, Any]] = deque()
        self._rest: Rest | None = None
        self._wake: asyncio.Future[None] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._slots: asyncio.Lock | asyncio.Semaphore = (
            asyncio.Lock() if consumer.concurrency == 1 else asyncio.Semaphore(consumer.concurrency)
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent: Recent | None = None
        self._inbox: Inbox | None = None
        #: Frames that wait for the client.
        self._unread = 0
        #: How many messages of the layer have been taken out of the queue.
        self._taken = 0
        self._congestion: Congestion | None = None
        self._is_over = self._is_too_slow = False
        consumer.attach(scope, self)

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            await self._open_channel()
            await self._serve()
        except StopConsumer:
            pass
        finally:
            self._is_over = True
            self._wake_senders()
            if self._ahead is not None:
                self._ahead.stop()
            if self._timer is not None:
                self._timer.cancel()
            await self._release()

    async def write(self, message: dict[str, Any]) -> None:
        """Send a message of ASGI to the server; raise DisconnectedError if the client has left."""
        if self._is_over or (self._is_too_slow and message["type"] != "websocket.close"):
            raise DisconnectedError("the client has left")
        try:
            iterator = self._send(message).__await__()
            waited = next(iterator, DONE)
            if waited is not DONE:
                await self._wait_for_transport(Rest(iterator, waited))
        except (OSError, RuntimeError) as error:
            # Servers and frameworks raise different errors when the client has left; none is a defect of the handler.
            self._is_over = True
            raise DisconnectedError("the client has left") from error

    def offer(self, message: dict[str, Any]) -> bool:
        """Handle or queue a message of the channel layer; return False if there is no room for it."""
        if self._is_over:
            return True  # no client is left to miss it
        kind = message.get("type")
        if isinstance(kind, str) and kind in ENVELOPES:
            # Most messages have a text and nothing else, and need no check.
            is_bare = kind == TEXT and len(message) == BARE and type(message.get("text")) is str
            fault = None if is_bare else fault_of(message)
            if fault is not None:
                logger.warning("channel %s: message dropped: %s", self._channel, fault)
            if fault is not None or not self._is_for_client(kind, message):
                return True
            if kind == ORDER and self._consumer.answer_at_once(message):
                return True
            if kind == TEXT and self._may_write_now():
                self._write_now(message["text"])
                return True
        if len(self._waiting) >= self._capacity:
            return False
        self._waiting.append(message)
        if self._congestion is None and len(self._waiting) * 2 > self._capacity and self._inbox is not None:
            self._congestion = Congestion(monotonic(), self._consumer.slow_client_timeout or inf)
            self._inbox.fall_behind(self._wait_for_client)
        self._wake_worker()
        return True

    def put(self, message: dict[str, Any]) -> None:
        """Queue a message of a room of the consumer, with the overflow policy of its channel."""
        if self._inbox is not None:
            self._inbox.put(message, inf)

    async def _wait_for_client(self) -> None:
        """Wait for a slow client to read what waits, but not for slow handlers: the sender may be one of them."""
        while (congestion := self._congestion) is not None and not self._is_over:
            if not self._unread:
                taken = self._taken
                await asyncio.sleep(0)  # the worker may not have had its turn
                if taken == self._taken and not self._unread:
                    return
                continue
            left_s = congestion.left_s(monotonic(), is_shared=True)
            if left_s <= 0:
                return
            if congestion.released is None:
                congestion.released = asyncio.get_running_loop().create_future()
            timeout_s = None if left_s == inf else left_s
            await asyncio.wait((congestion.released,), timeout=timeout_s)

    def _wake_senders(self) -> None:
        """Wake the senders that wait for the client; they wait again if it has not caught up."""
        congestion = self._congestion
        if congestion is None:
            return
        if self._is_over or len(self._waiting) * 4 <= self._capacity:
            self._congestion = None
            if self._inbox is not None:
                self._inbox.catch_up()
        released, congestion.released = congestion.released, None
        if released is not None:
            released.set_result(None)

    # The channel layer.

    async def _open_channel(self) -> None:
        consumer = self._consumer
        layer = self._layer = consumer.find_channel_layer()
        if layer is None:
            return
        channel = await layer.new_channel()
        self._channel = channel
        inbox = await layer.open_inbox(
            channel, on_message=self.offer, on_close=self._on_overflow, capacity=consumer.inbox_capacity
        )
        self._inbox, self._capacity = inbox, inbox.capacity
        consumer.enter_channel(layer, channel)

    def _is_for_client(self, kind: Any, message: dict[str, Any]) -> bool:
        """Return whether a message is for this client, and has not arrived through another group before."""
        exclude = message.get("exclude")
        if exclude is not None and is_left_out(exclude, self._channel):
            return False
        message_id = message.get("id")
        if message_id is not None:
            if self._recent is None:
                self._recent = Recent(REMEMBERED)
            if self._recent.is_known(message_id):
                return False
        # Events with attachments are for clients of Socket.IO.
        return bool(kind != ORDER or message["socketio"]["method"] != "emit")

    def _may_write_now(self) -> bool:
        return (
            self._wake is not None
            and not self._needs_task
            and not self._wake.done()
            and not self._waiting
            and self._consumer.writes_broadcasts
        )

    def _write_now(self, text: str) -> None:
        iterator = self._send({"type": "websocket.send", "text": text}).__await__()
        try:
            waited = next(iterator, DONE)
        except (OSError, RuntimeError):  # the client is gone, as in write()
            self._is_over = True
            return
        if waited is not DONE:
            self._rest = Rest(iterator, waited)
            self._unread += 1  # until the worker has begun to wait
            self._wake_worker()

    def _wake_worker(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _work(self) -> None:
        """Handle the messages of the layer, in order."""
        waiting, loop = self._waiting, asyncio.get_running_loop()
        while True:
            if self._rest is not None:
                rest, self._rest = self._rest, None
                self._unread -= 1
                await self._finish_broadcast(rest)
            while waiting:
                message = waiting.popleft()
                self._taken += 1
                if message.get("type") == TEXT:
                    await self._guard(self._consumer.pass_on, message)
                elif message.get("type") == ORDER:
                    await self._in_turn(self._consumer.handle_server_message, message)
                else:
                    await self._in_turn(self._consumer.handle_layer_message, message)
            self._wake_senders()
            self._wake = loop.create_future()
            await self._wake

    async def _finish_broadcast(self, rest: Rest) -> None:
        try:
            await self._wait_for_transport(rest)
        except DisconnectedError:
            pass
        except (OSError, RuntimeError):  # the client is gone, as in write()
            self._is_over = True

    async def _wait_for_transport(self, rest: Rest) -> None:
        """Wait until the transport has a frame; if the client does not read, close it and raise DisconnectedError."""
        self._unread += 1
        timeout = asyncio.timeout(self._consumer.slow_client_timeout)
        try:
            async with timeout:
                await rest
        except TimeoutError:
            if not timeout.expired():
                raise
            if not self._is_too_slow:
                self._is_too_slow = True
                logger.warning(
                    "%s: a client reads nothing, its connection is closed", type(self._consumer).__qualname__
                )
                self._on_overflow()
            raise DisconnectedError("the client reads nothing") from None
        finally:
            self._unread -= 1
            self._wake_senders()

    def _on_overflow(self) -> None:
        """Close a connection whose client is too slow."""
        message = {"type": "websocket.close", "code": TRY_AGAIN, "reason": "too slow"}
        task = asyncio.ensure_future(self._guard(self.write, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The client.

    async def _serve(self) -> None:
        consumer = self._consumer
        self._main = asyncio.current_task()
        message = await self._receive()
        if not _is_end(message):
            rest = begin_waiting(self._guard(consumer.dispatch, message))
            if rest is not None:
                await self._wait_for(rest)
                rest = None  # so that it is not kept for as long as the connection lives
            if self._layer is not None and not consumer.is_stopped:
                self._worker = asyncio.create_task(self._work())
        while not (consumer.is_stopped or _is_end(message)):
            message = await (self._receive() if self._ahead is None else self._ahead.next())
            if self._is_overdue or _is_end(message):
                continue
            rest = begin_waiting(self._in_turn(consumer.dispatch, message))
            if rest is not None:
                await self._wait_for(rest)
                rest = None
            if self._ahead is not None and self._ahead.is_idle:
                self._ahead = None
        if _is_end(message):
            await self._handle_disconnect(message)

    async def _handle_disconnect(self, message: dict[str, Any]) -> None:
        self._is_over = True
        self._waiting.clear()
        self._wake_senders()
        self._begin_grace(message)
        await self._end_handlers()
        if message["type"] == "websocket.disconnect":
            message = {"code": NO_STATUS, "reason": None, **message}
        await self._guard(self._consumer.dispatch, message)

    async def _wait_for(self, rest: Awaitable[None]) -> None:
        """Wait for the handling of a message, which is cancelled ``handler_grace`` after the client has left."""
        self._is_handling = True
        self._ahead = self._ahead or ReadAhead(self._receive, self._begin_grace)
        try:
            await self._ahead.wait_for(rest)
        except asyncio.CancelledError:
            if self._main is None or not self._is_overdue or self._main.uncancel():
                raise
        finally:
            self._is_handling = False

    def _begin_grace(self, message: dict[str, Any]) -> bool:
        """Limit the time of handlers once the client has left; return True, so that every message is kept."""
        if _is_end(message) and self._timer is None:
            loop = asyncio.get_running_loop()
            self._grace_ends = loop.time() + self._consumer.handler_grace
            self._timer = loop.call_at(self._grace_ends, self._interrupt)
        return True

    def _interrupt(self) -> None:
        self._is_overdue = True
        if self._is_handling and self._main is not None:
            self._main.cancel()

    async def _end_handlers(self) -> None:
        """Wait for running handlers to end; cancel those that take too long."""
        try:
            async with asyncio.timeout_at(self._grace_ends):
                if self._tasks:
                    await asyncio.wait(self._tasks)
                async with self._slots:
                    return
        except TimeoutError:
            late = {task for task in (self._worker, *self._tasks) if task is not None}
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCEL_S)

    async def _in_turn(self, work: Callable[[Any], Awaitable[None]], message: Any) -> None:
        if self._consumer.concurrency == 1:
            async with self._slots:
                await self._guard(work, message)
            return
        await self._slots.acquire()
        task = asyncio.create_task(self._guard(work, message))
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _guard(self, work: Callable[[Any], Awaitable[None]], message: Any) -> None:
        """Run a handler; its exceptions end neither the connection nor the task that handles messages."""
        if self._consumer.is_stopped:
            return
        try:
            await work(message)
        except DisconnectedError:
            logger.debug("the client left while %s was handled", message.get("type"))
        except StopConsumer:
            self._consumer.is_stopped = True
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - the consumer handles it
            await self._consumer.on_failure(concurrency.failure_of(exc), message)

    # The end.

    async def _release(self) -> None:
        try:
            await _cancel({task for task in (self._worker, *self._tasks) if task is not None})
            await self._consumer.release()
        finally:
            if self._layer is not None and self._channel:
                await self._close_channel(self._layer)

    async def _close_channel(self, layer: BaseChannelLayer) -> None:
        try:
            await layer.close_inbox(self._channel)
        except BusError:
            logger.warning("channel %s is left to expire: the broker is away", self._channel)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _is_end(message: dict[str, Any]) -> bool:
    return bool(message["type"].endswith(".disconnect"))
