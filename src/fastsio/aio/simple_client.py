"""
A client for programs without handlers: what arrives is kept until it is asked for.

This module uses a client, and must not know packets.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Self

from fastsio.aio import concurrency
from fastsio.aio.client.client import AsyncClient
from fastsio.exceptions import BadNamespaceError, DisconnectedError
from fastsio.exceptions import TimeoutError as ReceiveTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class AsyncSimpleClient:
    """
    A Socket.IO client without handlers, for one namespace.

    While the connection is lost and the client tries to come back, the methods wait. What was under way when it was
    lost may be lost too; give the option ``retries`` where that matters.

    Args:
        args: Those of :class:`AsyncClient`.
        kwargs: As *args*.

    Attributes:
        client_class: What makes the client.
        client: The client, None without a connection.
        namespace: The namespace.
        connected: Whether the client is connected, or tries to come back.
    """

    client_class: ClassVar[Any] = AsyncClient

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.client_args = args
        self.client_kwargs = kwargs
        self.client: Any = None
        self.namespace = "/"
        self.connected = False
        self.connected_event = concurrency.Event()
        self.input_event = concurrency.Event()
        self.input_buffer: deque[list[Any]] = deque()

    async def connect(
        self,
        url: Any,
        headers: Any = {},  # noqa: B006 - python-socketio's signature; never changed here
        auth: Any = None,
        transports: Any = None,
        namespace: str = "/",
        socketio_path: str = "socket.io",
        wait_timeout: float = 5,
    ) -> None:
        """
        Connect to a server.

        Args:
            url: The server's URL, or a function that returns it.
            headers: Headers of the handshake, or a function that returns them.
            auth: What the server's connect handler gets as ``auth``, or a function that returns it.
            transports: ``"polling"``, ``"websocket"`` or a list of these; None polls first and then upgrades.
            namespace: The namespace to join.
            socketio_path: Where the server answers.
            wait_timeout: Seconds to wait until the namespace is joined. 5.

        Raises:
            RuntimeError: The client is connected already.
            ConnectionError: The server could not be reached, or refused.
        """
        if self.connected:
            raise RuntimeError("Already connected")
        self.namespace = namespace
        self.input_buffer.clear()
        self.input_event.clear()
        self.client = self._make_client()
        try:
            await self.client.connect(
                url,
                headers=headers,
                auth=auth,
                transports=transports,
                namespaces=[namespace],
                socketio_path=socketio_path,
                wait_timeout=wait_timeout,
            )
        except BaseException:
            self.client = None
            raise
        self.connected = True

    def _make_client(self) -> Any:
        client = self.client_class(*self.client_args, **self.client_kwargs)
        # What arrives is kept in order, also where handlers run in threads.
        client.async_handlers = False

        def on_connect() -> None:
            self.connected_event.set()

        def on_disconnect() -> None:
            self.connected_event.clear()

        def on_final_end() -> None:
            self.connected = False
            self.connected_event.set()
            self.input_event.set()

        def on_event(event: str, *args: Any) -> None:
            self.input_buffer.append([event, *args])
            self.input_event.set()

        client.on("connect", on_connect, namespace=self.namespace)
        client.on("disconnect", on_disconnect, namespace=self.namespace)
        client.on("__disconnect_final", on_final_end, namespace=self.namespace)
        client.on("*", on_event, namespace=self.namespace)
        return client

    @property
    def sid(self) -> str | None:
        """The client's sid, None without a connection."""
        sid: str | None = self.client.get_sid(self.namespace) if self.client else None
        return sid

    @property
    def recovered(self) -> bool:
        """Whether the server has recovered the client's session when it connected last."""
        return self.client is not None and self.namespace in self.client.recovered_namespaces

    @property
    def transport(self) -> str:
        """The transport in use, ``"polling"`` or ``"websocket"``; empty without a connection."""
        transport: str = self.client.transport() if self.client else ""
        return transport

    async def emit(self, event: str, data: Any = None) -> None:
        """
        Send an event.

        Args:
            event: Event name.
            data: Payload; a tuple is sent as several arguments.

        Raises:
            DisconnectedError: The connection has ended for good.
        """
        await self._call_when_connected(lambda: self.client.emit(event, data, namespace=self.namespace))

    async def call(self, event: str, data: Any = None, timeout: float | None = 60) -> Any:  # noqa: ASYNC109 - python-socketio's parameter
        """
        Send an event and wait for its acknowledgement.

        Args:
            event: Event name.
            data: Payload; a tuple is sent as several arguments.
            timeout: Seconds to wait; None is for ever.

        Returns:
            What the server acknowledged: None, one value, or a tuple of several.

        Raises:
            DisconnectedError: The connection has ended for good.
            TimeoutError: The server did not acknowledge in time.
        """
        return await self._call_when_connected(
            lambda: self.client.call(event, data, namespace=self.namespace, timeout=timeout)
        )

    async def _call_when_connected(self, send: Callable[[], Any]) -> Any:
        """Call *send*, again after each reconnection, until the namespace is connected."""
        while True:
            await concurrency.wait_event(self.connected_event)
            self._check_connected()
            try:
                return await send()
            except BadNamespaceError:
                await concurrency.sleep(0)

    def _check_connected(self) -> None:
        if not self.connected:
            raise DisconnectedError("the client is not connected")

    async def receive(self, timeout: float | None = None) -> list[Any]:  # noqa: ASYNC109 - python-socketio's parameter
        """
        Return the next event of the server, waiting for one if necessary.

        Args:
            timeout: Seconds to wait; None is for ever.

        Returns:
            The event's name and its arguments.

        Raises:
            DisconnectedError: The connection has ended for good, and everything that had arrived was received.
            TimeoutError: No event came in time.
        """
        until_s = None if timeout is None else monotonic() + timeout
        while not self.input_buffer:
            if not await concurrency.wait_event(self.connected_event, _left(until_s)):
                raise ReceiveTimeoutError("the client was not connected in time")
            self._check_connected()
            if not await concurrency.wait_event(self.input_event, _left(until_s)):
                raise ReceiveTimeoutError("no event was received in time")
            self.input_event.clear()
        return self.input_buffer.popleft()

    async def disconnect(self) -> None:
        """End the connection; without one do nothing."""
        client, self.client = self.client, None
        self.connected = False
        if client is not None:
            await client.disconnect()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.disconnect()


def _left(until_s: float | None) -> float | None:
    """Return the seconds that are left of a time to wait; None is for ever."""
    return None if until_s is None else max(0.0, until_s - monotonic())
