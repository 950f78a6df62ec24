"""
The client: python-socketio's methods, and how a connection begins and ends.

Packets and handlers are the part of :mod:`.dispatcher`, what is sent again that of :mod:`.delivery`, coming back after
a loss that of :mod:`.reconnect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.aio.acks import Answer
from fastsio.aio.client.dispatcher import PacketClient
from fastsio.aio.client.reconnect import Reconnecting
from fastsio.aio.engine.client_upstream import EngineConnectionError
from fastsio.base.client_options import check_url, failure_argument, failure_text, namespaces_to_join
from fastsio.base.emit_args import check_callback, check_event_name
from fastsio.base.outbox import Emission
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.exceptions import TimeoutError as AckTimeoutError
from fastsio.protocol import PacketType

if TYPE_CHECKING:
    from typing import Unpack

    from fastsio.base.keywords import ClientKeywords
    from fastsio.types import AckCallback, EventName

#: Seconds that connect() waits for the answer of one more namespace, by default; also while reconnecting.
WAIT_TIMEOUT_S = 1.0


class AsyncClient(PacketClient):
    """
    A Socket.IO client for asyncio.

    Handlers begin in the order of their events. Of a :class:`fastsio.Client` each runs in a thread of its own; of a
    :class:`fastsio.AsyncClient` those that are coroutine functions, or have injected parameters, run in tasks of their
    own, and plain functions are called one after the other.

    Args:
        reconnection: Whether to come back after a lost connection.
        reconnection_attempts: Attempts before giving up; 0 is any number.
        reconnection_delay: Seconds before the first attempt; each wait is twice as long as the one before.
        reconnection_delay_max: Seconds that no wait exceeds, jitter aside.
        randomization_factor: Jitter: seconds that a wait may be shorter or longer.
        logger: True, False, or a logger object.
        serializer: ``"default"``, ``"msgpack"`` or a Packet class; that of the server.
        json: A module or object with ``dumps`` and ``loads`` for this client's packets; None is orjson where it is
            installed, the standard library elsewhere.
        handle_sigint: Whether an interrupt of the program ends the connection first.
        async_handlers: False calls the handlers of events one after the other, each when the one before is done; then
            none of them may wait for what the server sends.
        retries: Sends each event until it is acknowledged, at most this often again, the next one when the one before
            is done; so an event may arrive twice, but in order. None, the default, sends each once.
        ack_timeout: Seconds to wait for an acknowledgement, of each attempt and of :meth:`emit_with_ack`. None, the
            default, is for ever; with *retries* an event is then sent again only after a reconnection.
        offline_buffer: Whether events emitted while a namespace is not connected wait for it instead of raising
            BadNamespaceError. False, as in python-socketio.
        max_buffered_events: Events that may wait, with *retries* or *offline_buffer*. 1,000.
        kwargs: The fields of :class:`~fastsio.protocol.Limits`, with 1,000 attachments and 100 MB as defaults, and
            every option of Engine.IO's client: ``request_timeout``, ``http_session``, ``ssl_verify``,
            ``websocket_extra_options``, ``timestamp_requests``, ``engineio_logger``. ``websocket_extra_options`` go to
            the library that opens the WebSocket. A message over it may have 100 MB in
            :class:`fastsio.AsyncClient` (``{"max_msg_size": 0}`` allows any size), and any size in
            :class:`fastsio.Client`.

    Raises:
        SetupError: An option is not valid.
    """

    def __init__(
        self,
        reconnection: bool = True,
        reconnection_attempts: int = 0,
        reconnection_delay: float = 1,
        reconnection_delay_max: float = 5,
        randomization_factor: float = 0.5,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        handle_sigint: bool = True,
        **kwargs: Unpack[ClientKeywords],
    ) -> None:
        super().__init__(
            reconnection,
            reconnection_attempts,
            reconnection_delay,
            reconnection_delay_max,
            randomization_factor,
            logger,
            serializer,
            json,
            handle_sigint,
            **kwargs,
        )
        self.eio.on("connect", self._handle_eio_connect)
        self.eio.on("disconnect", self._handle_eio_disconnect)
        self._reconnecting = Reconnecting(self)

    # Connecting

    async def connect(
        self,
        url: Any,
        headers: Any = {},  # noqa: B006 - python-socketio's signature; never changed here
        auth: Any = None,
        transports: Any = None,
        namespaces: Any = None,
        socketio_path: str = "socket.io",
        wait: bool = True,
        wait_timeout: float = WAIT_TIMEOUT_S,
        retry: bool = False,
    ) -> None:
        """
        Connect to a server.

        *url*, *headers* and *auth* may be functions, called for each attempt to connect. A connect handler may call
        :meth:`disconnect`; then this method returns, and the client is not connected.

        Args:
            url: The server's URL; a query in it goes into the handshake.
            headers: Headers of the handshake.
            auth: What the server's connect handlers get as ``auth``.
            transports: ``"polling"``, ``"websocket"`` or a list of these; None polls first and then upgrades.
            namespaces: The namespaces to join; None is those that have handlers, or the root.
            socketio_path: Where the server answers.
            wait: Whether to wait until the namespaces are joined and their connect handlers are done.
            wait_timeout: Seconds to wait for the answer of one more namespace. 1.
            retry: Whether to go on, with the options of reconnection, if the server cannot be reached.

        Raises:
            ConnectionError: The client is connected already, the server could not be reached, or a namespace was
                refused or not answered in time.
            ValueError: There is no transport of that name.
        """
        if self.connected:
            raise ConnectFailed("Already connected")
        if not callable(url):
            check_url(url)  # no attempt would ever succeed
        await self._reconnecting.stop(is_replaced=True)
        self._has_left = False
        self.connection_url = url
        self.connection_headers = headers
        self.connection_auth = auth
        self.connection_transports = transports
        self.connection_namespaces = namespaces_to_join(namespaces, [*self.handlers, *self.namespace_handlers])
        self.socketio_path = socketio_path
        self._wait_timeout_s = wait_timeout
        try:
            await self._open(wait=wait)
        except ConnectFailed:
            if not retry or self._was_reached:
                raise
            await self._go_on()
            if not self.connected:
                raise

    async def _go_on(self) -> None:
        self._reconnecting.start()
        try:
            await self._reconnecting.wait()
        except BaseException:
            # Who waits for connect() no longer wants to be connected.
            self._reconnecting.abort()
            raise

    async def wait(self) -> None:
        """Wait until the connection has ended for good: while the client tries to come back it goes on."""
        while True:
            await self.eio.wait()
            if not self._reconnecting.is_active:
                return
            await self._reconnecting.wait()

    async def disconnect(self) -> None:
        """Leave every namespace and end the connection, or the attempts to come back."""
        self._has_left = True
        await self._reconnecting.stop()
        await self._hang_up()

    async def shutdown(self) -> None:
        """Stop the client: as :meth:`disconnect`."""
        await self.disconnect()

    # Emitting

    async def emit(
        self, event: EventName, data: Any = None, namespace: str | None = None, callback: AckCallback = None
    ) -> None:
        """
        Send an event to the server.

        Args:
            event: Event name; the protocol's own names are reserved.
            data: JSON-compatible payload, pydantic models included. A tuple is sent as several arguments, None as
                none; bytes travel as attachments.
            namespace: The namespace; None is ``"/"``.
            callback: Called with what the server acknowledges.

        Raises:
            BadNamespaceError: The namespace is not connected, and neither ``retries`` nor ``offline_buffer`` is set.
            DisconnectedError: Too many events wait.
            ValueError: The event's name is not valid.
            TypeError: The callback cannot be called, or awaited.
        """
        check_event_name(event)
        if callback is not None:
            check_callback(callback, asynchronous=self.is_asyncio_based())
        if self._event_log is not None:
            self._event_log.sending(event, namespace or "/")
        await self._delivery.send(Emission(event, data, namespace or "/", callback))

    async def send(self, data: Any, namespace: str | None = None, callback: AckCallback = None) -> None:
        """Send the event ``message``; the arguments are those of :meth:`emit`."""
        await self.emit("message", data=data, namespace=namespace, callback=callback)

    async def call(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = 60,  # noqa: ASYNC109 - python-socketio's parameter
    ) -> Any:
        """
        Send an event and wait for its acknowledgement, whatever happens to the connection.

        Args:
            event: Event name.
            data: Payload, as for :meth:`emit`.
            namespace: The namespace; None is ``"/"``.
            timeout: Seconds to wait; None is for ever.

        Returns:
            What the server acknowledged: None, one value, or a tuple of several.

        Raises:
            BadNamespaceError: The namespace is not connected.
            TimeoutError: The server did not acknowledge in time.
        """
        return await self._ask(event, data, namespace, timeout, needs_connection=False)

    async def emit_with_ack(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as call()
    ) -> Any:
        """
        Send an event and wait for its acknowledgement, as the JavaScript client's method of that name.

        Args:
            event: Event name.
            data: Payload, as for :meth:`emit`.
            namespace: The namespace; None is ``"/"``.
            timeout: Seconds to wait, attempts included; None is the option ``ack_timeout`` or, with ``retries``, until
                the event is given up.

        Returns:
            What the server acknowledged: None, one value, or a tuple of several.

        Raises:
            BadNamespaceError: The namespace is not connected.
            DisconnectedError: The connection was lost first, and the event will not be sent again; or it has ended, and
                the client does not come back by itself; or too many events wait.
            TimeoutError: The server did not acknowledge in time.
        """
        if timeout is None and self.options.retries is None:
            timeout = self.options.ack_timeout
        return await self._ask(event, data, namespace, timeout, needs_connection=True)

    async def _ask(
        self, event: EventName, data: Any, namespace: str | None, timeout_s: float | None, *, needs_connection: bool
    ) -> Any:
        answer = Answer(self.eio.create_event(), needs_connection=needs_connection)
        try:
            await self.emit(event, data=data, namespace=namespace, callback=answer)
            if await answer.arrives(timeout_s):
                return answer.value()
        finally:
            self._delivery.withdraw(namespace or "/", answer)
        raise answer.error or AckTimeoutError("the server did not acknowledge the event in time")

    # Waiting

    async def sleep(self, seconds: float = 0) -> None:
        """Wait without keeping others from running."""
        await self.eio.sleep(seconds)

    # How a connection begins and ends

    async def _open(self, *, wait: bool = True) -> None:
        """
        Make one attempt to connect.

        The client is not connected afterwards if ``disconnect()`` was called meanwhile.

        Raises:
            ConnectionError: It failed.
        """
        self._is_opening = True
        try:
            await self._reach()
            if wait:
                await self._join()
        except concurrency.Cancelled:
            await self._hang_up()
            raise
        finally:
            self._is_opening = False
        self.connected = not self._has_left

    async def _reach(self) -> None:
        self._reset_state()
        self._delivery.begin()
        self.failed_namespaces = []
        self._was_reached = False
        self._answered_event.clear()
        url = await self._real_value(self.connection_url)
        check_url(url)
        headers = await self._real_value(self.connection_headers)
        self._auth = await self._real_value(self.connection_auth)
        try:
            await self.eio.connect(
                url, headers=headers, transports=self.connection_transports, engineio_path=self.socketio_path
            )
        except EngineConnectionError as exc:
            for namespace in self.connection_namespaces:
                await self._trigger_event("connect_error", namespace, failure_argument(exc))
            raise ConnectFailed(exc.args[0]) from exc
        self._was_reached = True

    async def _join(self) -> None:
        """Wait until the namespaces have been answered, or ``disconnect()`` is called."""
        wanted = set(self.connection_namespaces)
        while not wanted <= self._settled and self.eio.state == "connected" and not self._has_left:
            if not await concurrency.wait_event(self._answered_event, self._wait_timeout_s):
                break
            self._answered_event.clear()
        if wanted <= self.namespaces.keys() and not self._has_left:
            return
        text = failure_text(self.failed_namespaces)
        await self._hang_up()
        if self.failed_namespaces or not self._has_left:
            raise ConnectFailed(text)

    async def _real_value(self, value: Any) -> Any:
        return await concurrency.resolved(value() if callable(value) else value)

    async def _handle_eio_connect(self) -> None:
        """Take a new Engine.IO connection: ask for the namespaces."""
        self.logger.info("Engine.IO connection established")
        self.sid = self.eio.sid
        for namespace in self.connection_namespaces:
            await self._reply(self.packet_class(PacketType.CONNECT, self._auth or {}, namespace))

    async def _hang_up(self) -> None:
        for namespace in list(self.namespaces):
            await self._reply(self.packet_class(PacketType.DISCONNECT, None, namespace))
        await self.eio.disconnect()

    async def _handle_eio_disconnect(self, reason: str) -> None:
        """Take the end of the Engine.IO connection: every namespace is left."""
        self.logger.info("Engine.IO connection dropped")
        will_reconnect = self._will_reconnect(reason)
        for namespace in list(self.namespaces):
            if self._claim(namespace):
                # While the client tries to come back, an attempt that fails is not the end.
                is_final = not (will_reconnect or self._reconnecting.is_active)
                await self._leave(namespace, reason, is_final=is_final)
        for namespace in self._memberships.keys() - self.namespaces.keys():
            await self._end_membership(namespace)
        self._reset_state()
        self._answered_event.set()
        if will_reconnect:
            self._reconnecting.start()
