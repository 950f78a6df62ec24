# Written by tools/unasync.py from aio/client/dispatcher.py; change that one.
"""
The dispatcher of a client: it handles the server's packets, calls handlers, and sends the client's packets.

Frames are handled one after the other. The next events do not wait for a handler that may wait itself, so that it can
wait for the next packet of the server. Handlers begin in the order of their events.
"""

from __future__ import annotations

from contextvars import ContextVar
from inspect import isawaitable
from time import time
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.answers import Answer
from fastsio.base.client import Membership, pop_callback, refusal_arguments
from fastsio.base.emit_args import acknowledgement
from fastsio.base.event_log import tell_unhandled
from fastsio.engine.packet import frames_of
from fastsio.exceptions import EventError, PacketError
from fastsio.injection import Context
from fastsio.protocol import PacketType
from fastsio.protocol.decoder import ServerDecoder
from fastsio.protocol.lifecycle import Reasons
from fastsio.protocol.quick import event_reader
from fastsio.routing import describe, is_expected, leading_arguments
from fastsio.sync import concurrency
from fastsio.sync.connection_scope import ThreadScope

if TYPE_CHECKING:
    from fastsio.base.internals import ClientInternals
    from fastsio.base.parts import PartClient
    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.sync.client.delivery import Delivery

# Members of an Enum are slow to reach through their class.
ACK: Final = PacketType.ACK
ROOT: Final = "/"
#: The event that an application's own ``_trigger_event`` is called for, until it calls the inherited one.
triggered: Final[ContextVar[Context | None]] = ContextVar("triggered", default=None)


class ClientDispatcher:
    """
    Handles the frames that Engine.IO delivers to a client, calls handlers, and sends packets.

    If an application replaces a method of python-socketio, that method is called in place of fastsio's.

    Attributes:
        answered: An event for ``connect()``: set when the server has answered for a namespace, or the connection was
            lost.
        answered_namespaces: The namespaces whose answer to CONNECT has been handled.
        is_dismissed: Whether the server has ended the last namespace.
    """

    _delivery: Delivery

    def __init__(self, client: PartClient, shared: ClientInternals) -> None:
        self._client = client
        self._limits = shared.limits
        self._registry = shared.registry
        self._seams = shared.seams
        self._event_log = shared.event_log
        self._recovery = shared.recovery
        self._decoder = ServerDecoder(client.packet_class, shared.limits)
        #: Whether a handler was started in the background that may not have begun.
        self._is_starting = False
        self.answered = client.eio.create_event()
        self.reset()

    def bind(self, delivery: Delivery) -> None:
        """Set the delivery, which must know which namespaces are connected."""
        self._delivery = delivery

    def reset(self) -> None:
        """Forget a connection; the tables are new objects, because threads may still read the old ones."""
        self._decoder.reset()
        self._recovery.reset()
        self._choose_handlers()
        self._memberships: dict[str, Membership] = {}
        #: The namespaces whose disconnect handlers have not run; the code that removes one from the set runs them.
        self._joined: set[str] = set()
        self.answered_namespaces: set[str] = set()
        self.is_dismissed = False

    def _choose_handlers(self) -> None:
        """Choose the functions that read and handle events: shorter ones if no session can be recovered."""
        recovery = self._recovery
        # The decoder counts the bytes of what is held.
        self._read_event = None if recovery.is_asking else event_reader(self._client.packet_class, self._limits)
        if recovery.is_asking:
            self._handle_event = self._handle_or_hold
        else:
            self._handle_event = self._handle_with_offset if recovery.is_active else self._call_handler

    # Sending

    def send(self, packet: Packet) -> None:
        """Send a packet, by the application's own ``_send_packet`` if it has one; wait while the server is behind."""
        if "_send_packet" in self._seams.replaced:
            self._seams.call("_send_packet", packet)
        else:
            self._client.eio.write(frames_of(packet))

    def reply(self, packet: Packet) -> None:
        """Send a packet as :meth:`send` does, without waiting for the server to read."""
        if "_send_packet" in self._seams.replaced:
            self._seams.call("_send_packet", packet)
        else:
            self._client.eio.post(frames_of(packet))

    def expect_ack(self, namespace: str, callback: Any) -> int:
        """Return a new id for the acknowledgement of an event, and keep the callback that waits for it."""
        ack_id: int = self._seams.call("_generate_ack_id", namespace, callback)
        return ack_id

    def join(self, namespaces: list[str], auth: Any) -> None:
        """Send CONNECT for namespaces, with the sessions that the server may recover."""
        payloads = {namespace: self._recovery.ask(namespace, auth) for namespace in namespaces}
        self._choose_handlers()
        for namespace in namespaces:
            self.reply(self._client.packet_class(PacketType.CONNECT, payloads[namespace], namespace))

    def hang_up(self) -> None:
        """Leave every namespace, and close the connection."""
        for namespace in list(self._client.namespaces):
            self._recovery.forget(namespace)
            self.reply(self._client.packet_class(PacketType.DISCONNECT, None, namespace))
        self._client.eio.disconnect()

    # Receiving

    def handle_frame(self, data: str | bytes) -> None:
        """Handle a frame of the server."""
        event = packet = None
        try:
            if self._read_event is not None and type(data) is str and self._decoder.pending_packet is None:
                event = self._read_event(data)
            if event is None:
                packet = self._decoder.feed(data)
        except PacketError as exc:
            self._client.logger.error("connection closed: the server broke the protocol: %s", exc)  # noqa: TRY400 - no defect here
            self._client.eio.break_off()
            return
        if event is not None:
            self._pass_event(ROOT, event[1], event[0])
        elif packet is not None:
            self._handle_packet(packet)

    def _pass_event(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        if "_handle_event" in self._seams.replaced:
            self._seams.call("_handle_event", namespace, ack_id, data)
        else:
            self._handle_event(namespace, ack_id, data)

    def _handle_packet(self, packet: Packet) -> None:
        namespace = packet.namespace or ROOT
        match packet.packet_type:
            case PacketType.EVENT | PacketType.BINARY_EVENT:
                self._pass_event(namespace, packet.id, packet.data)
            case PacketType.ACK | PacketType.BINARY_ACK:
                self._seams.call("_handle_ack", namespace, packet.id, packet.data)
            case PacketType.CONNECT:
                self._seams.call("_handle_connect", namespace, packet.data)
            case PacketType.DISCONNECT:
                self._seams.call("_handle_disconnect", namespace)
            case _:
                self._seams.call("_handle_error", namespace, packet.data)

    def handle_ack(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        """Call the callback that waits for an acknowledgement."""
        if self._event_log is not None:
            self._event_log.acknowledged_by_server(namespace)
        callback = pop_callback(self._client.callbacks, namespace, ack_id)
        if callback is None:
            self._client.logger.info("an acknowledgement that no callback waits for was ignored")
        else:
            self._let_handler_begin()
            self.acknowledge(callback, data)

    def acknowledge(self, callback: Any, arguments: Any) -> None:
        """Call the callback of an acknowledgement; one that waits continues in the background."""
        if concurrency.ASYNCHRONOUS or isinstance(callback, Answer):
            self._run_callback(callback, arguments)
        else:
            self._start(self._run_callback, callback, arguments)

    def _run_callback(self, callback: Any, arguments: Any) -> None:
        try:
            result = callback(*arguments)
        except (Exception, concurrency.Cancelled) as error:
            failure = concurrency.failure_of(error)
            self._client.logger.exception("error in the callback of an acknowledgement", exc_info=failure)
            return
        if isawaitable(result):
            # It may wait for the next packet of the server.
            self._start(self._finish_callback, result)

    def _finish_callback(self, result: Any) -> None:
        try:
            concurrency.outcome(concurrency.resolved(result))
        except Exception:
            self._client.logger.exception("error in the callback of an acknowledgement")

    # Namespaces

    def handle_connect(self, namespace: str, data: Any) -> None:
        """Handle CONNECT of the server: the client has joined a namespace."""
        if namespace in self._client.namespaces:
            return
        self._client.logger.info("Namespace %s is connected", namespace)
        self._client.namespaces[namespace] = (data or {}).get("sid") or self._client.sid or ""
        self._joined.add(namespace)
        self._set_recovered(namespace, is_recovered=self._recovery.answer(namespace, data))
        missed = self._recovery.release(namespace)
        self._choose_handlers()
        self._delivery.open(namespace)
        for event in missed:
            self._handle_event(*event)
        self._start(self._run_connect, namespace)

    def _set_recovered(self, namespace: str, *, is_recovered: bool) -> None:
        others = self._client.recovered_namespaces - {namespace}
        self._client.recovered_namespaces = others | {namespace} if is_recovered else others
        if namespace == ROOT:
            self._client.recovered = is_recovered

    def _run_connect(self, namespace: str) -> None:
        self._seams.call("_trigger_event", "connect", namespace)
        self._mark_answered(namespace)

    def handle_refusal(self, namespace: str, data: Any) -> None:
        """Handle CONNECT_ERROR of the server: it refuses a namespace."""
        self._client.logger.info("Connection to namespace %s was rejected", namespace)
        self._delivery.pending.close(namespace)
        self._recovery.release(namespace)
        self._joined.discard(namespace)
        self._client.namespaces.pop(namespace, None)
        self._client.failed_namespaces.append(namespace)
        if namespace == ROOT:
            self._client.connected = False
        self._start(self._run_connect_error, namespace, refusal_arguments(data))

    def _run_connect_error(self, namespace: str, arguments: tuple[Any, ...]) -> None:
        self._seams.call("_trigger_event", "connect_error", namespace, *arguments)
        self.end_membership(namespace)
        self._mark_answered(namespace)

    def _mark_answered(self, namespace: str) -> None:
        """Record that the server's answer for a namespace has been handled."""
        self.answered_namespaces.add(namespace)
        self.answered.set()

    def claim(self, namespace: str) -> bool:
        """Return True to the first caller for a namespace: that one runs its disconnect handlers."""
        try:
            self._joined.remove(namespace)
        except KeyError:
            return False
        return True

    def handle_disconnect(self, namespace: str) -> None:
        """Handle DISCONNECT of the server; after the last namespace the connection ends, and is not made again."""
        if self.claim(namespace):
            self._recovery.forget(namespace)
            self.is_dismissed = not self._joined
            self._start(self._run_disconnect, namespace)

    def _run_disconnect(self, namespace: str) -> None:
        self.leave(namespace, Reasons.SERVER_DISCONNECT, is_final=True)
        if not self._client.namespaces:
            self._client.connected = False
            self._client.eio.disconnect(abort=True)

    def leave(self, namespace: str, reason: str, *, is_final: bool) -> None:
        """Run the disconnect handlers of a namespace that was claimed, then forget it."""
        self._delivery.pending.close(namespace)
        self._seams.call("_trigger_event", "disconnect", namespace, reason)
        if is_final:
            self.end(namespace)
        self._client.namespaces.pop(namespace, None)
        self.end_membership(namespace)

    def end(self, namespace: str) -> None:
        """Handle the final end of a namespace, which the client does not reconnect to."""
        self._delivery.pending.end(namespace)
        self._seams.call("_trigger_event", "__disconnect_final", namespace)

    # Calling handlers

    def _start(self, target: Any, *args: Any) -> None:
        """Start a function in the background, so that the next packets do not wait for it."""
        self._is_starting = True
        self._client.start_background_task(target, *args)

    def _let_handler_begin(self) -> None:
        """Let a handler that was started in the background begin, before a later one is called."""
        if self._is_starting:
            self._is_starting = False
            concurrency.sleep(0)

    # Events

    def handle_event(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        """Call the handler of an event and acknowledge what it returns."""
        self._handle_event(namespace, ack_id, data)

    def _handle_or_hold(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        """Call the handler of an event, unless the event has to wait for the answer to CONNECT."""
        if self._recovery.is_awaited(namespace):
            # The missed events may take long to arrive: each of them restarts the time that connect() waits.
            self.answered.set()
        for event in self._recovery.hold((namespace, ack_id, data), self._decoder.packet_bytes):
            self._handle_with_offset(*event)

    def _handle_with_offset(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        """Call the handler of an event that may have an offset."""
        if ack_id is None and type(data[-1]) is str:
            route = self._registry.resolve(namespace, data[0])
            accepts = None if route is None or not route.is_plain else route.accepts
            data = self._recovery.arguments_of(namespace, data, time(), accepts)
        self._call_handler(namespace, ack_id, data)

    def _call_handler(self, namespace: str, ack_id: int | None, data: list[Any]) -> None:
        if self._event_log is not None:
            self._event_log.received_from_server(data[0], namespace)
        route = self._registry.resolve(namespace, data[0])
        if "_trigger_event" in self._seams.replaced:
            route = (route or self._registry.no_route).through(self._call_trigger)
        if route is None:
            tell_unhandled(self._registry, self._client.logger, data[0], namespace)
            if ack_id is not None:
                self.reply(self._client.packet_class(ACK, [], namespace, ack_id))
        elif self._client.async_handlers and (not concurrency.ASYNCHRONOUS or route.is_coroutine or not route.is_plain):
            self._start(self._run_event, route, namespace, data, ack_id)
        else:
            self._let_handler_begin()
            self._run_event(route, namespace, data, ack_id)

    def _run_event(self, route: Route, namespace: str, data: list[Any], ack_id: int | None) -> None:
        event = data[0]
        context = None if route.is_plain else self._context(namespace, event, tuple(data[1:]))
        failure: BaseException | None = None
        try:
            if context is None:
                prefix = leading_arguments(route.prefix, event, namespace) if route.prefix else ()
                result = route.handler(*prefix, *data[1:])
            else:
                result = route.call(context)
            if ack_id is not None:
                self.reply(self._client.packet_class(ACK, acknowledgement(result), namespace, ack_id))
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - a handler's failure is not the connection's
            failure = exc
            failure = error = concurrency.failure_of(exc)
            failure = error = error if context is None else context.fail(error)
            self._answer_failure(error, route, namespace, event, ack_id)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if context is not None and context.stack is not None:
                self._close_context(context, failure)

    def _answer_failure(self, exc: Exception, route: Route, namespace: str, event: str, ack_id: int | None) -> None:
        """
        Log a handler's failure, and give a server that asked for an acknowledgement the error object.

        A plain handler, which python-socketio leaves without an answer, is left without one.
        """
        if is_expected(exc) and not route.is_silent:
            self._client.logger.warning("the event %s in %s was not handled: %s", event, namespace, exc)
        else:
            self._client.logger.error("error in the handler of %s", event, exc_info=exc)
        if ack_id is not None and (isinstance(exc, EventError) or not route.is_silent):
            error = {"error": describe(exc, event).as_dict()}
            try:
                self.reply(self._client.packet_class(ACK, [error], namespace, ack_id))
            except Exception:
                self._client.logger.exception("the failure of %s could not be answered", event)

    # Calls of handlers by name

    def _call_trigger(self, context: Context) -> Any:
        """Call the application's own dispatcher for an event."""
        token = triggered.set(context)
        try:
            return concurrency.resolved(
                self._seams.call("_trigger_event", context.event, context.client.namespace, *context.args)
            )
        finally:
            triggered.reset(token)

    def trigger(self, event: str, namespace: str, args: tuple[Any, ...]) -> Any:
        """
        Call the handler of an event; within the application's own ``_trigger_event``, with the event's own context.

        The failure of a connect, connect_error or disconnect handler is logged.
        """
        namespace = namespace or "/"
        route = self._registry.resolve(namespace, event)
        if route is None:
            return None
        context = triggered.get()
        if context is not None and context.event == event and context.client.namespace == namespace:
            context.args = args
            return route.call(context)
        context = self._new_context(namespace, event, args)
        failure: BaseException | None = None
        try:
            return concurrency.outcome(route.call(context))
        except Exception as exc:
            failure = exc
            if event not in self._client.reserved_events:
                raise
            self._client.logger.exception("error in the %s handler of %s", event, namespace)
            return None
        finally:
            self._close_context(context, failure)

    def trigger_method(self, handler: Any, event: str, args: tuple[Any, ...]) -> Any:
        """Call the method of a class-based namespace for an event, for ``trigger_event()``."""
        endpoint = self._registry.method_endpoint(handler, event)
        if endpoint is None:
            return None
        namespace, *rest = args if handler.namespace == "*" else (handler.namespace, *args)
        context = self._new_context(namespace, event, tuple(rest))
        try:
            return endpoint.call_sync(context)
        finally:
            context.close()

    def _new_context(self, namespace: str, event: str, args: tuple[Any, ...]) -> Context:
        if event == "disconnect":
            return self._context(namespace, event, (), args[0] if args else None)
        return self._context(namespace, event, args)

    # Contexts

    def _context(self, namespace: str, event: str, args: tuple[Any, ...], reason: str | None = None) -> Context:
        # A client has no environ, auth or session; handlers that ask for them are refused at registration.
        membership: Any = self._membership(namespace)
        return Context(self._client, membership, event, args, reason)

    def _membership(self, namespace: str) -> Membership:
        membership = self._memberships.get(namespace)
        if membership is None:
            new = Membership(namespace, self._client.namespaces, ThreadScope(self._client))
            membership = self._memberships.setdefault(namespace, new)
        return membership

    def _close_context(self, context: Context, exc: BaseException | None) -> None:
        """Run the code after the ``yield`` of the event's dependencies."""
        try:
            context.close(exc)
        except (Exception, concurrency.Cancelled) as raised:
            if raised is not exc:
                failure = concurrency.failure_of(raised)
                self._client.logger.exception("error while closing a dependency of %s", context.event, exc_info=failure)

    def end_memberships(self) -> None:
        """End the memberships of namespaces that the client is not in."""
        for namespace in self._memberships.keys() - self._client.namespaces.keys():
            self.end_membership(namespace)

    def end_membership(self, namespace: str) -> None:
        """Run the code after the ``yield`` of the connection-scoped dependencies of a namespace."""
        membership = self._memberships.pop(namespace, None)
        if membership is None:
            return
        try:
            membership.scope_store.close()
        except Exception:
            self._client.logger.exception("error while closing a dependency of the connection")
