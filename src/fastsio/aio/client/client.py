"""
The client: python-socketio's methods, and how a connection begins and ends.

It owns a :class:`~.dispatcher.ClientDispatcher` for packets and handlers, a :class:`~.delivery.Delivery` for emitted
events, which may be sent later or again, and a :class:`~.reconnect.Reconnecting` for the attempts to reconnect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.aio import concurrency
from fastsio.aio.client.delivery import Delivery
from fastsio.aio.client.dispatcher import ClientDispatcher
from fastsio.aio.client.reconnect import Reconnecting
from fastsio.aio.engine.client import EngineClient
from fastsio.aio.engine.client_upstream import EngineConnectionError
from fastsio.base.answers import Answer
from fastsio.base.client import BaseClient, check_url, failure_text, namespaces_to_join
from fastsio.base.emit_args import check_callback, check_event_name
from fastsio.base.pending import Emission
from fastsio.base.seams import CLIENT_SEAMS, own_methods
from fastsio.engine.packet import frames_of
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.exceptions import SetupError
from fastsio.exceptions import TimeoutError as AckTimeoutError

# Only threads:
# | from fastsio.base.runner import check_thread_target
# Both:

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastsio.protocol import Packet
    from fastsio.types import AckCallback, EventName

#: Seconds that connect() waits for the answer of one more namespace, by default; also while reconnecting.
WAIT_TIMEOUT_S = 1.0


class AsyncClient(BaseClient):
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
        recovery: Whether a server that can recover connections may recover this client's after a loss: the client gets
            back its sid and rooms, and the events that it has missed. False makes a new connection each time.
        max_held_packets: Missed events of one namespace that are held until the server has answered; more are handled
            before the answer. 10,000.
        max_held_bytes: Bytes of the held events. 16,777,216.
        kwargs: The fields of :class:`~fastsio.protocol.Limits`, with 1,000 attachments and 100 MB as defaults, and
            every option of Engine.IO's client: ``request_timeout``, ``http_session``, ``ssl_verify``,
            ``websocket_extra_options``, ``timestamp_requests``, ``engineio_logger``. ``websocket_extra_options`` go to
            the library that opens the WebSocket. A message over it may have 100 MB in
            :class:`fastsio.AsyncClient` (``{"max_msg_size": 0}`` allows any size), and any size in
            :class:`fastsio.Client`.

    Raises:
        SetupError: An option is not valid.
    """

    def _make_parts(self) -> None:
        """Make the parts of the client, and let the engine call them."""
        engine_class = self._engineio_client_class()
        if not (isinstance(engine_class, type) and issubclass(engine_class, EngineClient)):
            raise SetupError(
                f"{type(self).__qualname__} overrides _engineio_client_class with {engine_class!r}, which is no "
                f"subclass of {EngineClient.__module__}.{EngineClient.__qualname__}; derive it from that class"
            )
        self.eio = engine_class(handle_sigint=self.handle_sigint, **self._engine_options)
        shared = self.__fastsio__
        self._dispatcher = shared.dispatcher = ClientDispatcher(self, shared)
        self._delivery = Delivery(self, shared.options, self._dispatcher)
        self._dispatcher.bind(self._delivery)
        self._reconnecting = shared.reconnecting = Reconnecting(self, self._dispatcher, self._open)
        is_replaced = "_handle_eio_message" in self._seams.replaced
        self.eio.on("connect", self._handle_eio_connect)
        self.eio.on("message", self._handle_eio_message if is_replaced else self._dispatcher.handle_frame)
        self.eio.on("disconnect", self._handle_eio_disconnect)

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return concurrency.ASYNCHRONOUS

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
            auth: What the server's connect handlers get as ``auth``: a dict or a text. Servers of fastsio and of
                JavaScript close the connection of a client that sends anything else.
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
        self._reconnecting.has_left = False
        self.__fastsio__.recovery.set_target(url, headers, auth, socketio_path)
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
            await self._retry_connecting()
            if not self.connected:
                raise

    async def _retry_connecting(self) -> None:
        await self._reconnecting.start()
        try:
            await self._reconnecting.wait()
        except BaseException:
            # The call of connect() was cancelled.
            self._reconnecting.abort()
            raise

    async def wait(self) -> None:
        """Wait until the connection has ended and the client does not try to reconnect."""
        while True:
            await self.eio.wait()
            if not self._reconnecting.is_active:
                return
            await self._reconnecting.wait()

    async def disconnect(self) -> None:
        """Leave every namespace and end the connection, or the attempts to reconnect."""
        self._reconnecting.has_left = True
        self.__fastsio__.recovery.forget_all()
        await self._reconnecting.stop()
        await self._dispatcher.hang_up()

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
        return await self._emit_and_wait(event, data, namespace, timeout, needs_connection=False)

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
        options = self.__fastsio__.options
        if timeout is None and options.retries is None:
            timeout = options.ack_timeout
        return await self._emit_and_wait(event, data, namespace, timeout, needs_connection=True)

    async def _emit_and_wait(
        self, event: EventName, data: Any, namespace: str | None, timeout_s: float | None, *, needs_connection: bool
    ) -> Any:
        answer = Answer(self.eio.create_event(), needs_connection=needs_connection)
        try:
            await self.emit(event, data=data, namespace=namespace, callback=answer)
            await concurrency.wait_event(answer.event, timeout_s)
            if answer.has_come:
                return answer.value()
        finally:
            self._delivery.pending.withdraw(namespace or "/", answer)
        raise answer.error or AckTimeoutError("the server did not acknowledge the event in time")

    # In the background

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Start a function in the background; return its task or thread.

        Raises:
            TypeError: It cannot run there: in threads a coroutine function cannot.
        """
        # Only threads:
        # | check_thread_target(target)
        # Both:
        return self.eio.start_background_task(target, *args, **kwargs)

    async def sleep(self, seconds: float = 0) -> None:
        """Wait without keeping others from running."""
        await self.eio.sleep(seconds)

    # How a connection begins and ends

    async def _open(self, *, wait: bool = True) -> None:
        """
        Make one attempt to connect; then the client is connected, unless ``disconnect()`` was called meanwhile.

        Raises:
            ConnectionError: It failed.
        """
        self._is_opening = True
        try:
            await self._open_transport()
            if wait:
                await self._wait_for_namespaces()
        except concurrency.Cancelled:
            await self._dispatcher.hang_up()
            raise
        finally:
            self._is_opening = False
        self.connected = not self._reconnecting.has_left

    async def _open_transport(self) -> None:
        self._reset_state()
        self._dispatcher.reset()
        self._delivery.pending.begin()
        self.failed_namespaces = []
        self._was_reached = False
        self._dispatcher.answered.clear()
        url = await self._current_value(self.connection_url)
        check_url(url)
        headers = await self._current_value(self.connection_headers)
        self._auth = await self._current_value(self.connection_auth)
        try:
            await self.eio.connect(
                url, headers=headers, transports=self.connection_transports, engineio_path=self.socketio_path
            )
        except EngineConnectionError as exc:
            reason = exc.args[-1] if exc.args else ""  # the server's answer, or the reason
            for namespace in self.connection_namespaces:
                await self._trigger_event("connect_error", namespace, reason)
            raise ConnectFailed(exc.args[0]) from exc
        self._was_reached = True

    async def _wait_for_namespaces(self) -> None:
        """Wait until the namespaces have been answered, or ``disconnect()`` is called."""
        wanted = set(self.connection_namespaces)
        while (
            not wanted <= self._dispatcher.answered_namespaces
            and self.eio.state == "connected"
            and not self._reconnecting.has_left
        ):
            if not await concurrency.wait_event(self._dispatcher.answered, self._wait_timeout_s):
                break
            self._dispatcher.answered.clear()
        if wanted <= self.namespaces.keys() and not self._reconnecting.has_left:
            return
        text = failure_text(self.failed_namespaces)
        await self._dispatcher.hang_up()
        if self.failed_namespaces or not self._reconnecting.has_left:
            raise ConnectFailed(text)

    async def _current_value(self, value: Any) -> Any:
        return await concurrency.resolved(value() if callable(value) else value)

    # The names of python-socketio that applications, test clients and add-ons override in a class, replace on an
    # object, or use.

    def _engineio_client_class(self) -> Callable[..., Any]:
        return EngineClient

    async def _handle_eio_connect(self) -> None:
        """Handle a new Engine.IO connection: send CONNECT for each namespace."""
        self.logger.info("Engine.IO connection established")
        self.sid = self.eio.sid
        await self._dispatcher.join(self.connection_namespaces, self._auth)

    async def _handle_eio_message(self, data: str | bytes) -> None:
        """Handle a frame of the server."""
        await self._dispatcher.handle_frame(data)

    async def _handle_eio_disconnect(self, reason: str) -> None:
        """Handle the end of the Engine.IO connection: the client leaves every namespace."""
        self.logger.info("Engine.IO connection dropped")
        will_reconnect = self._will_reconnect(reason)
        for namespace in list(self.namespaces):
            if self._dispatcher.claim(namespace):
                # While the client tries to reconnect, a failed attempt is not the final end.
                is_final = not (will_reconnect or self._reconnecting.is_active)
                await self._dispatcher.leave(namespace, reason, is_final=is_final)
        await self._dispatcher.end_memberships()
        self._reset_state()
        self._dispatcher.reset()
        self._dispatcher.answered.set()
        if will_reconnect:
            await self._reconnecting.start()

    async def _handle_connect(self, namespace: str, data: Any) -> None:
        """Handle CONNECT of the server: the client has joined a namespace."""
        await self._dispatcher.handle_connect(namespace, data)

    async def _handle_disconnect(self, namespace: str) -> None:
        """Handle DISCONNECT of the server; after the last namespace the connection ends, and is not made again."""
        await self._dispatcher.handle_disconnect(namespace)

    async def _handle_event(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call the handler of an event and acknowledge what it returns."""
        await self._dispatcher.handle_event(namespace, id, data)

    async def _handle_ack(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call the callback that waits for an acknowledgement."""
        await self._dispatcher.handle_ack(namespace, id, data)

    async def _handle_error(self, namespace: str, data: Any) -> None:
        """Handle CONNECT_ERROR of the server: it refuses a namespace."""
        await self._dispatcher.handle_refusal(namespace, data)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """
        Call the handler of an event.

        Override it to dispatch differently.

        Args:
            event: The event.
            namespace: The namespace.
            args: The arguments of the event: the ``reason`` of a disconnect, the payload of a ``connect_error``.

        Returns:
            What the handler returned; None without one.
        """
        return await self._dispatcher.trigger(event, namespace, args)

    async def _send_packet(self, pkt: Packet) -> None:
        """Send a Socket.IO packet to the server; while it does not read, wait."""
        await self.eio.write(frames_of(pkt))

    _own_seams: ClassVar[Mapping[str, Any]] = own_methods(CLIENT_SEAMS, vars())
