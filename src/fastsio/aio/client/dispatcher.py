"""
The client's packets: what each of the server's means, how handlers are called, and how the client's own packets go out.

Frames are read one after the other. A handler that may wait does not keep the next events back, so that it may wait for
what the server sends next. Handlers begin in the order of their events.
"""

from __future__ import annotations

from contextvars import ContextVar
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.aio import concurrency
from fastsio.aio.acks import Answer
from fastsio.aio.client.delivery import Delivery
from fastsio.aio.connection_scope import TaskScope
from fastsio.aio.engine.client import EngineClient
from fastsio.base.client import BaseClient
from fastsio.base.client_options import refusal_arguments
from fastsio.base.emit_args import acknowledgement, unwritable
from fastsio.base.event_log import tell_unhandled
from fastsio.base.membership import Membership
from fastsio.base.seams import CLIENT_SEAMS, own_methods
from fastsio.engine.packet import MessagePacket
from fastsio.exceptions import EventError, PacketError, SetupError
from fastsio.injection import Context
from fastsio.protocol import PacketType
from fastsio.routing import describe, is_expected, leading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastsio.protocol import Packet
    from fastsio.routing import Route

# Members of an Enum are slow to reach through their class.
EVENT: Final = PacketType.EVENT
BINARY_EVENT: Final = PacketType.BINARY_EVENT
ACK: Final = PacketType.ACK
ROOT: Final = "/"
#: The event that an application's own ``_trigger_event`` is called for, until it calls the inherited one.
triggered: Final[ContextVar[Context | None]] = ContextVar("triggered", default=None)


class PacketClient(BaseClient):
    """
    Takes what Engine.IO delivers, calls handlers, and sends packets.

    The underscored names are python-socketio's: test clients and add-ons replace or call them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: True from the moment a handler was started until it has begun for sure.
        self._is_starting = False
        engine_class = self._engineio_client_class()
        if not (isinstance(engine_class, type) and issubclass(engine_class, EngineClient)):
            raise SetupError(
                f"{type(self).__qualname__} overrides _engineio_client_class with {engine_class!r}, which is no "
                f"subclass of {EngineClient.__module__}.{EngineClient.__qualname__}; derive it from that class"
            )
        self.eio = engine_class(handle_sigint=self.handle_sigint, **self._engine_options)
        self.eio.on("message", self._handle_eio_message)
        self._delivery = Delivery(self)
        #: Set when a namespace was answered, or the connection was lost, which ``connect()`` waits for.
        self._answered_event = self.eio.create_event()

    def _engineio_client_class(self) -> Callable[..., Any]:
        return EngineClient

    # Sending

    def _frames_of(self, packet: Packet) -> list[MessagePacket]:
        """Encode a packet into Engine.IO messages, its text first and its attachments after it."""
        try:
            encoded = packet.encode()
        except TypeError as error:
            raise unwritable(packet, error) from error
        if isinstance(encoded, list):
            return [MessagePacket(frame) for frame in encoded]
        return [MessagePacket(encoded)]

    async def _send_packet(self, pkt: Packet) -> None:
        """Send a Socket.IO packet to the server; while it does not read, wait."""
        await self.eio.write(self._frames_of(pkt))

    async def _reply(self, packet: Packet) -> None:
        if "_send_packet" in self._seams.replaced:
            await self._send_packet(packet)
        else:
            self.eio.post(self._frames_of(packet))

    # Receiving

    async def _handle_eio_message(self, data: str | bytes) -> None:
        """Take a frame of the server."""
        event = packet = None
        try:
            if self._read_event is not None and type(data) is str and self._decoder.pending_packet is None:
                event = self._read_event(data)
            if event is None:
                packet = self._decoder.feed(data)
        except PacketError as exc:
            self.logger.error("connection closed: the server broke the protocol: %s", exc)  # noqa: TRY400 - no defect here
            await self.eio.break_off()
            return
        if event is not None:
            await self._handle_event(ROOT, event[1], event[0])
        elif packet is not None:
            await self._handle_packet(packet)

    async def _handle_packet(self, packet: Packet) -> None:
        namespace = packet.namespace or ROOT
        if packet.packet_type is EVENT or packet.packet_type is BINARY_EVENT:
            await self._handle_event(namespace, packet.id, packet.data)
        else:
            await self._handle_other(packet, namespace)

    async def _handle_other(self, packet: Packet, namespace: str) -> None:
        match packet.packet_type:
            case PacketType.ACK | PacketType.BINARY_ACK:
                await self._handle_ack(namespace, packet.id, packet.data)
            case PacketType.CONNECT:
                await self._handle_connect(namespace, packet.data)
            case PacketType.DISCONNECT:
                await self._handle_disconnect(namespace)
            case _:
                await self._handle_error(namespace, packet.data)

    async def _handle_ack(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call what waits for an acknowledgement."""
        if self._event_log is not None:
            self._event_log.acknowledged_by_server(namespace)
        callback = self._take_callback(namespace, id)
        if callback is None:
            self.logger.info("an acknowledgement nobody waits for was ignored")
        else:
            await self._let_begin()
            await self._acknowledge(callback, data)

    async def _acknowledge(self, callback: Any, arguments: Any) -> None:
        """Call what waited for an acknowledgement, without waiting for a callback that waits."""
        if concurrency.ASYNCHRONOUS or isinstance(callback, Answer):
            await self._run_callback(callback, arguments)
        else:
            self._start(self._run_callback, callback, arguments)

    async def _run_callback(self, callback: Any, arguments: Any) -> None:
        try:
            result = callback(*arguments)
        except (Exception, concurrency.Cancelled) as error:
            failure = concurrency.failure_of(error)
            self.logger.exception("error in the callback of an acknowledgement", exc_info=failure)
            return
        if isawaitable(result):
            # It may wait for what the server sends next.
            self._start(self._finish_callback, result)

    async def _finish_callback(self, result: Any) -> None:
        try:
            await concurrency.outcome(concurrency.resolved(result))
        except Exception:
            self.logger.exception("error in the callback of an acknowledgement")

    # Namespaces

    async def _handle_connect(self, namespace: str, data: Any) -> None:
        """Take the server's consent to a namespace."""
        if namespace in self.namespaces:
            return
        self.logger.info("Namespace %s is connected", namespace)
        self.namespaces[namespace] = (data or {}).get("sid") or self.sid or ""
        self._joined.add(namespace)
        await self._delivery.open(namespace)
        self._start(self._run_connect, namespace)

    async def _run_connect(self, namespace: str) -> None:
        await self._trigger_event("connect", namespace)
        self._settle(namespace)

    async def _handle_error(self, namespace: str, data: Any) -> None:
        """Take the server's refusal of a namespace."""
        self.logger.info("Connection to namespace %s was rejected", namespace)
        self._delivery.close(namespace)
        self._joined.discard(namespace)
        self.namespaces.pop(namespace, None)
        self.failed_namespaces.append(namespace)
        if namespace == ROOT:
            self.connected = False
        self._start(self._run_connect_error, namespace, refusal_arguments(data))

    async def _run_connect_error(self, namespace: str, arguments: tuple[Any, ...]) -> None:
        await self._trigger_event("connect_error", namespace, *arguments)
        await self._end_membership(namespace)
        self._settle(namespace)

    def _settle(self, namespace: str) -> None:
        """Note that the server's answer for a namespace has been handled."""
        self._settled.add(namespace)
        self._answered_event.set()

    async def _handle_disconnect(self, namespace: str) -> None:
        """Take the end of a namespace by the server; with the last one the connection ends for good."""
        if self._claim(namespace):
            self._is_dismissed = not self._joined
            self._start(self._run_disconnect, namespace)

    async def _run_disconnect(self, namespace: str) -> None:
        await self._leave(namespace, self.reason.SERVER_DISCONNECT, is_final=True)
        if not self.namespaces:
            self.connected = False
            await self.eio.disconnect(abort=True)

    async def _leave(self, namespace: str, reason: str, *, is_final: bool) -> None:
        """Run the disconnect handlers of a namespace that was claimed, then forget it."""
        self._delivery.close(namespace)
        await self._trigger_event("disconnect", namespace, reason)
        if is_final:
            await self._end(namespace)
        self.namespaces.pop(namespace, None)
        await self._end_membership(namespace)

    async def _end(self, namespace: str) -> None:
        """Take the end of a namespace that the client does not come back to by itself."""
        self._delivery.end(namespace)
        await self._trigger_event("__disconnect_final", namespace)

    # Calling handlers

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return concurrency.ASYNCHRONOUS

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Start a function in the background; return its task or thread.

        Raises:
            TypeError: It cannot run there: in threads a coroutine function cannot.
        """
        concurrency.check_target(target)
        return self.eio.start_background_task(target, *args, **kwargs)

    def _start(self, target: Any, *args: Any) -> None:
        """Run something that may wait without keeping the next packets waiting."""
        self._is_starting = True
        self.start_background_task(target, *args)

    async def _let_begin(self) -> None:
        """Let what was started begin, before something is called that comes after it."""
        if self._is_starting:
            self._is_starting = False
            await concurrency.sleep(0)

    # Events

    async def _handle_event(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call the handler of an event and acknowledge what it returns."""
        if self._event_log is not None:
            self._event_log.received_from_server(data[0], namespace)
        route = self._registry.resolve(namespace, data[0])
        if "_trigger_event" in self._seams.replaced:
            route = (route or self._registry.no_route).through(self._call_trigger)
        if route is None:
            tell_unhandled(self._registry, self.logger, data[0], namespace)
            if id is not None:
                await self._reply(self.packet_class(ACK, [], namespace, id))
        elif self.async_handlers and (not concurrency.ASYNCHRONOUS or route.is_coroutine or not route.is_plain):
            self._start(self._run_event, route, namespace, data, id)
        else:
            await self._let_begin()
            await self._run_event(route, namespace, data, id)

    async def _run_event(self, route: Route, namespace: str, data: list[Any], ack_id: int | None) -> None:
        event = data[0]
        context = None if route.is_plain else self._context(namespace, event, tuple(data[1:]))
        failure: BaseException | None = None
        try:
            if context is None:
                prefix = leading(route.prefix, event, namespace) if route.prefix else ()
                result = route.handler(*prefix, *data[1:])
                if route.is_coroutine:
                    result = await result
            else:
                result = await route.call(context)
            if ack_id is not None:
                await self._reply(self.packet_class(ACK, acknowledgement(result), namespace, ack_id))
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - a handler's failure is not the connection's
            failure = exc
            failure = error = concurrency.failure_of(exc)
            failure = error = error if context is None else await context.afail(error)
            await self._answer_failure(error, route, namespace, event, ack_id)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if context is not None and context.stack is not None:
                await self._close_context(context, failure)

    async def _answer_failure(
        self, exc: Exception, route: Route, namespace: str, event: str, ack_id: int | None
    ) -> None:
        """
        Log a handler's failure, and give a server that asked for an acknowledgement the error object.

        A plain handler, which python-socketio leaves without an answer, is left without one.
        """
        if is_expected(exc) and not route.is_silent:
            self.logger.warning("the event %s in %s was not handled: %s", event, namespace, exc)
        else:
            self.logger.error("error in the handler of %s", event, exc_info=exc)
        if ack_id is not None and (isinstance(exc, EventError) or not route.is_silent):
            error = {"error": describe(exc, event).as_dict()}
            await self._reply(self.packet_class(ACK, [error], namespace, ack_id))

    # What happens to the client

    async def _call_trigger(self, context: Context) -> Any:
        """Call the application's own dispatcher for an event."""
        token = triggered.set(context)
        try:
            return await concurrency.resolved(
                self._trigger_event(context.event, context.client.namespace, *context.args)
            )
        finally:
            triggered.reset(token)

    async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
        """
        Call the handler of an event, as python-socketio's method of this name does.

        Override it to dispatch differently.

        The failure of a handler of something that happened to the client is logged.

        Args:
            event: The event.
            namespace: The namespace.
            args: What the event brought: ``reason`` of a disconnect, what the server said of a ``connect_error``.

        Returns:
            What the handler returned; None without one.
        """
        namespace = namespace or "/"
        route = self._registry.resolve(namespace, event)
        if route is None:
            return None
        context = triggered.get()
        if context is not None and context.event == event and context.client.namespace == namespace:
            context.args = args
            return await route.call(context)
        context = self._happening(namespace, event, args)
        failure: BaseException | None = None
        try:
            return await concurrency.outcome(route.call(context))
        except Exception as exc:
            failure = exc
            if event not in self.reserved_events:
                raise
            self.logger.exception("error in the %s handler of %s", event, namespace)
            return None
        finally:
            await self._close_context(context, failure)

    async def trigger_method(self, handler: Any, event: str, args: tuple[Any, ...]) -> Any:
        """Call the method of a class-based namespace for an event that its own dispatcher passed on."""
        endpoint = self._registry.method_endpoint(handler, event)
        if endpoint is None:
            return None
        namespace, *rest = args if handler.namespace == "*" else (handler.namespace, *args)
        context = self._happening(namespace, event, tuple(rest))
        try:
            return await endpoint.call(context)
        finally:
            await context.aclose()

    def _happening(self, namespace: str, event: str, args: tuple[Any, ...]) -> Context:
        if event == "disconnect":
            return self._context(namespace, event, (), args[0] if args else None)
        return self._context(namespace, event, args)

    # Contexts

    def _context(self, namespace: str, event: str, args: tuple[Any, ...], reason: str | None = None) -> Context:
        # A client has no environ, auth or session; handlers that ask for them are refused at registration.
        membership: Any = self._membership(namespace)
        return Context(self, membership, event, args, reason)

    def _membership(self, namespace: str) -> Membership:
        membership = self._memberships.get(namespace)
        if membership is None:
            new = Membership(namespace, self.namespaces, TaskScope(self))
            membership = self._memberships.setdefault(namespace, new)
        return membership

    async def _close_context(self, context: Context, exc: BaseException | None) -> None:
        """Run what follows the ``yield`` of the event's dependencies."""
        try:
            await context.aclose(exc)
        except (Exception, concurrency.Cancelled) as raised:
            if raised is not exc:
                failure = concurrency.failure_of(raised)
                self.logger.exception("error while closing a dependency of %s", context.event, exc_info=failure)

    async def _end_membership(self, namespace: str) -> None:
        """Run what follows the ``yield`` of the dependencies that lived as long as the connection."""
        membership = self._memberships.pop(namespace, None)
        if membership is None:
            return
        try:
            await membership.scope_store.aclose()
        except Exception:
            self.logger.exception("error while closing a dependency of the connection")

    _own_seams: ClassVar[Mapping[str, Any]] = own_methods(CLIENT_SEAMS, vars())
