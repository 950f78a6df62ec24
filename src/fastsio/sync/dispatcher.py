# Written by tools/unasync.py from aio/dispatcher.py; change that one.
"""
The dispatcher of the sync server: it decodes frames, calls the handlers of events, and sends answers and errors.

The hot path of the package is ``handle_message`` and ``run_event``. Decisions that can be made before an event arrives
are made elsewhere.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.emit_args import acknowledgement, unwritable
from fastsio.base.event_log import tell_unhandled
from fastsio.base.options import MAX_SMALL_BYTES, counted_bytes
from fastsio.base.seams import PACKET_SEAMS
from fastsio.engine.log_format import label
from fastsio.engine.packet import MessagePacket, frames_of
from fastsio.exceptions import EventError, PacketError
from fastsio.injection import Context
from fastsio.protocol import (
    BinaryInPayload,
    NamespaceState,
    PacketType,
    Verdict,
    ack_writer,
    binary_ack_writer,
    binary_event_reader,
    connect_writer,
    event_reader,
    on_packet,
    wire_bytes,
)
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import describe, is_expected, leading_arguments
from fastsio.routing.middleware import detached_context, event_context
from fastsio.sync import concurrency
from fastsio.sync.connection_scope import ThreadScope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.base.admin_watch import AdminWatch
    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import PartServer
    from fastsio.injection import Endpoint
    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.state import Client, Connection
    from fastsio.sync.lifecycle import Lifecycle
    from fastsio.sync.runner import HandlerRunner

# Members of an Enum are slow to reach through their class.
EVENTS: Final = (PacketType.EVENT, PacketType.BINARY_EVENT)
ACK: Final = PacketType.ACK
CONNECTED: Final = NamespaceState.CONNECTED
#: CONNECT for the root namespace without auth, as JavaScript clients send it; no packet is made of it.
PLAIN_CONNECT: Final = "0"
ROOT: Final = "/"
#: The event that an application's own ``_trigger_event`` is called for, until it calls the inherited one.
triggered: Final[ContextVar[Context | None]] = ContextVar("triggered", default=None)


class Dispatcher:
    """
    Handles the frames that Engine.IO delivers: calls handlers, and answers.

    If an application replaces a method of python-socketio, the dispatcher calls that method, and not the faster code
    that it has otherwise.
    """

    _lifecycle: Lifecycle
    _runner: HandlerRunner
    _start_event: Callable[[Connection, Client, list[Any], int | None, int], Any]

    def __init__(self, server: PartServer, shared: ServerInternals) -> None:
        self._server = server
        self._shared = shared
        self._registry = shared.registry
        self._seams = shared.seams
        self._connections = shared.connections
        self._event_log = shared.event_log
        self._observer: AdminWatch | None = None
        self._not_handled = server.not_handled
        self._message_handler: Callable[[Any, str | bytes], Any] | None = None

    def bind(self, runner: HandlerRunner, lifecycle: Lifecycle) -> None:
        """Set the parts of the server that get events and other packets from the dispatcher."""
        self._runner = runner
        self._lifecycle = lifecycle
        # Chosen here, so that events cost nothing more on a server that writes no log of them.
        self._start_event = runner.handle_event if self._event_log is None else self._handle_logged_event
        self.choose_ways()

    def choose_ways(self) -> None:
        """Decide how packets are read and written, with the methods that are replaced now and the observer of now."""
        server, replaced = self._server, self._seams.replaced
        observer = self._observer = self._shared.observer
        self._is_intercepted = not replaced.isdisjoint(PACKET_SEAMS)
        # The fast reader makes no packet object that could be passed to a method of the application.
        self._read_event = None if self._is_intercepted else event_reader(server.packet_class, self._shared.limits)
        self._read_binary_event = (
            None if self._is_intercepted else binary_event_reader(server.packet_class, self._shared.limits)
        )
        self._is_sending_replaced = "_send_packet" in replaced
        is_seen = observer is not None or self._is_sending_replaced
        self._write_ack = None if is_seen else ack_writer(server.packet_class)
        self._write_binary_ack = None if is_seen else binary_ack_writer(server.packet_class)
        self._lifecycle.replies.write_connect = None if is_seen else connect_writer(server.packet_class)
        self._runner.is_watched = bool(replaced) or observer is not None
        self._choose_message_handler()

    def _choose_message_handler(self) -> None:
        """Set the message handler of the engine: the fast one, unless a method or observer is to get each frame."""
        handler: Callable[[Any, str | bytes], Any] = self.handle_message
        if self._observer is not None:
            handler = self.handle_observed_message
        elif "_handle_eio_message" in self._seams.replaced:
            handler = self._seams.method("_handle_eio_message")
        if handler != self._message_handler:
            self._message_handler = handler
            self._server.eio.on("message", handler)

    def _handle_logged_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Any:
        """Handle an event of a connected client, and write it to the log."""
        if self._event_log is not None:
            self._event_log.received(client, data[0])
        return self._runner.handle_event(connection, client, data, ack_id, size_bytes)

    # Sending

    def send(self, eio_sid: str, packet: Packet, waits: bool = False) -> None:
        """Send a packet as :meth:`post` does, but through the application's own ``_send_packet`` if it has one."""
        if self._is_sending_replaced:
            self._seams.call("_send_packet", eio_sid, packet)
        else:
            self.post(eio_sid, packet, waits)

    def post(self, eio_sid: str, packet: Packet, waits: bool = False) -> None:
        """Send a packet as it is; with *waits*, the caller waits afterwards while the client is behind."""
        frames = frames_of(packet)
        if self._observer is not None:
            self._observer.frames_sent(frames, 1)
        self._server.eio.post(eio_sid, frames, waits)

    def send_frames(self, eio_sid: str, frames: Sequence[MessagePacket], waits: bool = False) -> None:
        """Send the frames of an emitted event, through the application's own ``_send_eio_packet`` if it has one."""
        if self._shared.shows_frames:
            for frame in frames:
                self._seams.call("_send_eio_packet", eio_sid, frame)
        else:
            self._server.eio.post(eio_sid, frames, waits)

    def reply_frames(self, eio_sid: str, frames: Sequence[MessagePacket]) -> bool:
        """Send frames as :meth:`send_frames` does, and wait while the client is behind; False if not sent."""
        if self._shared.shows_frames:
            self.send_frames(eio_sid, frames)
            return True
        engine = self._server.eio
        is_sent: bool = engine.post(eio_sid, frames, True)
        if engine.congested:
            engine.let_read((eio_sid,))
        return is_sent

    def reply(self, eio_sid: str, packet: Packet) -> Any:
        """Send the answer to a client's packet; unlike :meth:`send` this may wait until the client reads."""
        if self._is_sending_replaced:
            replying: Any = self._seams.call("_send_packet", eio_sid, packet)
            return replying
        frames = frames_of(packet)
        if self._observer is not None:
            self._observer.frames_sent(frames, 1)
        waiting: Any = self._server.eio.write(eio_sid, frames)
        return waiting

    def _acknowledge(self, client: Client, ack_id: int, result: Any) -> Any | None:
        """Acknowledge an event with its handler's result; return what to await if the client is behind, or None."""
        arguments = acknowledgement(result)
        write = self._write_ack
        session = client.connection.session
        if write is not None and session is not None and client.namespace == ROOT:
            write_binary = self._write_binary_ack
            if type(result) is bytes and write_binary is not None:
                frames = (MessagePacket(write_binary(ack_id)), MessagePacket(result))
                replying: Any = self._server.eio.write(client.eio_sid, frames)
                return replying
            try:
                text = write(ack_id, arguments)
            except BinaryInPayload:
                return self.reply(client.eio_sid, self._server.packet_class(ACK, arguments, id=ack_id, binary=True))
            except TypeError as error:
                raise unwritable(self._server.packet_class(ACK, arguments, id=ack_id), error) from error
            waiting: Any | None = session.write_text(text)
            return waiting
        return self.reply(client.eio_sid, self._server.packet_class(ACK, arguments, client.namespace, ack_id))

    # Receiving

    def receive(self, eio_sid: str, data: str | bytes) -> None:
        """Handle a frame of a client, given by the id of its connection."""
        connection = self._connections.get(eio_sid)
        if connection is not None:
            concurrency.resolved(self.handle_message(connection, data))

    def handle_observed_message(self, connection: Connection, data: str | bytes) -> Any:
        """Handle a frame of a client, and report it to the observer."""
        observer = self._observer
        if observer is not None:
            observer.frame_received(data)
        if "_handle_eio_message" in self._seams.replaced:
            handling: None = self._seams.call("_handle_eio_message", connection.eio_sid, data)
            return handling
        return self.handle_message(connection, data)

    def handle_message(self, connection: Connection, message: str | bytes) -> Any:
        """Handle a frame of a client; return what to await before the next frame is handled, or None."""
        read = self._read_event
        if read is not None and type(message) is str and connection.decoder.pending_packet is None:
            try:
                event = read(message)
            except PacketError as exc:
                return self.break_off(connection, exc.args[0])
            if event is not None:
                client = connection.clients.get(ROOT)
                if client is not None and client.state is CONNECTED:
                    data, ack_id = event
                    size = 0 if len(message) <= MAX_SMALL_BYTES else wire_bytes(message)
                    return self._start_event(connection, client, data, ack_id, size)
            elif message == PLAIN_CONNECT and ROOT not in connection.clients:
                return self._lifecycle.handle_connect(connection, ROOT, None)
        return self._handle_frame(connection, message)

    def _handle_frame(self, connection: Connection, message: str | bytes) -> Any:
        """Handle a frame that the fast path does not handle."""
        read = self._read_binary_event
        if read is not None and type(message) is str and connection.decoder.pending_packet is None:
            event = read(message)
            if event is not None:
                connection.decoder.expect(event, wire_bytes(message))
                return self._expect_attachments(connection)
        try:
            packet = connection.decoder.feed(message)
        except PacketError as exc:
            return self.break_off(connection, exc.args[0])
        if packet is None:
            return self._expect_attachments(connection)
        if self._is_intercepted:
            return self._pass_through(connection, packet)
        return self._handle_whole_packet(connection, packet)

    def _handle_whole_packet(self, connection: Connection, packet: Packet) -> Any:
        client = connection.clients.get(packet.namespace or ROOT)
        if client is None or client.state is not CONNECTED or packet.packet_type not in EVENTS:
            return self._handle_packet(connection, client, packet)
        if connection.timer_key:
            self._lifecycle.stop_watching(connection)
        return self._start_event(
            connection, client, packet.data, packet.id, counted_bytes(connection.decoder.packet_bytes)
        )

    def _pass_through(self, connection: Connection, packet: Packet) -> None:
        """Call the method for a packet, which may be the application's; fastsio's own method handles the packet."""
        if packet.attachments:
            self._lifecycle.attachments_arrived(connection)
        # As python-socketio gives it: None for the root.
        eio_sid, namespace = connection.eio_sid, packet.namespace
        match packet.packet_type:
            case PacketType.CONNECT:
                self._seams.call("_handle_connect", eio_sid, namespace, packet.data)
            case PacketType.DISCONNECT:
                self._seams.call("_handle_disconnect", eio_sid, namespace, Reasons.CLIENT_DISCONNECT)
            case PacketType.EVENT | PacketType.BINARY_EVENT:
                self._seams.call("_handle_event", eio_sid, namespace, packet.id, packet.data)
            case PacketType.ACK | PacketType.BINARY_ACK:
                self._seams.call("_handle_ack", eio_sid, namespace, packet.id, packet.data)
            case _:
                concurrency.resolved(self._handle_whole_packet(connection, packet))

    def handle_made_packet(self, eio_sid: str, packet: Packet) -> None:
        """Handle a packet as if the client of a connection had sent it."""
        connection = self._connections.get(eio_sid)
        if connection is not None:
            concurrency.resolved(self._handle_whole_packet(connection, packet))

    def handle_leave(self, eio_sid: str, namespace: str | None, reason: str | None) -> None:
        """Handle a DISCONNECT as if the client of a connection had sent it, or the end of a connection that is lost."""
        connection = self._connections.get(eio_sid)
        if connection is None:
            return
        client = connection.clients.get(namespace or ROOT)
        if not connection.is_lost:
            self.handle_made_packet(eio_sid, self._server.packet_class(PacketType.DISCONNECT, None, namespace))
        elif client is not None:
            self._lifecycle.leave(client, reason or Reasons.CLIENT_DISCONNECT)

    def _handle_packet(self, connection: Connection, client: Client | None, packet: Packet) -> Any:
        """Handle any packet but an event of a connected client, as the table of the lifecycle says."""
        if packet.attachments:
            self._lifecycle.attachments_arrived(connection)
        state = NamespaceState.NONE if client is None else client.state
        verdict = on_packet(state, packet.packet_type, always_connect=self._server.always_connect)
        match verdict:
            case Verdict.CONNECT:
                return self._lifecycle.handle_connect(connection, packet.namespace or ROOT, packet.data)
            case Verdict.CLOSE:
                name = PacketType(packet.packet_type).name
                return self.break_off(connection, f"{name} is not allowed in a namespace that is {state.value}")
            case Verdict.IGNORE:
                self._server.logger.debug(
                    "%s: packet of a namespace that is %s ignored", label(connection.eio_sid), state.value
                )
            case _ if client is not None:
                return self._handle_known(connection, client, packet, verdict)
        return None

    def _handle_known(self, connection: Connection, client: Client, packet: Packet, verdict: Verdict) -> None:
        match verdict:
            case Verdict.ACKNOWLEDGE:
                self._handle_ack(client, packet)
            case Verdict.LEAVE:
                self._runner.call_unbroken(self._lifecycle.leave, client, Reasons.CLIENT_DISCONNECT)
            case Verdict.REJOIN:
                self._lifecycle.rejoin(client, packet.data)
            case Verdict.HOLD:
                self._lifecycle.hold(client, packet)
            case Verdict.DISPATCH:
                self._runner.start_held(client, packet, counted_bytes(connection.decoder.packet_bytes))

    def _expect_attachments(self, connection: Connection) -> Any:
        """Check the first frame of a binary packet before its attachments arrive (CVE-2026-48804)."""
        packet = connection.decoder.pending_packet
        if packet is None:
            return None
        client = connection.clients.get(packet.namespace or ROOT)
        if client is None:
            return self.break_off(connection, "binary packet before CONNECT")
        self._lifecycle.watch_attachments(connection)
        return None

    def break_off(self, connection: Connection, why: str) -> None:
        """Close the connection of a client that broke the protocol."""
        self._server.logger.warning("%s: connection closed: %s", label(connection.eio_sid), why)
        connection.decoder.reset()
        if connection.session is not None:
            connection.session.broke_protocol = True
        self._server.eio.close_client(connection.eio_sid, Reasons.TRANSPORT_ERROR)

    def trigger_method(self, handler: Any, event: str, args: tuple[Any, ...]) -> Any:
        """Call the method of a class-based namespace for an event, for ``trigger_event()``."""
        endpoint = self._registry.method_endpoint(handler, event)
        if endpoint is None:
            return None
        namespace, sid, *rest = args if handler.namespace == "*" else (handler.namespace, *args)
        client = self._find_client(sid, namespace)
        if client is None:
            return concurrency.resolved(endpoint.handler(*args))
        context = event_context(self._server, client, event, rest)
        try:
            return endpoint.call_sync(context)
        finally:
            context.close()

    def _find_client(self, sid: str, namespace: str) -> Client | None:
        client: Client | None = self._server.manager.client_of(sid, namespace)
        return client

    def _handle_ack(self, client: Client, packet: Packet) -> None:
        ack_id = packet.id
        if ack_id is None:  # the decoder refuses such packets
            return
        if self._event_log is not None:
            self._event_log.acknowledged(client)
        try:
            self._server.manager.trigger_callback(client.sid, ack_id, packet.data)
        except (Exception, concurrency.Cancelled) as error:
            failure = concurrency.failure_of(error)
            self._server.logger.exception(
                "%s: error in the callback of an acknowledgement", client.label, exc_info=failure
            )

    def handle_event(self, sid: str, eio_sid: str, data: list[Any], namespace: str, ack_id: int | None) -> None:
        """Call the handler of an event and acknowledge what it returns."""
        client = self._find_client(sid, namespace)
        if client is None or client.eio_sid != eio_sid:
            return
        route = self.find_route(namespace, data[0])
        if route is None:
            tell_unhandled(self._registry, self._server.logger, data[0], namespace)
        else:
            self.run_event(client, route, data, ack_id)

    def find_route(self, namespace: str, event: str) -> Route | None:
        """Return the route of an event, through the application's own ``_trigger_event`` if it has one."""
        route = self._registry.resolve(namespace, event)
        if "_trigger_event" in self._seams.replaced:
            return (route or self._registry.no_route).through(self._call_trigger)
        return route

    def _call_trigger(self, context: Context) -> Any:
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
            return concurrency.resolved(
                self._seams.call("_trigger_event", context.event, client.namespace, client.sid, *arguments)
            )
        finally:
            triggered.reset(token)

    def trigger(self, event: str, namespace: str, args: tuple[Any, ...]) -> Any:
        """Call the handler of an event; within the application's ``_trigger_event``, with the event's own context."""
        namespace = namespace or ROOT
        route = self._registry.resolve(namespace, event)
        if route is None:
            return self._not_handled
        sid, *rest = args or ("",)
        context = triggered.get()
        if context is not None and (context.event, context.client.namespace, context.client.sid) == (
            event,
            namespace,
            sid,
        ):
            if event not in self._server.reserved_events:
                context.args = tuple(rest)
            return self._call_route(route, context, args)
        client = self._find_client(sid, namespace)
        view: Any = self._stranger(event, namespace, sid, rest) if client is None else client
        context = event_context(self._server, view, event, rest)
        failure: BaseException | None = None
        try:
            return self._call_route(route, context, args)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            self.close_context(context, failure)
            if client is None:
                view.scope_store.close()

    def _call_route(self, route: Route, context: Context, args: tuple[Any, ...]) -> Any:
        if not route.is_plain:
            return route.call(context)
        prefix = leading_arguments(route.prefix, context.event, context.client.namespace)
        return concurrency.resolved(route.handler(*prefix, *args))

    def _stranger(self, event: str, namespace: str, sid: str, args: Sequence[Any]) -> Any:
        """Return a stand-in for the client of an event that no client has sent, but a test or another handler."""
        environ, *auth = args if event == "connect" and args else ({},)
        view: Any = detached_context(
            event, sid, None, namespace=namespace, environ=environ, auth=auth[0] if auth else None
        ).client
        view.scope_store = ThreadScope(self._server)
        return view

    def run_event(self, client: Client, route: Route, data: list[Any], ack_id: int | None) -> None:
        """Call the handler of an event, and answer: with what it returns, or with what it raised."""
        event, context = data[0], None
        failure: BaseException | None = None
        try:
            if route.is_plain:
                handler = route.handler
                if route.prefix:
                    result = handler(*leading_arguments(route.prefix, event, client.namespace), client.sid, *data[1:])
                else:
                    result = handler(client.sid, *data[1:])
                # A plain function around a coroutine function returns a coroutine too.
                if type(result) is CoroutineType:
                    concurrency.refuse_coroutine(result, route.endpoint.label)
            else:
                context = Context(self._server, client, event, tuple(data[1:]))
                call = route.call
                result = call(context)
            if (
                ack_id is not None
                and result is not self._not_handled
                and (waiting := self._acknowledge(client, ack_id, result)) is not None  # few clients are behind
            ):
                concurrency.resolved(waiting)
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - a handler's failure is not the connection's
            failure = error = concurrency.failure_of(exc)
            context = context or Context(self._server, client, event, tuple(data[1:]))
            self._answer_failure(error, route, context, ack_id)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if context is not None and context.stack is not None:
                self.close_context(context, failure)

    def close_context(self, context: Context, exc: BaseException | None) -> None:
        """Run the code after the ``yield`` of the event's dependencies."""
        try:
            context.close(exc)
        except (Exception, concurrency.Cancelled) as raised:
            if raised is not exc:
                failure = concurrency.failure_of(raised)
                self._server.logger.exception("error while closing a dependency of %s", context.event, exc_info=failure)

    # Failures

    def _answer_failure(self, exc: Exception, route: Route, context: Context, ack_id: int | None) -> None:
        """
        Answer a failed event, for which the client waits with *ack_id* or not.

        Its dependencies are closed first, because one of them may raise another exception to answer with. The result of
        an exception handler is the acknowledgement. Without one the client gets the error object: as the
        acknowledgement if it asked for one, otherwise as ``error`` event. The failure of a plain handler, which
        python-socketio does not answer, is not answered. If a test client has replaced ``_send_packet``, that failure
        is raised, so that the test fails.
        """
        exc = context.fail(exc)
        endpoint = self._registry.exception_endpoint(exc, route.scopes)
        client: Any = context.client
        try:
            if endpoint is not None:
                self._answer_by_handler(exc, endpoint, context, ack_id)
                return
            is_answered = self._answer_by_vocabulary(exc, route, context, ack_id)
        except Exception:
            self._server.logger.exception("%s: the failure of %s could not be answered", client.label, context.event)
            return
        if not is_answered and self._seams.is_on_object("_send_packet"):
            raise exc

    def run_exception_handler(self, endpoint: Endpoint, context: Context, exc: Exception) -> Any:
        """Call an exception handler for *exc*."""
        context.exc = exc
        return concurrency.outcome(endpoint.call_sync(context))

    def _answer_by_handler(self, exc: Exception, endpoint: Endpoint, context: Context, ack_id: int | None) -> None:
        try:
            result = self.run_exception_handler(endpoint, context, exc)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the client is answered
            self._log_failure(raised, context.event)
            self._send_error(describe(raised, context.event).as_dict(), context, ack_id)
            return
        if ack_id is not None:
            self._acknowledge_failure(acknowledgement(result), context, ack_id)

    def _answer_by_vocabulary(self, exc: Exception, route: Route, context: Context, ack_id: int | None) -> bool:
        """Answer with the error object; return False if python-socketio, and so fastsio, sends no answer."""
        if not is_expected(exc) or route.is_silent:
            self._log_failure(exc, context.event)
        if route.is_silent and not isinstance(exc, EventError):
            return False
        self._send_error(describe(exc, context.event).as_dict(), context, ack_id)
        return True

    def _send_error(self, error: dict[str, Any], context: Context, ack_id: int | None) -> None:
        if ack_id is not None:
            self._acknowledge_failure([{"error": error}], context, ack_id)
            return
        client: Any = context.client
        packet = self._server.packet_class(PacketType.EVENT, ["error", error], client.namespace)
        self.reply(client.eio_sid, packet)

    def _acknowledge_failure(self, arguments: list[Any], context: Context, ack_id: int) -> None:
        client: Any = context.client
        self.reply(client.eio_sid, self._server.packet_class(PacketType.ACK, arguments, client.namespace, ack_id))

    def _log_failure(self, exc: BaseException, what: str) -> None:
        self._server.logger.error("error in the handler of %s", what, exc_info=exc)
