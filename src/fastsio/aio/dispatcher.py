"""
The receiving half of the asyncio server: frames in, handlers called, answers and errors out.

The hot path of the package is ``_take_message`` and ``_run_event``; whatever can be decided before an event arrives is
decided elsewhere.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.aio.engine import EngineServer, MessagePacket
from fastsio.aio.lifecycle import Lifecycle
from fastsio.aio.manager import AsyncManager
from fastsio.aio.runner import HandlerRunner
from fastsio.base.emit_args import acknowledgement, unwritable
from fastsio.base.event_log import tell_unhandled
from fastsio.base.options import MAX_SMALL_BYTES, counted_bytes
from fastsio.base.seams import PACKET_SEAMS, SERVER_SEAMS, own_methods
from fastsio.base.server import BaseServer
from fastsio.engine.log_format import label
from fastsio.exceptions import EventError, PacketError
from fastsio.injection import Context
from fastsio.protocol import (
    BinaryInPayload,
    NamespaceState,
    PacketType,
    Verdict,
    ack_writer,
    connect_writer,
    event_reader,
    on_packet,
    wire_bytes,
)
from fastsio.routing import describe, is_expected, leading
from fastsio.routing.middleware import detached_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fastsio.base.observer import Observer
    from fastsio.injection import Endpoint
    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.state import Client, Connection

# Members of an Enum are slow to reach through their class.
EVENTS: Final = (PacketType.EVENT, PacketType.BINARY_EVENT)
ACK: Final = PacketType.ACK
CONNECTED: Final = NamespaceState.CONNECTED
ROOT: Final = "/"
#: The event that an application's own ``_trigger_event`` is called for, until it calls the inherited one.
triggered: Final[ContextVar[Context | None]] = ContextVar("triggered", default=None)


class PacketServer(BaseServer):
    """
    Takes what Engine.IO delivers and calls handlers.

    The underscored names of :mod:`fastsio.base.seams` are python-socketio's: applications, test clients and add-ons
    override them in a class or replace them on an object. What is replaced is called in place of the short ways.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Frames are handed over one after the other; tasks are started here.
        self.eio = EngineServer(**{**self._engine_options, "async_handlers": False})
        self.eio.on("connect", self._handle_eio_connect)
        self.eio.receivers = frozenset({self._take_message, self._take_observed_message})
        self.eio.on("message", self._message_handler())
        self.eio.on("disconnect", self._handle_eio_disconnect)
        self.async_mode = self.eio.async_mode
        if self.manager is None:
            self.manager = AsyncManager()
        self.manager.set_server(self)
        self._runner = HandlerRunner(self)
        self._lifecycle = Lifecycle(self, self._runner)
        self._take_event = self._runner.take_event
        self._on_replaced(self._replaced)
        if self._event_log is not None:
            # In the place of the other, so that events cost nothing more while nobody reads of them.
            self._take_event = self._take_logged_event

    def _take_logged_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Awaitable[None] | None:
        """Take an event of a connected client, and write that it has come."""
        if self._event_log is not None:
            self._event_log.received(client, data[0])
        return self._runner.take_event(connection, client, data, ack_id, size_bytes)

    # Running

    def _start_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start what belongs to a client's life; shutdown waits for it as for a handler."""
        return self._runner.start_task(target, *args, **kwargs)

    async def run_callback(self, sid: str, callback: Any, arguments: list[Any]) -> None:
        """Call what waited for an acknowledgement."""
        await self._runner.run_callback(sid, callback, arguments)

    # Observing

    def _observe(self, observer: Observer | None) -> None:
        """Tell *observer* what happens from now on; None ends it."""
        self._observer = observer
        # The ways are chosen here, so that frames cost nothing more while nobody counts them.
        self.eio.on("message", self._message_handler())
        self._on_replaced(self._replaced)

    def _message_handler(self) -> Callable[[Any, str | bytes], Any]:
        """Return what takes frames: the short way, unless an application has its own or an observer counts them."""
        if self._observer is not None:
            return self._take_observed_message
        if "_handle_eio_message" in self._replaced:
            return self._handle_eio_message
        return self._take_message

    def _on_replaced(self, replaced: frozenset[str]) -> None:
        has_changed = ("_handle_eio_message" in replaced) is not ("_handle_eio_message" in self._replaced)
        super()._on_replaced(replaced)
        if has_changed:
            self.eio.on("message", self._message_handler())
        is_intercepted = not replaced.isdisjoint(PACKET_SEAMS)
        # What is read in one go has no packet that could be shown to anybody.
        self._read_event = None if is_intercepted else event_reader(self.packet_class, self.limits)
        is_seen = self._observer is not None or "_send_packet" in replaced
        self._write_ack = None if is_seen else ack_writer(self.packet_class)
        self._lifecycle.write_connect = None if is_seen else connect_writer(self.packet_class)

    def _take_observed_message(self, connection: Connection, data: str | bytes) -> Awaitable[None] | None:
        """Take a frame of a client, and tell the observer of it."""
        observer = self._observer
        if observer is not None:
            observer.frame_received(data)
        if "_handle_eio_message" in self._replaced:
            return self._handle_eio_message(connection.eio_sid, data)
        return self._take_message(connection, data)

    # Sending

    def frames_of(self, packet: Packet) -> list[MessagePacket]:
        """Encode a packet into Engine.IO messages, its text first and its attachments after it."""
        try:
            encoded = packet.encode()
        except TypeError as error:
            raise unwritable(packet, error) from error
        if isinstance(encoded, list):
            return [MessagePacket(frame) for frame in encoded]
        return [MessagePacket(encoded)]

    async def send_frames(self, eio_sid: str, frames: Sequence[MessagePacket], waits: bool = False) -> None:
        """
        Send the frames of an emitted event, through the seam that test clients replace if one has.

        Args:
            eio_sid: The client.
            frames: The frames.
            waits: Whether the caller waits afterwards while the client is behind.
        """
        if "_send_eio_packet" in self._replaced:
            for frame in frames:
                await self._send_eio_packet(eio_sid, frame)
        else:
            self.eio.post(eio_sid, frames, waits)

    async def send_packet(self, eio_sid: str, packet: Packet, waits: bool = False) -> None:
        """Send the packet of an emitted event as :meth:`send_frames` does, through the seam for packets."""
        if "_send_packet" in self._replaced:
            await self._send_packet(eio_sid, packet)
            return
        frames = self.frames_of(packet)
        if self._observer is not None:
            self._observer.frames_sent(frames, 1)
        self.eio.post(eio_sid, frames, waits)

    async def _send_packet(self, eio_sid: str, pkt: Packet) -> None:
        """Send a Socket.IO packet to a client."""
        frames = self.frames_of(pkt)
        if self._observer is not None:
            self._observer.frames_sent(frames, 1)
        self.eio.post(eio_sid, frames)

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        """Send an Engine.IO packet to a client."""
        await self.eio.send_packet(eio_sid, eio_pkt)

    def reply(self, eio_sid: str, packet: Packet) -> Awaitable[Any]:
        """Send the answer to a client's packet; unlike :meth:`send_frames` this may wait until the client reads."""
        if "_send_packet" in self._replaced:
            return self._send_packet(eio_sid, packet)
        frames = self.frames_of(packet)
        if self._observer is not None:
            self._observer.frames_sent(frames, 1)
        waiting: Awaitable[Any] = self.eio.write(eio_sid, frames)
        return waiting

    def _acknowledge(self, client: Client, ack_id: int, result: Any) -> Awaitable[Any] | None:
        """Send what an event's handler returned; return what to wait for while the client is behind, if it is."""
        arguments = acknowledgement(result)
        write = self._write_ack
        session = client.connection.session
        if write is not None and session is not None and client.namespace == ROOT:
            try:
                text = write(ack_id, arguments)
            except BinaryInPayload:
                return self.reply(client.eio_sid, self.packet_class(ACK, arguments, id=ack_id, binary=True))
            except TypeError as error:
                raise unwritable(self.packet_class(ACK, arguments, id=ack_id), error) from error
            waiting: Awaitable[Any] | None = session.write_text(text)
            return waiting
        return self.reply(client.eio_sid, self.packet_class(ACK, arguments, client.namespace, ack_id))

    # Receiving

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Take a new Engine.IO connection."""
        return self._lifecycle.open(eio_sid, environ)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """Take the end of an Engine.IO connection."""
        await self._lifecycle.close(eio_sid, reason)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        """Take a frame of a client, as python-socketio's method of this name does."""
        connection = self._connections.get(eio_sid)
        if connection is not None:
            await concurrency.resolved(self._take_message(connection, data))

    def _take_message(self, connection: Connection, message: str | bytes) -> Awaitable[None] | None:
        """Take a frame of a client; the next may be taken when what is returned, if anything, is over."""
        read = self._read_event
        if read is not None and type(message) is str and connection.decoder.pending_packet is None:
            try:
                event = read(message)
            except PacketError as exc:
                return self._break_off(connection, exc.args[0])
            if event is not None:
                client = connection.clients.get(ROOT)
                if client is not None and client.state is CONNECTED:
                    data, ack_id = event
                    size = 0 if len(message) <= MAX_SMALL_BYTES else wire_bytes(message)
                    return self._take_event(connection, client, data, ack_id, size)
        return self._take_packet(connection, message)

    def _take_packet(self, connection: Connection, message: str | bytes) -> Awaitable[None] | None:
        """Handle a frame that the fast path does not take."""
        try:
            packet = connection.decoder.feed(message)
        except PacketError as exc:
            return self._break_off(connection, exc.args[0])
        if packet is None:
            return self._expect_attachments(connection)
        if self._replaced and not self._replaced.isdisjoint(PACKET_SEAMS):
            return self._pass_through(connection, packet)
        return self._take_whole_packet(connection, packet)

    def _take_whole_packet(self, connection: Connection, packet: Packet) -> Awaitable[None] | None:
        client = connection.clients.get(packet.namespace or ROOT)
        if client is None or client.state is not CONNECTED or packet.packet_type not in EVENTS:
            return self._handle_packet(connection, client, packet)
        if connection.timer_key:
            self._lifecycle.attachments_arrived(connection)
        return self._take_event(
            connection, client, packet.data, packet.id, counted_bytes(connection.decoder.packet_bytes)
        )

    async def _pass_through(self, connection: Connection, packet: Packet) -> None:
        """Show a packet to the methods of the application first; what they call of fastsio's does the rest."""
        if packet.attachments:
            self._lifecycle.attachments_arrived(connection)
        # As python-socketio gives it: None for the root.
        eio_sid, namespace = connection.eio_sid, packet.namespace
        match packet.packet_type:
            case PacketType.CONNECT:
                await self._handle_connect(eio_sid, namespace, packet.data)
            case PacketType.DISCONNECT:
                await self._handle_disconnect(eio_sid, namespace, self.reason.CLIENT_DISCONNECT)
            case PacketType.EVENT | PacketType.BINARY_EVENT:
                await self._handle_event(eio_sid, namespace, packet.id, packet.data)
            case PacketType.ACK | PacketType.BINARY_ACK:
                await self._handle_ack(eio_sid, namespace, packet.id, packet.data)
            case _:
                await concurrency.resolved(self._take_whole_packet(connection, packet))

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Take a CONNECT packet, as python-socketio's method of this name does."""
        await self._take_made_packet(eio_sid, self.packet_class(PacketType.CONNECT, data, namespace))

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        """Take a DISCONNECT packet, or the end of the connection, likewise."""
        connection = self._connections.get(eio_sid)
        if connection is None:
            return
        client = connection.clients.get(namespace or ROOT)
        if connection.is_lost and client is not None:
            await self._lifecycle.leave(client, reason or self.reason.CLIENT_DISCONNECT)
        elif not connection.is_lost:
            await self._take_made_packet(eio_sid, self.packet_class(PacketType.DISCONNECT, None, namespace))

    async def _handle_event(
        self,
        eio_sid: str,
        namespace: str | None,
        id: int | None,  # noqa: A002 - python-socketio's signature
        data: list[Any],
    ) -> None:
        """Take an EVENT packet, likewise."""
        await self._take_made_packet(eio_sid, self.packet_class(PacketType.EVENT, data, namespace, id))

    async def _handle_ack(
        self,
        eio_sid: str,
        namespace: str | None,
        id: int | None,  # noqa: A002 - python-socketio's signature
        data: list[Any],
    ) -> None:
        """Take an ACK packet, likewise."""
        await self._take_made_packet(eio_sid, self.packet_class(PacketType.ACK, data, namespace, id))

    async def _take_made_packet(self, eio_sid: str, packet: Packet) -> None:
        connection = self._connections.get(eio_sid)
        if connection is not None:
            await concurrency.resolved(self._take_whole_packet(connection, packet))

    def _handle_packet(self, connection: Connection, client: Client | None, packet: Packet) -> Awaitable[None] | None:
        """Do what the lifecycle says about any packet but an event of a connected client."""
        if packet.attachments:
            self._lifecycle.attachments_arrived(connection)
        state = NamespaceState.NONE if client is None else client.state
        verdict = on_packet(state, packet.packet_type, always_connect=self.always_connect)
        match verdict:
            case Verdict.CONNECT:
                return self._lifecycle.take(connection, packet.namespace or ROOT, packet.data)
            case Verdict.CLOSE:
                name = PacketType(packet.packet_type).name
                return self._break_off(connection, f"{name} is not allowed in a namespace that is {state.value}")
            case Verdict.IGNORE:
                self.logger.debug(
                    "%s: packet of a namespace that is %s ignored", label(connection.eio_sid), state.value
                )
            case _ if client is not None:
                return self._handle_known(connection, client, packet, verdict)
        return None

    async def _handle_known(self, connection: Connection, client: Client, packet: Packet, verdict: Verdict) -> None:
        match verdict:
            case Verdict.ACKNOWLEDGE:
                await self._take_ack(client, packet)
            case Verdict.LEAVE:
                await self._runner.call_unbroken(self._lifecycle.leave, client, self.reason.CLIENT_DISCONNECT)
            case Verdict.REJOIN:
                await self._lifecycle.rejoin(client, packet.data)
            case Verdict.HOLD:
                await self._lifecycle.hold(client, packet)
            case Verdict.DISPATCH:
                self._runner.start_held(client, packet, counted_bytes(connection.decoder.packet_bytes))

    def _expect_attachments(self, connection: Connection) -> Awaitable[None] | None:
        """Judge the head of a binary packet before its attachments arrive (CVE-2026-48804)."""
        packet = connection.decoder.pending_packet
        if packet is None:
            return None
        client = connection.clients.get(packet.namespace or ROOT)
        if client is None:
            return self._break_off(connection, "binary packet before CONNECT")
        self._lifecycle.watch_attachments(connection)
        return None

    async def _break_off(self, connection: Connection, why: str) -> None:
        """Close the connection of a client that broke the protocol."""
        self.logger.warning("%s: connection closed: %s", label(connection.eio_sid), why)
        connection.decoder.reset()
        await self.eio.close_client(connection.eio_sid, self.reason.TRANSPORT_ERROR)

    async def trigger_method(self, handler: Any, event: str, args: tuple[Any, ...]) -> Any:
        """Call the method of a class-based namespace for an event that its own dispatcher passed on."""
        endpoint = self._registry.method_endpoint(handler, event)
        if endpoint is None:
            return None
        namespace, sid, *rest = args if handler.namespace == "*" else (handler.namespace, *args)
        client = self._find_client(sid, namespace)
        if client is None:
            return await concurrency.resolved(endpoint.handler(*args))
        context = event_context(self, client, event, rest)
        try:
            return await endpoint.call(context)
        finally:
            await context.aclose()

    def _find_client(self, sid: str, namespace: str) -> Client | None:
        client: Client | None = self.manager.client_of(sid, namespace)
        return client

    async def _take_ack(self, client: Client, packet: Packet) -> None:
        ack_id = packet.id
        if ack_id is None:  # the decoder lets none through
            return
        if self._event_log is not None:
            self._event_log.acknowledged(client)
        try:
            await self.manager.trigger_callback(client.sid, ack_id, packet.data)
        except (Exception, concurrency.Cancelled) as error:
            failure = concurrency.failure_of(error)
            self.logger.exception("%s: error in the callback of an acknowledgement", client.label, exc_info=failure)

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
        client = self._find_client(sid, namespace)
        if client is None or client.eio_sid != eio_sid:
            return
        route = self._find_route(namespace, data[0])
        if route is None:
            tell_unhandled(self, data[0], namespace)
        else:
            await self._run_event(client, route, data, id)

    def _find_route(self, namespace: str, event: str) -> Route | None:
        """Return the route of an event, through the application's own ``_trigger_event`` if it has one."""
        route = self._registry.resolve(namespace, event)
        if "_trigger_event" in self._replaced:
            return (route or self._registry.no_route).through(self._call_trigger)
        return route

    async def _call_trigger(self, context: Context) -> Any:
        """Call the application's own dispatcher for an event."""
        client = context.client
        match context.event:
            case "connect":
                arguments = (client.environ, *context.args)
            case "disconnect":
                arguments = (context.reason,)
            case _:
                arguments = context.args
        token = triggered.set(context)
        try:
            return await concurrency.resolved(
                self._trigger_event(context.event, client.namespace, client.sid, *arguments)
            )
        finally:
            triggered.reset(token)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """
        Call the handler of an event, as python-socketio's method of this name does.

        Override it to dispatch differently.

        Args:
            event: The event.
            namespace: The namespace.
            args: The sid and what the event brought: ``environ`` and ``auth`` of a connect, ``reason`` of a disconnect.

        Returns:
            What the handler returned; ``not_handled`` without one.
        """
        namespace = namespace or ROOT
        route = self._registry.resolve(namespace, event)
        if route is None:
            return self.not_handled
        sid, *rest = args or ("",)
        context = triggered.get()
        if context is not None and (context.event, context.client.namespace, context.client.sid) == (
            event,
            namespace,
            sid,
        ):
            if event not in self.reserved_events:
                context.args = tuple(rest)
            return await self._call_route(route, context, args)
        client = self._find_client(sid, namespace)
        view: Any = self._stranger(event, namespace, sid, rest) if client is None else client
        context = event_context(self, view, event, rest)
        failure: BaseException | None = None
        try:
            return await self._call_route(route, context, args)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            await self._close_context(context, failure)
            if client is None:
                await view.scope_store.aclose()

    async def _call_route(self, route: Route, context: Context, args: tuple[Any, ...]) -> Any:
        if not route.is_plain:
            return await route.call(context)
        prefix = leading(route.prefix, context.event, context.client.namespace)
        return await concurrency.resolved(route.handler(*prefix, *args))

    def _stranger(self, event: str, namespace: str, sid: str, args: Sequence[Any]) -> Any:
        """Return what stands for the client of an event that none sent: a test or another handler triggers it."""
        environ, *auth = args if event == "connect" and args else ({},)
        view: Any = detached_context(
            event, sid, None, namespace=namespace, environ=environ, auth=auth[0] if auth else None
        ).client
        view.scope_store = self._lifecycle._new_scope()
        return view

    async def _run_event(self, client: Client, route: Route, data: list[Any], ack_id: int | None) -> None:
        event, context = data[0], None
        failure: BaseException | None = None
        try:
            if route.is_plain:
                handler = route.handler
                if route.prefix:
                    result = handler(*leading(route.prefix, event, client.namespace), client.sid, *data[1:])
                else:
                    result = handler(client.sid, *data[1:])
                # A plain function around a coroutine function returns a coroutine too.
                if route.is_coroutine or type(result) is CoroutineType:
                    result = await result
            else:
                context = Context(self, client, event, tuple(data[1:]))
                call = route.call
                result = await call(context)
            if (
                ack_id is not None
                and result is not self.not_handled
                and (waiting := self._acknowledge(client, ack_id, result)) is not None  # few clients are behind
            ):
                await concurrency.resolved(waiting)
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - a handler's failure is not the connection's
            failure = error = concurrency.failure_of(exc)
            context = context or Context(self, client, event, tuple(data[1:]))
            await self._answer_failure(error, route, context, ack_id)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if context is not None and context.stack is not None:
                await self._close_context(context, failure)

    async def _close_context(self, context: Context, exc: BaseException | None) -> None:
        """Run what follows the ``yield`` of the event's dependencies."""
        try:
            await context.aclose(exc)
        except (Exception, concurrency.Cancelled) as raised:
            if raised is not exc:
                failure = concurrency.failure_of(raised)
                self.logger.exception("error while closing a dependency of %s", context.event, exc_info=failure)

    # Failures

    async def _answer_failure(self, exc: Exception, route: Route, context: Context, ack_id: int | None) -> None:
        """
        Answer a failed event.

        What its dependencies opened is closed first: one of them may raise what the client is to read. An exception
        handler's result is the acknowledgement. Without one the client gets the error object, as acknowledgement if it
        asked for one and as ``error`` event otherwise; a plain handler, which python-socketio would leave without an
        answer, is left without one.

        Args:
            exc: What was raised.
            route: What was called.
            context: The event.
            ack_id: The acknowledgement the client waits for, or None.

        Raises:
            Exception: *exc*, unanswered, where a test client plays the client: the test is to fail of it.
        """
        exc = await context.afail(exc)
        endpoint = self._registry.exception_endpoint(exc, route.scopes)
        client: Any = context.client
        try:
            if endpoint is not None:
                await self._answer_by_handler(exc, endpoint, context, ack_id)
                return
            is_answered = await self._answer_by_vocabulary(exc, route, context, ack_id)
        except Exception:
            self.logger.exception("%s: the failure of %s could not be answered", client.label, context.event)
            return
        if not is_answered and "_send_packet" in vars(self):
            raise exc

    async def _run_exception_handler(self, endpoint: Endpoint, context: Context, exc: Exception) -> Any:
        """Call an exception handler for *exc*."""
        context.exc = exc
        return await concurrency.outcome(endpoint.call(context))

    async def _answer_by_handler(
        self, exc: Exception, endpoint: Endpoint, context: Context, ack_id: int | None
    ) -> None:
        try:
            result = await self._run_exception_handler(endpoint, context, exc)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the client is answered
            self._log_failure(raised, context.event)
            await self._send_error(describe(raised, context.event).as_dict(), context, ack_id)
            return
        if ack_id is not None:
            await self._acknowledge_failure(acknowledgement(result), context, ack_id)

    async def _answer_by_vocabulary(self, exc: Exception, route: Route, context: Context, ack_id: int | None) -> bool:
        """Answer with the error object, unless python-socketio would not answer; tell whether that was done."""
        if not is_expected(exc) or route.is_silent:
            self._log_failure(exc, context.event)
        if route.is_silent and not isinstance(exc, EventError):
            return False
        await self._send_error(describe(exc, context.event).as_dict(), context, ack_id)
        return True

    async def _send_error(self, error: dict[str, Any], context: Context, ack_id: int | None) -> None:
        if ack_id is not None:
            await self._acknowledge_failure([{"error": error}], context, ack_id)
            return
        client: Any = context.client
        packet = self.packet_class(PacketType.EVENT, ["error", error], client.namespace)
        await self.reply(client.eio_sid, packet)

    async def _acknowledge_failure(self, arguments: list[Any], context: Context, ack_id: int) -> None:
        client: Any = context.client
        await self.reply(client.eio_sid, self.packet_class(PacketType.ACK, arguments, client.namespace, ack_id))

    def _log_failure(self, exc: BaseException, what: str) -> None:
        self.logger.error("error in the handler of %s", what, exc_info=exc)


#: Marks where this half's own methods are, so that those of applications are told from them.
PacketServer._own_seams = own_methods(PacketServer, SERVER_SEAMS)


def event_context(server: PacketServer, client: Client, event: str, args: Sequence[Any]) -> Context:
    """Return the context of an event from the positional arguments its handler gets after the sid."""
    match event:
        case "connect":
            return Context(server, client, event, (client.auth,))
        case "disconnect":
            return Context(server, client, event, (), args[0] if args else None)
        case _:
            return Context(server, client, event, tuple(args))
