# Written by tools/unasync.py from aio/client_handlers.py; change that one.
"""
How a client calls handlers, and what becomes of their failures.

A handler that may wait does not keep the next events back, so that it may wait for what the server sends next. Handlers
begin in the order of their events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.client import BaseClient
from fastsio.base.emission import acknowledgement
from fastsio.base.event_log import tell_unhandled
from fastsio.base.membership import Membership
from fastsio.exceptions import EventError
from fastsio.injection import Context
from fastsio.protocol import PacketType
from fastsio.routing import describe, is_expected, leading
from fastsio.sync import concurrency
from fastsio.sync.connection_scope import ThreadScope

if TYPE_CHECKING:
    from fastsio.protocol import Packet
    from fastsio.routing import Route

# Members of an Enum are slow to reach through their class.
ACK: Final = PacketType.ACK
#: The event that an application's own ``_trigger_event`` is called for, until it calls the inherited one.
triggered: Final[ContextVar[Context | None]] = ContextVar("triggered", default=None)


class HandlerClient(BaseClient, ABC):
    """Calls handlers; what they return goes out through :meth:`_reply`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: True from the moment a handler was started until it has begun for sure.
        self._is_starting = False

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return concurrency.ASYNCHRONOUS

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start a function in the background; return its task or thread."""
        return self.eio.start_background_task(target, *args, **kwargs)

    @abstractmethod
    def _reply(self, packet: Packet) -> None:
        """Send what answers the server, without waiting for it to read."""

    def _start(self, target: Any, *args: Any) -> None:
        """Run something that may wait without keeping the next packets waiting."""
        self._is_starting = True
        self.start_background_task(target, *args)

    def _let_begin(self) -> None:
        """Let what was started begin, before something is called that comes after it."""
        if self._is_starting:
            self._is_starting = False
            concurrency.sleep(0)

    # Events

    def _handle_event(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call the handler of an event and acknowledge what it returns."""
        if self._event_log is not None:
            self._event_log.received_from_server(data[0], namespace)
        route = self._registry.resolve(namespace, data[0])
        if "_trigger_event" in self._replaced:
            route = (route or self._registry.no_route).through(self._call_trigger)
        if route is None:
            tell_unhandled(self, data[0], namespace)
            if id is not None:
                self._reply(self.packet_class(ACK, [], namespace, id))
        elif self.async_handlers and (not concurrency.ASYNCHRONOUS or route.is_coroutine or not route.is_plain):
            self._start(self._run_event, route, namespace, data, id)
        else:
            self._let_begin()
            self._run_event(route, namespace, data, id)

    def _run_event(self, route: Route, namespace: str, data: list[Any], ack_id: int | None) -> None:
        event = data[0]
        context = None if route.is_plain else self._context(namespace, event, tuple(data[1:]))
        failure: BaseException | None = None
        try:
            if context is None:
                prefix = leading(route.prefix, event, namespace) if route.prefix else ()
                result = route.handler(*prefix, *data[1:])
            else:
                result = route.call(context)
            if ack_id is not None:
                self._reply(self.packet_class(ACK, acknowledgement(result), namespace, ack_id))
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
            self.logger.warning("the event %s in %s was not handled: %s", event, namespace, exc)
        else:
            self.logger.error("error in the handler of %s", event, exc_info=exc)
        if ack_id is not None and (isinstance(exc, EventError) or not route.is_silent):
            error = {"error": describe(exc, event).as_dict()}
            self._reply(self.packet_class(ACK, [error], namespace, ack_id))

    # What happens to the client

    def _call_trigger(self, context: Context) -> Any:
        """Call the application's own dispatcher for an event."""
        token = triggered.set(context)
        try:
            return concurrency.resolved(self._trigger_event(context.event, context.client.namespace, *context.args))
        finally:
            triggered.reset(token)

    def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
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
            return route.call(context)
        context = self._happening(namespace, event, args)
        failure: BaseException | None = None
        try:
            return concurrency.outcome(route.call(context))
        except Exception as exc:
            failure = exc
            if event not in self.reserved_events:
                raise
            self.logger.exception("error in the %s handler of %s", event, namespace)
            return None
        finally:
            self._close_context(context, failure)

    def trigger_method(self, handler: Any, event: str, args: tuple[Any, ...]) -> Any:
        """Call the method of a class-based namespace for an event that its own dispatcher passed on."""
        endpoint = self._registry.method_endpoint(handler, event)
        if endpoint is None:
            return None
        namespace, *rest = args if handler.namespace == "*" else (handler.namespace, *args)
        context = self._happening(namespace, event, tuple(rest))
        try:
            return endpoint.call_sync(context)
        finally:
            context.close()

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
            new = Membership(namespace, self.namespaces, ThreadScope(self))
            membership = self._memberships.setdefault(namespace, new)
        return membership

    def _close_context(self, context: Context, exc: BaseException | None) -> None:
        """Run what follows the ``yield`` of the event's dependencies."""
        try:
            context.close(exc)
        except (Exception, concurrency.Cancelled) as raised:
            if raised is not exc:
                failure = concurrency.failure_of(raised)
                self.logger.exception("error while closing a dependency of %s", context.event, exc_info=failure)

    def _end_membership(self, namespace: str) -> None:
        """Run what follows the ``yield`` of the dependencies that lived as long as the connection."""
        membership = self._memberships.pop(namespace, None)
        if membership is None:
            return
        try:
            membership.scope_store.close()
        except Exception:
            self.logger.exception("error while closing a dependency of the connection")
