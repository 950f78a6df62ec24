"""
The asyncio server: what applications call, with python-socketio's names and arguments.

Each method checks its arguments, and calls the manager or reads the client's record. The parts of the server handle
what clients do: the :class:`~.lifecycle.Lifecycle` their connections, the :class:`~.dispatcher.Dispatcher` their
packets.
"""

from __future__ import annotations

# Only asyncio:
import os

# Both:
from contextlib import AbstractAsyncContextManager
from functools import partial
from random import shuffle
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.aio import concurrency
from fastsio.aio.admin import InstrumentedAsyncServer
from fastsio.aio.dispatcher import Dispatcher
from fastsio.aio.engine import EngineServer
from fastsio.aio.lifecycle import Lifecycle
from fastsio.aio.manager import AsyncManager
from fastsio.aio.recovery import Recovery
from fastsio.aio.rooms import RoomKeeper
from fastsio.aio.runner import HandlerRunner
from fastsio.base.answers import AckWaiter
from fastsio.base.emit_args import check_callback, check_event_name, emit_options
from fastsio.base.seams import SERVER_SEAMS, own_methods
from fastsio.base.server import BaseServer, DrainSchedule

# Only asyncio:
from fastsio.brokers.worker_group import WORKERS

# Both:
from fastsio.engine.gc_policy import collect_less_often
from fastsio.protocol import NamespaceState, PacketType
from fastsio.routing import single_namespace
from fastsio.state.room_names import entered_room, plain_room

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from typing import Unpack

    from fastsio.aio.runner import BackgroundTask
    from fastsio.base.options import AsyncServerKeywords
    from fastsio.protocol import Packet
    from fastsio.state import Client
    from fastsio.types import AckCallback, EventName, Rooms, Sids


class AsyncServer(BaseServer):
    """
    A Socket.IO server for asyncio.

    Args:
        client_manager: Keeps the clients; None is an :class:`AsyncManager`, for one process, or with asyncio in the
            workers of ``fastsio run --workers`` an :class:`AsyncLocalManager`.
        logger: True, False, or a logger object.
        serializer: ``"default"``, ``"msgpack"`` or a subclass of Packet.
        json: A module or object with ``dumps`` and ``loads`` for this server's packets; None is orjson where it is
            installed, the standard library elsewhere.
        async_handlers: True runs each event's handler in a task of its own; False runs the handlers of a client one
            after the other.
        always_connect: True answers CONNECT before the connect handler has decided.
        namespaces: Namespaces that clients may connect to without a handler there, ``"*"`` for any; None is ``["/"]``.
        kwargs: ``async_mode`` (of :class:`fastsio.AsyncServer` ``"aiohttp"``, ``"asgi"``, ``"sanic"`` or ``"tornado"``,
            of :class:`fastsio.Server` ``"threading"``, ``"gevent"``, ``"gevent_uwsgi"`` or ``"eventlet"``), the fields
            of :class:`~fastsio.base.options.ServerOptions` and :class:`~fastsio.protocol.Limits`,
            ``max_buffer_bytes``, ``max_buffer_packets``, ``high_water_bytes``, ``high_water_packets``,
            ``slow_client_timeout``, ``slow_client``, ``body_timeout``, ``upgrade_timeout``, ``allow_eio3``, and
            every option of Engine.IO.

            ``allow_eio3=True`` serves the JavaScript clients 1.x and 2.x too. As with the JavaScript server, the query
            they join a namespace with is the connect handler's ``auth``, and their sid is made of their Engine.IO
            session id: do not show it to other clients.

    Raises:
        SetupError: An option is not valid.
    """

    # Only asyncio:
    def __init__(
        self,
        client_manager: Any = None,
        logger: Any = False,
        json: Any = None,
        async_handlers: bool = True,
        namespaces: Any = None,
        **kwargs: Unpack[AsyncServerKeywords],
    ) -> None:
        options: Any = {"json": json, "async_handlers": async_handlers, "namespaces": namespaces, **kwargs}
        super().__init__(client_manager, logger, **options)
        self._make_parts()
        if async_handlers:
            # Each event is handled in a task of its own.
            self.eio.stepped_handlers |= self.eio.receivers

    # Only threads:
    # | def __init__(
    # |     self,
    # |     client_manager: Any = None,
    # |     logger: Any = False,
    # |     serializer: Any = "default",
    # |     json: Any = None,
    # |     async_handlers: bool = True,
    # |     always_connect: bool = False,
    # |     namespaces: Any = None,
    # |     **kwargs: Unpack[SyncServerKeywords],
    # | ) -> None:
    # |     options: Any = kwargs
    # |     super().__init__(
    # |         client_manager, logger, serializer, json, async_handlers, always_connect, namespaces, **options
    # |     )
    # |     self._make_parts()
    # Both:
    def _make_parts(self) -> None:
        """Make the parts of the server, and let the engine call them."""
        # The engine passes on one frame after the other, and this server starts the tasks of handlers.
        self.eio = EngineServer(**{**self._engine_options, "async_handlers": False})
        connect: Any = self._handle_eio_connect
        self.eio.on("connect", connect)
        self.eio.on("disconnect", self._handle_eio_disconnect)
        # Only asyncio:
        if connect.__func__ is vars(AsyncServer)["_handle_eio_connect"]:
            self.eio.stepped_handlers = frozenset({connect})
        # Both:
        self.async_mode = self.eio.async_mode
        if self.manager is None:
            # Only asyncio:
            self.manager = _default_manager()
            # Only threads:
            # | self.manager = Manager()
            # Both:
        self.manager.set_server(self)
        shared = self.__fastsio__
        self._dispatcher = shared.dispatcher = Dispatcher(self, shared)
        self._runner = shared.runner = HandlerRunner(self, shared, self._dispatcher)
        shared.room_keeper = RoomKeeper(self, self._runner.start_task, self._dispatcher.close_context)
        if shared.recovery_options is not None:
            shared.recovery = Recovery(self, shared, shared.recovery_options)
            shared.recovery_state = shared.recovery.state
        self._lifecycle = shared.lifecycle = Lifecycle(self, shared, self._dispatcher, self._runner)
        self._dispatcher.bind(self._runner, self._lifecycle)
        self.eio.receivers = frozenset({self._dispatcher.handle_message, self._dispatcher.handle_observed_message})

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return concurrency.ASYNCHRONOUS

    # Serving

    # Only asyncio:
    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serve one request; arguments and result are the web framework's."""
        return await self.eio.handle_request(*args, **kwargs)

    def attach(self, app: Any, socketio_path: str = "socket.io") -> None:
        """
        Add the server to an aiohttp or Sanic application, which shuts it down with itself.

        ``async_mode`` need not be given: the application says what it is.

        Args:
            app: The application, before it starts.
            socketio_path: Where Socket.IO is served.

        Raises:
            SetupError: The application is of another framework, or of another one than the server.
        """
        self.eio.attach(app, socketio_path, on_shutdown=self.shutdown)
        self.async_mode = self.eio.async_mode

    # Only threads:
    # | def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
    # |     """Serve one WSGI request and return its body."""
    # |     return self.eio.handle_request(environ, start_response)
    # Both:
    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> BackgroundTask:
        """
        Start a function in the background; return its task or thread.

        A task ends with the server if it has not ended before.

        Raises:
            TypeError: It cannot run there: in threads a coroutine function cannot.
        """
        return self._runner.start_background_task(target, *args, **kwargs)

    async def sleep(self, seconds: float = 0) -> None:
        """Wait without keeping others from running."""
        await self.eio.sleep(seconds)

    async def drain(self, seconds: float = 10) -> None:
        """
        Let the clients go to other nodes, a few at a time, before the server shuts down.

        From now on new clients are refused with status 503, and :attr:`is_ready` is False. The connections end in
        random order, spread over the time, and clients connect again by themselves; their disconnect handlers get the
        reason ``server shutting down``. Handlers that are still running then are waited for by :meth:`shutdown`.

        Args:
            seconds: The time in which all connections have ended; 0 ends them at once.

        Raises:
            ValueError: It is not a number from 0 on, or is infinite.
        """
        order = list(self._connections)
        shuffle(order)
        schedule = DrainSchedule(order, seconds, monotonic())
        self.eio.stop_admitting(self.__fastsio__.options.shutdown_timeout)
        end_all = partial(self._runner.start_for_each, self._lifecycle.end_transport)
        while not schedule.is_over and self._connections:
            end_all(schedule.due(monotonic()))
            if not schedule.is_over:
                await self.sleep(schedule.next_look_s(monotonic()))
        # Those whose handshake was under way when the server began.
        end_all([eio_sid for eio_sid, connection in list(self._connections.items()) if not connection.is_lost])

    async def shutdown(self, *, timeout: float | None = None, dismiss: bool = False) -> None:  # noqa: ASYNC109 - it bounds the whole
        """
        Stop the server: refuse new clients, end all connections, wait for handlers.

        Clients are not told to stay away: they connect again by themselves, to another node or to this one when it is
        back. Their disconnect handlers get the reason ``server shutting down``.

        Tasks of :meth:`start_background_task` have a moment to end by themselves once handlers are done; then they are
        cancelled, for many run for ever. Threads cannot be cancelled, and are left to themselves.

        Args:
            timeout: Seconds until handlers still running are not waited for any more; None is the option
                ``shutdown_timeout``.
            dismiss: True sends every client a DISCONNECT, after which it stays away; the reason is ``server
                disconnect``.
        """
        if self._event_log is not None:
            self._event_log.stopping()
        grace_s = self.__fastsio__.options.shutdown_timeout if timeout is None else timeout
        self.eio.stop_admitting(grace_s)
        self._lifecycle.stop(refuses=dismiss)
        self._remove_room_homes()
        end = self._lifecycle.end_connection
        if not dismiss:
            end = self._lifecycle.end_transport
            for eio_sid in list(self._connections):
                self.eio.leave_client(eio_sid)
        try:
            await self._runner.end(self._connections, end, grace_s)
        finally:  # whatever fails or is cancelled, the rest is freed
            try:
                if self.__fastsio__.recovery is not None:
                    await self.__fastsio__.recovery.save(grace_s)
            finally:
                try:
                    await self.manager.shutdown()
                finally:
                    await self.eio.shutdown()

    # Emitting

    async def emit(
        self,
        event: EventName,
        data: Any = None,
        to: Rooms = None,
        room: Rooms = None,
        skip_sid: Sids = None,
        namespace: str | None = None,
        callback: AckCallback = None,
        ignore_queue: bool = False,
        *,
        wait: bool = True,
    ) -> None:
        """
        Send an event to one client, a room, several rooms, or all clients.

        Args:
            event: Event name; the protocol's own names are reserved.
            data: JSON-compatible payload, pydantic models included. A tuple is sent as several arguments, None as
                none; bytes travel as attachments.
            to: A sid or room, or any iterable of them; each client gets the event once. None is all clients, an
                empty iterable none.
            room: The same as *to*.
            skip_sid: The sid, or any iterable of sids, to leave out.
            namespace: The namespace; None is ``"/"``, for the object of a room class where that is registered.
            callback: Called with what each client acknowledges.
            ignore_queue: Send to this process's clients only.
            wait: Whether to wait while a client of this process is behind and reads. Before the wait begins, the event
                is queued for all recipients. Give False where the caller must not wait.

        Raises:
            ValueError: The event's name is not valid, or the namespace has no slash in front.
            TypeError: The callback cannot be called, or awaited.
        """
        check_event_name(event)
        if callback is not None:
            check_callback(callback, asynchronous=self.is_asyncio_based())
        target = room if to is None else to
        place = namespace or ("/" if target is None or type(target) is str else self._namespace_of(target))
        if namespace and (type(namespace) is not str or namespace[0] != "/"):  # saves a call for most events
            place = single_namespace(namespace)
        if self._event_log is not None:
            shown = self.__fastsio__.label_of(target) if isinstance(target, str) else target
            self._event_log.emitting(event, shown, place)
        emit = self.manager.emit
        if not wait:  # managers of other packages do not have this parameter
            emit = partial(emit, wait=False)
        await emit(event, data, place, room=target, skip_sid=skip_sid, callback=callback, ignore_queue=ignore_queue)

    async def send(
        self,
        data: Any,
        to: Rooms = None,
        room: Rooms = None,
        skip_sid: Sids = None,
        namespace: str | None = None,
        callback: AckCallback = None,
        ignore_queue: bool = False,
        *,
        wait: bool = True,
    ) -> None:
        """Send the event ``message``; the arguments are those of :meth:`emit`."""
        options = emit_options(to, room, skip_sid, namespace, callback, ignore_queue, wait=wait)
        await self.emit("message", data=data, **options)

    async def call(
        self,
        event: EventName,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,  # noqa: ASYNC109 - python-socketio's parameter
        ignore_queue: bool = False,
    ) -> Any:
        """
        Emit an event to one client and wait for its acknowledgement, however much else waits for the client.

        Args:
            event: Event name.
            data: Payload, as for :meth:`emit`.
            to: sid of the client.
            sid: The same as *to*.
            namespace: The namespace; None is ``"/"``.
            timeout: Seconds to wait; None is for ever.
            ignore_queue: Ask only a client of this process.

        Returns:
            What the client acknowledged: None, one value, or a tuple of several.

        Raises:
            ValueError: No client was named, or the namespace has no slash in front.
            RuntimeError: The server runs handlers one after the other, so the answer could never be read.
            ClientLeftError: The client left before it acknowledged, or is not there. It is a DisconnectedError and a
                TimeoutError.
            TimeoutError: The client did not acknowledge in time; or it is unknown here, and no other process has said
                that it has left.
        """
        target = to or sid
        if target is None:
            raise ValueError("Cannot use call() to broadcast.")
        if not self.async_handlers:
            raise RuntimeError("Cannot use call() when async_handlers is False.")
        waiter = AckWaiter(self.manager)
        try:
            await self.emit(event, data, room=target, namespace=namespace, callback=waiter, ignore_queue=ignore_queue)
            await concurrency.wait_event(waiter.event, timeout)
        finally:
            waiter.withdraw()
        return waiter.result()

    # Rooms

    async def enter_room(self, sid: str, room: Hashable, namespace: str | None = None) -> None:
        """
        Put a client into a room; the hooks of a room class are not called.

        Args:
            sid: The client.
            room: The room. That of a registered room class is given as itself, ``ChatRoom(5)`` or ``str(ChatRoom(5))``:
                other text that is its name is refused, for it may have come from a client.
            namespace: The namespace; None is ``"/"``, for the object of a room class where that is registered.

        Raises:
            ValueError: The room is another client's own, or text that is the name of a room of a class; the namespace
                has no slash in front.
            KeyError: The client is not connected to the namespace.
        """
        place, name = self._place(room, namespace), entered_room(room)
        if self._event_log is not None:
            self._event_log.entering(self.__fastsio__.label_of(sid), name, place)
        await self.manager.enter_room(sid, place, name)

    async def leave_room(self, sid: str, room: Hashable, namespace: str | None = None) -> None:
        """
        Take a client out of a room.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        place, name = self._place(room, namespace), plain_room(room)
        if self._event_log is not None:
            self._event_log.leaving(self.__fastsio__.label_of(sid), name, place)
        await self.manager.leave_room(sid, place, name)

    async def close_room(self, room: Hashable, namespace: str | None = None) -> None:
        """
        Take all clients out of a room.

        Raises:
            ValueError: The room is a client's own, or the namespace has no slash in front.
        """
        place, name = self._place(room, namespace), plain_room(room)
        if self._event_log is not None:
            self._event_log.closing(name, place)
        await self.manager.close_room(name, place)

    # Clients

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """
        Return a client's session.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        return self._client(sid, single_namespace(namespace)).session

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """
        Replace a client's session.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        client = self._client(sid, single_namespace(namespace))
        client.session = session
        if self.__fastsio__.recovery is not None:
            self.__fastsio__.recovery_state.changed(client)

    def session(self, sid: str, namespace: str | None = None) -> SessionContext:
        """
        Return a client's session as an asynchronous context manager that saves it at its end.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        single_namespace(namespace)  # with the call, not only when the session is read
        return SessionContext(self, sid, namespace)

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """
        End a client's connection to a namespace; its disconnect handler runs before this returns.

        Args:
            sid: The client; one that is gone is ignored. In its own connect handler it is refused.
            namespace: The namespace; None is ``"/"``.
            ignore_queue: Only if the client is one of this process.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        name = single_namespace(namespace)
        client: Client | None = self.manager.client_of(sid, name)
        if client is not None and self._event_log is not None:
            self._event_log.disconnecting(client.label, name)
        if client is not None and client.state is NamespaceState.CONNECTING:
            await self._lifecycle.dismiss(client)
            return
        is_ours = self.manager.is_connected(sid, name) if ignore_queue else await self.manager.can_disconnect(sid, name)
        if is_ours and client is not None:
            await self._lifecycle.dismiss(client)
        elif self.__fastsio__.recovery is not None:
            await self.__fastsio__.recovery.dismiss(name, sid)

    def instrument(
        self,
        auth: Any = None,
        mode: str = "development",
        read_only: bool = False,
        server_id: str | None = None,
        namespace: str = "/admin",
        server_stats_interval: float = 2,
        *,
        max_reports: int = 10_000,
        max_failed_logins: int = 5,
        max_failed_logins_per_minute: int = 100,
        max_failed_logins_overall: int = 1000,
    ) -> InstrumentedAsyncServer:
        """
        Let the Socket.IO Admin UI (https://admin.socket.io, or ``@socket.io/admin-ui``) watch and steer this server.

        Call it before the first client comes. Nothing is reported of the admin namespace itself.

        Args:
            auth: Who may: a dictionary such as ``{"username": ..., "password": ...}`` that the client must send, a
                list of them, or a callable that gets what the client sent and returns whether it is let in. False
                lets every client in.
            mode: ``"development"`` reports clients, rooms and every event; ``"production"`` only counts.
            read_only: True refuses what would emit, move clients between rooms or disconnect them.
            server_id: The name of the server in the UI; None is the host's name and the process id.
            namespace: The namespace of the interface.
            server_stats_interval: Seconds between two reports of the counts.
            max_reports: How many reports may wait to be sent; more are dropped, and a new list of all clients
                follows.
            max_failed_logins: How often one connection may give wrong credentials; then it is refused without a look.
            max_failed_logins_per_minute: How often one address may, the ``REMOTE_ADDR`` of its clients; then it is
                refused until the minute is over. For IPv6, a network of 64 bits is one address.
            max_failed_logins_overall: How often all addresses together may in a minute; then each that has not yet
                failed in it has one attempt.

        Returns:
            The interface; its ``shutdown()`` ends it.

        Raises:
            ValueError: *auth* is None, or an argument is not valid, or the server is instrumented already.
        """
        return InstrumentedAsyncServer(
            self,
            auth=auth,
            mode=mode,
            read_only=read_only,
            server_id=server_id,
            namespace=namespace,
            server_stats_interval=server_stats_interval,
            max_reports=max_reports,
            max_failed_logins=max_failed_logins,
            max_failed_logins_per_minute=max_failed_logins_per_minute,
            max_failed_logins_overall=max_failed_logins_overall,
        )

    # The methods of python-socketio that applications, test clients and add-ons override in a class, replace on an
    # object, or call. A method that is replaced is called, and the faster code for it is not used.

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Handle a new Engine.IO connection."""
        if not (self.manager_initialized or self._lifecycle.is_closed):
            self.check_handlers()
            self.manager_initialized = True
            self.manager.initialize()
            collect_less_often()
        return self._lifecycle.open(eio_sid, environ)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """Handle the end of an Engine.IO connection."""
        await self._lifecycle.close(eio_sid, reason)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        """Handle a frame of a client."""
        await self._dispatcher.receive(eio_sid, data)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Handle a CONNECT packet."""
        await self._dispatcher.handle_made_packet(eio_sid, self.packet_class(PacketType.CONNECT, data, namespace))

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        """Handle a DISCONNECT packet, or the end of the connection."""
        await self._dispatcher.handle_leave(eio_sid, namespace, reason)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Handle an EVENT packet."""
        await self._dispatcher.handle_made_packet(eio_sid, self.packet_class(PacketType.EVENT, data, namespace, id))

    async def _handle_ack(self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Handle an ACK packet."""
        await self._dispatcher.handle_made_packet(eio_sid, self.packet_class(PacketType.ACK, data, namespace, id))

    async def _handle_event_internal(
        self,
        server: Any,  # noqa: ARG002 - python-socketio's signature
        sid: str,
        eio_sid: str,
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002 - as above
    ) -> None:
        """Call the handler of an event and acknowledge what it returns."""
        await self._dispatcher.handle_event(sid, eio_sid, data, namespace, id)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """
        Call the handler of an event.

        Override it to dispatch differently.

        Args:
            event: The event.
            namespace: The namespace.
            args: The sid and what the event brought: ``environ`` and ``auth`` of a connect, ``reason`` of a disconnect.

        Returns:
            What the handler returned; ``not_handled`` without one.
        """
        return await self._dispatcher.trigger(event, namespace, args)

    async def _send_packet(self, eio_sid: str, pkt: Packet) -> None:
        """Send a Socket.IO packet to a client."""
        self._dispatcher.post(eio_sid, pkt)

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        """Send an Engine.IO packet to a client."""
        await self.eio.send_packet(eio_sid, eio_pkt)

    _own_seams: ClassVar[Mapping[str, Any]] = own_methods(SERVER_SEAMS, vars())


class SessionContext(AbstractAsyncContextManager[dict[str, Any]]):
    """Reads a session on entry and saves it on exit, also after an exception; the namespace None is ``"/"``."""

    def __init__(self, server: AsyncServer, sid: str, namespace: str | None) -> None:
        self._server = server
        self._sid = sid
        self._namespace = namespace
        self._session: dict[str, Any] = {}

    async def __aenter__(self) -> dict[str, Any]:
        self._session = await self._server.get_session(self._sid, self._namespace)
        return self._session

    async def __aexit__(self, *_exc: object) -> None:
        await self._server.save_session(self._sid, self._session, self._namespace)


# Only asyncio:
def _default_manager() -> AsyncManager:
    """Return the manager of a server that names none: one of several workers shares its clients with the others."""
    if not os.environ.get(WORKERS):
        return AsyncManager()
    from fastsio.aio.backends.local import AsyncLocalManager  # noqa: PLC0415 - most programs have one process

    return AsyncLocalManager()


# Both:
