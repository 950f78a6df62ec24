"""A Socket.IO client in the process and event loop of its server: tests need no port."""

from __future__ import annotations

import asyncio
from contextlib import suppress
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
from fastsio.routing import place_of
from fastsio.testing.base import PONG, BaseTestClient, Pinged, Received
from fastsio.testing.communicator import WebsocketCommunicator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
        self._socket: WebsocketCommunicator | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def connect(self, namespace: str = "/", auth: Any = None) -> Self:
        """
        Enter a namespace; the first time, connect as well.

        Args:
            namespace: The namespace.
            auth: What the connect handler gets as ``auth``.

        Returns:
            The client, for ``client = await TestClient(sio).connect()``.

        Raises:
            ConnectionRefusedError: The server refused; its ``error_args`` are what the server gave as reason.
            TimeoutError: No answer came in time.
            ValueError: The namespace has no slash in front.
        """
        namespace = place_of(namespace)
        if self._socket is None:
            await self._open()
        await self._say(self._conversation.connect(namespace, auth))
        await self._wait(
            lambda: namespace in self._answers,
            f"no answer to the connection to {namespace}",
            is_over=lambda: self._socket is None,
        )
        try:
            self._enter(namespace)
        except ConnectionRefusedError:
            if not self.connected:
                await self.disconnect()
            raise
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
            del self.sids[namespace]
            await self._say(self._conversation.disconnect(namespace))
            return
        self.sids.clear()
        if self._socket is not None:
            await self._socket.disconnect(timeout=self._timeout_s)
            if self._reader is not None:
                await self._reader

    async def wait_disconnected(
        self,
        namespace: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as call()
    ) -> None:
        """
        Wait until the server has put the client out.

        Args:
            namespace: Of this namespace; None: of all of them.
            timeout: Seconds to wait; None: as the client was told.

        Raises:
            TimeoutError: The client is still in.
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
        await self._say(self._conversation.emit(event, data, namespace))

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
            timeout: Seconds to wait; None: as the client was told.

        Returns:
            None, one value, or a tuple of several.

        Raises:
            BadNamespaceError: The client is not connected there.
            TimeoutError: No acknowledgement came in time.
            DisconnectedError: The connection ended first.
        """
        self.get_sid(namespace)
        ack_id, frames = self._conversation.call(event, data, namespace)
        await self._say(frames)
        await self._wait(lambda: ack_id in self._acknowledged, f"no acknowledgement of {event!r}", timeout)
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
            namespace: Where it has to come; None anywhere.
            timeout: Seconds to wait; None: as the client was told.

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
            namespace: Where; None is anywhere.
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

    async def _open(self) -> None:
        extra = self._query if isinstance(self._query, str) else urlencode(self._query)
        query = f"EIO=4&transport=websocket&{extra}".rstrip("&")
        headers = [(name.lower().encode(), value.encode()) for name, value in self._headers]
        socket = WebsocketCommunicator(
            self._app, f"{quote(self._path)}?{query}", headers=[(b"host", b"testserver"), *headers]
        )
        is_open, answer = await socket.connect(self._timeout_s)
        if not is_open:
            raise ConnectionRefusedError(f"the handshake was refused with {answer}")
        self._socket = socket
        self._reader = asyncio.create_task(self._read(socket))

    async def _read(self, socket: WebsocketCommunicator) -> None:
        try:
            while (frame := await socket.next_frame()) is not None:
                happening = self._conversation.hear(frame)
                if isinstance(happening, Pinged):
                    await self._say([PONG])
                elif happening is not None:
                    async with self._changed:
                        self._take(happening)
                        self._changed.notify_all()
        finally:
            self._socket = None
            self.sids.clear()
            async with self._changed:
                self._changed.notify_all()

    async def _say(self, frames: Iterable[str | bytes]) -> None:
        if self._socket is None:
            raise DisconnectedError("the test client is not connected")
        for frame in frames:
            if isinstance(frame, str):
                await self._socket.send_to(text_data=frame)
            else:
                await self._socket.send_to(bytes_data=frame)

    async def _wait(
        self,
        has_come: Callable[[], bool],
        expected: str,
        timeout_s: float | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Wait until something has arrived, or nothing can arrive any more."""
        is_over = is_over or self._is_out
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s), self._changed:
                await self._changed.wait_for(lambda: has_come() or is_over())
        if not has_come():
            raise self._failure(expected, is_over=is_over())
