"""A Socket.IO client in the process and event loop of its server: tests need no port."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from fastsio.aio.server import AsyncServer
from fastsio.exceptions import (
    ConnectionRefusedError,  # noqa: A004 - the package's own, which users catch
    DisconnectedError,
    SetupError,
    TimeoutError,  # noqa: A004 - as above
)
from fastsio.integrations.asgi import ASGIApp
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import single_namespace
from fastsio.testing.base import PONG, BaseTestClient, Opened, Pinged, Received, at_the_end, checked_auth
from fastsio.testing.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType


class TestClient(BaseTestClient):
    """
    A client of an asyncio server, without a port.

    It speaks the protocol to the application over an in-process WebSocket, so everything but the web server is the
    real thing: handshake, namespaces, injection, validation, middleware, acknowledgements. It starts no lifespan.

    Args:
        app: The server, or the ASGI application it is part of.
        socketio_path: Where the application serves Socket.IO.
        headers: Of the handshake.
        query: Of the handshake.
        serializer: As the server's: ``"default"``, ``"msgpack"`` or a class of packets.
        timeout: Seconds to wait for what a test expects.

    Raises:
        SetupError: *app* is a server for threads, which needs :class:`SyncTestClient`.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._wire: Wire | None = None
        self._reader: asyncio.Task[None] | None = None
        #: Connections that the client has lost, and the server does not know it.
        self._lost: list[Wire] = []
        self._changed = asyncio.Condition()

    async def connect(self, namespace: str = "/", auth: Any = None) -> Self:
        """
        Enter a namespace; the first time, connect as well.

        Args:
            namespace: The namespace.
            auth: What the connect handler gets as ``auth``: a dict, a text or None.

        Returns:
            The client, for ``client = await TestClient(sio).connect()``.

        Raises:
            ConnectionRefusedError: The server refused; its ``error_args`` are what the server gave as reason.
            TimeoutError: No answer came in time.
            TypeError: *auth* is of a kind for which a server closes the connection, such as a list.
            ValueError: The namespace has no slash in front.
        """
        namespace, auth = single_namespace(namespace), checked_auth(auth)
        self._sessions.forget(namespace)
        if self._wire is None:
            await self._open()
        await self._join([(namespace, auth, auth)])
        return self

    async def disconnect(self, namespace: str | None = None) -> None:
        """
        Leave a namespace; by default close the connection, and wait until the disconnect handlers have run.

        Args:
            namespace: None for all of them.

        Raises:
            BadNamespaceError: The client is not connected there.
        """
        if namespace is not None:
            self.get_sid(namespace)
            self._leave(namespace)
            await self._say(self._conversation.disconnect(namespace))
            return
        left, wire, reader = self._leave_all(), self._wire, self._reader
        if wire is not None:
            for each in left:
                wire.write(self._conversation.disconnect(each))
            wire.thaw()
            await wire.disconnect(timeout=self._timeout_s)
            if reader is not None:
                await reader
        while self._lost:
            await self._lost.pop().lose(self._timeout_s)

    async def drop(self, reason: str = Reasons.TRANSPORT_CLOSE) -> None:
        """
        Lose the connection without a closing handshake, and wait until the disconnect handlers have run.

        What is under way is lost: what the client has not read, and what :meth:`hold` and :meth:`delay` keep back.

        Args:
            reason: What the disconnect handlers get: ``"transport close"``, ``"transport error"`` or
                ``"ping timeout"``, for which nothing is waited.

        Raises:
            DisconnectedError: The client is not connected.
            SetupError: *reason* is not the default, and the application does not tell which server it is for.
            ValueError: A connection is not lost for that reason.
        """
        engine = None if reason == Reasons.TRANSPORT_CLOSE else self._engine_for_loss(reason)
        wire = await self._abandon()
        if wire is None:
            raise DisconnectedError("the test client is not connected")
        if engine is not None:
            async with asyncio.timeout(self._timeout_s):
                await engine.close_client(wire.eio_sid, reason, abort=True)
        await wire.lose(self._timeout_s)

    def freeze(self) -> AbstractContextManager[Any]:
        """
        Read nothing more, and answer no pings, until :meth:`thaw`; the client can still send.

        What the server sends waits in its buffer, with its limits.

        Returns:
            A ``with`` block, at whose end the client reads again.

        Raises:
            DisconnectedError: The client is not connected.
        """
        if self._wire is None:
            raise DisconnectedError("the test client is not connected")
        self._wire.freeze()
        return at_the_end(self.thaw)

    def thaw(self) -> None:
        """Read again, if the connection still stands."""
        if self._wire is not None:
            self._wire.thaw()

    async def reconnect(self, *, recover: bool = True, auth: Any = None) -> Self:
        """
        Connect again, and enter the namespaces that the client was in.

        A server with connection state recovery recovers the sessions of a client that was lost; then
        :attr:`recovered` is True, and the events that the client has missed are received like others. A client that
        is still connected changes its network: the server does not know that the old connection is lost.

        Args:
            recover: Whether to ask for the sessions; False comes back as a new client.
            auth: What the connect handlers get as ``auth``; None is what they got before.

        Returns:
            The client.

        Raises:
            DisconnectedError: The client was not connected, or has left.
            ConnectionRefusedError: The server refused, or refused a namespace; the others are entered all the same.
            TimeoutError: No answer came in time.
        """
        namespaces = self._return(auth, recover=recover)
        wire = await self._abandon()
        if wire is not None:
            wire.freeze()
            self._lost.append(wire)
        await self._open()
        await self._join(namespaces)
        return self

    def release(self) -> None:
        """Send what :meth:`hold` has kept back, in order, if the connection still stands."""
        held, self._held = self._held, None
        if held and self._wire is not None:
            self._wire.write(held)

    async def wait_disconnected(
        self,
        namespace: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as call()
    ) -> None:
        """
        Wait until the server has disconnected the client.

        Args:
            namespace: The namespace; None is all of them.
            timeout: Seconds to wait; None is the ``timeout`` of the test client.

        Raises:
            TimeoutError: The client is still connected.
        """
        with suppress(DisconnectedError):
            await self._wait(lambda: not self._is_in(namespace), "still connected", timeout)

    async def emit(self, event: str, data: Any = None, namespace: str = "/") -> None:
        """
        Send an event.

        Args:
            event: Event name.
            data: Payload; a tuple is several arguments, None is no argument.
            namespace: The namespace.

        Raises:
            BadNamespaceError: The client is not connected there.
        """
        self.get_sid(namespace)
        await self._say(self._repeated(self._conversation.emit(event, data, namespace)))

    async def call(
        self,
        event: str,
        data: Any = None,
        namespace: str = "/",
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is that of AsyncClient.call()
    ) -> Any:
        """
        Send an event and wait for its acknowledgement.

        Args:
            event: Event name.
            data: Payload; a tuple is several arguments, None is no argument.
            namespace: The namespace.
            timeout: Seconds to wait; None is the ``timeout`` of the test client.

        Returns:
            None, one value, or a tuple of several.

        Raises:
            BadNamespaceError: The client is not connected there.
            TimeoutError: No acknowledgement came in time.
            DisconnectedError: The connection ended first.
        """
        self.get_sid(namespace)
        ack_id, frames = self._conversation.call(event, data, namespace)
        await self._say(self._repeated(frames))
        await self._wait(lambda: ack_id in self._acknowledged, self._unanswered(event, namespace), timeout)
        return self._take_answer(ack_id)

    async def receive(
        self,
        event: str | None = None,
        namespace: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as call()
    ) -> Received:
        """
        Wait for the next event, and take it out of those received.

        Args:
            event: Name of the event to wait for; others stay for later calls. None takes any.
            namespace: The namespace of the event; None is any.
            timeout: Seconds to wait; None is the ``timeout`` of the test client.

        Raises:
            TimeoutError: No such event came in time; the text names those that did.
            DisconnectedError: The connection ended first.
        """
        expected = f"no event {event!r}" if event else "no event"
        await self._wait(lambda: self._find(event, namespace) is not None, expected, timeout)
        return self._take_event(event, namespace)

    async def receive_nothing(
        self, event: str | None = None, namespace: str | None = None, *, within: float = 0.1
    ) -> bool:
        """
        Tell whether no such event is there, nor comes soon.

        Args:
            event: Name of the event; None is any.
            namespace: The namespace of the event; None is any.
            within: Seconds to wait. An acknowledged ``call()`` shows the same sooner: one client's packets keep
                their order.
        """
        try:
            await self._wait(lambda: self._find(event, namespace) is not None, "nothing", within)
        except (TimeoutError, DisconnectedError):
            return True
        return False

    async def acknowledge(self, received: Received, *values: Any) -> None:
        """
        Answer an event of the server's ``call()``, or of an ``emit()`` with a callback.

        Raises:
            ValueError: The server does not wait for an acknowledgement of it.
        """
        await self._say(self._frames_of_answer(received, values))

    async def __aenter__(self) -> Self:
        """Return the client; it is not connected yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.disconnect()

    # Inside

    def _application_of(self, app: Any) -> Any:
        if isinstance(app, AsyncServer):
            return ASGIApp(app)
        if hasattr(app, "is_asyncio_based"):
            raise SetupError("TestClient is for AsyncServer and ASGI applications; use SyncTestClient for Server")
        return app

    async def _join(self, namespaces: list[tuple[str, Any, Any]]) -> None:
        """
        Enter namespaces: each is given with the auth of the application, and the one that may ask for a session.

        Raises:
            ConnectionRefusedError: The server refused one; the others are entered all the same.
        """
        refusal: ConnectionRefusedError | None = None
        for namespace, auth, asking in namespaces:
            self._answers.pop(namespace, None)
            await self._say(self._conversation.connect(namespace, asking))
            await self._wait(
                partial(self._has_answer, namespace),
                f"no answer to the connection to {namespace}",
                is_over=lambda: self._wire is None,
            )
            refused = self._enter(namespace, auth)
            refusal = refusal or refused
        if refusal is not None:
            if not self.connected:
                await self.disconnect()
            raise refusal

    async def _open(self) -> None:
        extra = self._query if isinstance(self._query, str) else urlencode(self._query)
        query = f"EIO=4&transport=websocket&{extra}".rstrip("&")
        headers = [(name.lower().encode(), value.encode()) for name, value in self._headers]
        wire = Wire(self._app, f"{quote(self._path)}?{query}", [(b"host", b"testserver"), *headers], self._get_delay)
        is_open, answer = await wire.connect(self._timeout_s)
        if not is_open:
            raise ConnectionRefusedError(f"the handshake was refused with {answer}")
        self._wire = wire
        self._reader = asyncio.create_task(self._read(wire))

    async def _read(self, wire: Wire) -> None:
        try:
            while (frame := await wire.next_frame()) is not None:
                match self._conversation.hear(frame):
                    case None:
                        pass
                    case Pinged():
                        await self._say([PONG])
                    case Opened(handshake=handshake):
                        wire.eio_sid = handshake["sid"]
                    case happening:
                        async with self._changed:
                            self._take(happening)
                            self._changed.notify_all()
        finally:
            if self._wire is wire:
                await self._abandon()

    async def _abandon(self) -> Wire | None:
        """Forget the connection, of which nothing more is read, and return it."""
        wire, self._wire = self._wire, None
        reader, self._reader = self._reader, None
        if reader is not None and reader is not asyncio.current_task():
            reader.cancel()
        self._lose()
        async with self._changed:
            self._changed.notify_all()
        return wire

    async def _say(self, frames: list[str | bytes]) -> None:
        if self._wire is None:
            raise DisconnectedError("the test client is not connected")
        if self._held is not None:
            self._held += frames
        else:
            self._wire.write(frames)

    async def _wait(
        self,
        has_come: Callable[[], bool],
        expected: str,
        timeout_s: float | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Wait until something has arrived; raise the error if it has not in time, or cannot arrive any more."""
        is_over = is_over or self._is_out
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s), self._changed:
                await self._changed.wait_for(lambda: has_come() or is_over())
        if not has_come():
            raise self._failure(expected, is_over=is_over())
