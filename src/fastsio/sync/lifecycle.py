# Written by tools/unasync.py from aio/lifecycle.py; change that one.
"""
How clients come and go: the steps of :mod:`fastsio.protocol.lifecycle`, taken.

Runs connect and disconnect handlers and keeps the records of connections; must not know events.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.options import counted_bytes
from fastsio.engine.log_format import label
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.exceptions import refusal
from fastsio.injection import Context
from fastsio.protocol import CURRENT, LEGACY, Happening, NamespaceState, PacketType
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import describe, is_expected
from fastsio.state import Client, Connection, Held
from fastsio.sync import concurrency
from fastsio.sync.connection_scope import ThreadScope
from fastsio.sync.runner import new_deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.base.parts import Handlers, LifecycleServer
    from fastsio.base.seams import Seams
    from fastsio.protocol import Packet
    from fastsio.routing import Registry, Route
    from fastsio.sync.runner import HandlerRunner

#: What a client reads of a builtin ConnectionRefusedError, whose own text may name a database.
REFUSED: Final = "Connection refused by server"


class Lifecycle:
    """
    Takes clients through their lives.

    Args:
        server: The server whose clients they are.
        handlers: Calls their connect and disconnect handlers, and sends them packets.
        runner: Starts what is called.
        registry: Knows the namespaces, and the exception handlers.
        seams: The methods of the server that the application may have replaced.
        connections: Engine.IO sid -> record of the connection.

    Attributes:
        write_connect: Writes the text of a CONNECT; None while packets are shown to others before they are sent.
        is_closed: True once the server shuts down: clients are refused from then on.
    """

    def __init__(
        self,
        server: LifecycleServer,
        handlers: Handlers,
        runner: HandlerRunner,
        registry: Registry,
        seams: Seams,
        connections: dict[str, Connection],
    ) -> None:
        self._server = server
        self._handlers = handlers
        self._runner = runner
        self._registry = registry
        self._seams = seams
        self._connections = connections
        self._new_scope = partial(ThreadScope, server)
        self._deadlines = new_deadlines(self._on_due, server.eio)
        self.write_connect: Callable[[Any], str] | None = None
        self.is_closed = False

    # Connections

    def open(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Take a new connection; False refuses it."""
        if self.is_closed:
            return False
        known = self._connections.get(eio_sid)
        if known is not None:  # a test client that joins one more namespace
            self._server.environ[eio_sid] = known.environ = environ
            return None
        try:
            self._keep(eio_sid, environ)
        except BaseException:
            # The engine refuses the client then, and does not report the end of a client that it refused.
            self._drop(eio_sid)
            raise
        return None

    def _keep(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Make the record of a new connection, and begin to wait for its first CONNECT."""
        server = self._server
        server.environ[eio_sid] = environ
        dialect = LEGACY if PROTOCOL_KEY in environ else CURRENT
        decoder = dialect.decoder_class(server.packet_class, server.limits)
        connection = Connection(eio_sid, environ, decoder, self._new_scope, concurrency.guard(), dialect)
        self._connections[eio_sid] = connection
        session = server.eio.sockets.get(eio_sid)
        if session is not None:
            connection.session, session.connection = session, connection
        self._deadlines.set(connection, server.options.connect_timeout)
        if server.observer is not None:
            server.observer.connection_opened(eio_sid, environ)
        if dialect.joins_root:
            self._runner.start_task(self.begin, connection, "/", None)

    def _drop(self, eio_sid: str) -> None:
        """Take back what :meth:`_keep` has done of its work."""
        self._server.environ.pop(eio_sid, None)
        connection = self._connections.pop(eio_sid, None)
        if connection is not None:
            connection.is_lost = True
            connection.unlink()
            self._deadlines.clear(connection)

    def close(self, eio_sid: str, reason: str) -> None:
        """Take the end of a connection: every client on it leaves."""
        server = self._server
        connection = self._connections.get(eio_sid)
        if connection is None:
            return
        self._deadlines.clear(connection)
        connection.decoder.reset()
        connection.is_lost = True
        for client in list(connection.clients.values()):
            if client.gone is not None:
                client.gone.set()
            try:
                if "_handle_disconnect" in self._seams.replaced and client.state is not NamespaceState.LEFT:
                    self._seams.call("_handle_disconnect", eio_sid, client.namespace, reason)
                else:
                    self.leave(client, reason)
            except Exception:
                server.logger.exception("%s: error while leaving", client.label)
        self._release(connection)
        if server.observer is not None:
            server.observer.connection_closed(eio_sid)

    def _release(self, connection: Connection) -> None:
        """Drop the record of a lost connection once no handler needs it any more."""
        if connection.is_lost and connection.is_deserted:
            self._connections.pop(connection.eio_sid, None)
            self._server.environ.pop(connection.eio_sid, None)
            connection.unlink()

    def stop(self) -> None:
        """Let nobody in any more and forget all deadlines."""
        self.is_closed = True
        self._deadlines.stop()
        if self._server.observer is not None:
            self._server.observer.stop()

    # Coming

    def begin(self, connection: Connection, namespace: str, auth: Any) -> None:
        """Take a CONNECT packet, and wait as :meth:`take` says."""
        concurrency.resolved(self.take(connection, namespace, auth))

    def rejoin(self, client: Client, auth: Any) -> None:
        """Take a CONNECT packet for a namespace that the client has not left; what it was leaves first."""
        connection = client.connection
        self._runner.call_unbroken(self.leave, client, Reasons.CLIENT_DISCONNECT)
        with connection.lock:
            if client.state is NamespaceState.LEAVING and not connection.is_lost:
                client.gone = self._server.eio.create_event()
        if client.gone is not None:
            concurrency.wait_event(client.gone)
        if not connection.is_lost:
            self.begin(connection, client.namespace, auth)

    def take(self, connection: Connection, namespace: str, auth: Any) -> Any:
        """Take a CONNECT packet; the next packet may be taken when what is returned, if anything, is over."""
        size = connection.decoder.packet_bytes if auth else 0
        why_not = self._inadmissible(connection, namespace, size)
        if why_not is not None:
            return self._refuse(connection, namespace, {"message": why_not})
        manager = self._server.manager
        if not manager.admits_at_once():
            return self._admit(connection, namespace, auth, size)
        return self._introduce(connection, manager.admit(connection.eio_sid, namespace), namespace, auth, size)

    def _admit(self, connection: Connection, namespace: str, auth: Any, size: int) -> None:
        sid = self._server.manager.pre_connect(connection.eio_sid, namespace)
        concurrency.resolved(self._introduce(connection, sid, namespace, auth, size))

    def _introduce(self, connection: Connection, sid: str, namespace: str, auth: Any, size: int) -> Any:
        """Add a client that the manager knows to its connection's, and let it be decided about."""
        client = self._server.manager.client_of(sid, namespace)
        if client is None:  # the application has a pre_connect() of its own
            client = Client(sid, namespace, connection, None)
            client.advance(Happening.BEGIN)
        client.connection = connection  # the manager knew it no more if it was lost meanwhile
        # Python clients send an empty object for no auth; JavaScript clients leave it out.
        client.auth, client.auth_bytes = auth or None, size
        connection.clients[namespace] = client
        if connection.is_lost:  # while the manager was asked; nobody else knows of this client
            return self._forget(client)
        if self._server.always_connect:
            return self._confirm_and_decide(client)
        return self._start_deciding(client)

    def _confirm_and_decide(self, client: Client) -> None:
        self._confirm(client)
        concurrency.resolved(self._start_deciding(client))

    def _start_deciding(self, client: Client) -> Any:
        route = self._handlers.find_route(client.namespace, "connect")
        if route is None:
            if self.write_connect is not None and self._server.manager.connects_at_once():
                return concurrency.begun(self._accept, client)
            # What the application has put in the place of fastsio's methods may need a task.
            return self._accept(client)
        self._runner.start_connecting(client, self._decide, route)
        return None

    def _inadmissible(self, connection: Connection, namespace: str, auth_bytes: int) -> str | None:
        """Say why a client cannot join *namespace*, or None."""
        server = self._server
        if self.is_closed:
            return "The server is shutting down"
        if not self._registry.accepts(namespace, server.namespaces):
            return "Invalid namespace"
        if namespace not in connection.clients and not connection.make_place(server.options.max_namespaces):
            return "Too many namespaces"
        if auth_bytes and connection.auth_bytes + auth_bytes > server.options.max_auth_bytes:
            return "Too much auth"
        return None

    def _decide(self, client: Client, route: Route) -> None:
        """Run the connect handler and do what it says."""
        context = Context(self._server, client, "connect", (client.auth,))
        variables = self._runner.variables()
        failure: BaseException | None = None
        try:
            accepted = concurrency.answered(route.call(context))
            payload = refusal() if accepted is False else None
        except Exception as exc:  # noqa: BLE001 - whatever fails, the client is told and forgotten
            failure = context.fail(exc)
            payload = self._refusal_of(client, failure, route, context)
        except BaseException as exc:
            failure = exc
            if client.state is not NamespaceState.LEFT:
                self._forget(client)
            raise
        finally:
            client.connecting = None
            if context.stack is not None:
                self._handlers.close_context(context, failure)
        if payload is None:
            self._runner.keep_variables(client, variables)
        self._conclude(client, payload)

    def _conclude(self, client: Client, payload: dict[str, Any] | None) -> None:
        """Accept or refuse a client whose connect handler is done; *payload* is the refusal."""
        if client.state is NamespaceState.LEFT:
            return
        if payload is None and client.state is NamespaceState.CONNECTING:
            self._accept(client)
            return
        self._forget(client)
        # A refusal after CONNECT is a DISCONNECT, which has no payload.
        if self._server.always_connect:
            self._send(client.connection, PacketType.DISCONNECT, client.namespace)
        else:
            self._refuse(client.connection, client.namespace, payload or refusal())

    def _accept(self, client: Client) -> None:
        server, connection = self._server, client.connection
        # A thread that ends the client waits until the client has been told that it is connected.
        with connection.lock:
            if not client.try_advance(Happening.ACCEPT, NamespaceState.CONNECTING):
                return
            connection.has_joined = True
            self._deadlines.clear(connection)
            if connection.decoder.pending:
                self.watch_attachments(connection)
            if not server.always_connect:
                self._confirm(client)
            if client.state is not NamespaceState.CONNECTED:  # what the application sends with has taken its time
                return
            server.manager.connect(client.sid, client.namespace)
            if server.observer is not None:
                server.observer.client_connected(client)
        held, client.held = client.held, None
        if held is not None:
            for packet, size in held.packets:
                self._runner.start_held(client, packet, counted_bytes(size))

    def _refusal_of(self, client: Client, exc: Exception, route: Route, context: Context) -> dict[str, Any]:
        """Return the CONNECT_ERROR payload for a connect handler that raised."""
        if isinstance(exc, Refused):
            return exc.error_args
        failure = describe(exc, "connect")
        endpoint = self._registry.exception_endpoint(exc, route.scopes)
        if endpoint is not None:
            try:
                return {
                    "message": failure.msg,
                    "data": self._handlers.run_exception_handler(endpoint, context, exc),
                }
            except Exception as raised:  # noqa: BLE001 - the handler's own failure is described instead
                exc, failure = raised, describe(raised, "connect")
        if isinstance(exc, ConnectionRefusedError) and exc.errno is None:
            return refusal(REFUSED)
        if not is_expected(exc):
            self._server.logger.error("%s: error in the connect handler", client.label, exc_info=exc)
        if isinstance(exc, ConnectionRefusedError):  # the operating system's: something the handler needs is not there
            return refusal(REFUSED)
        return {"message": failure.msg, "data": failure.as_dict()}

    def hold(self, client: Client, packet: Packet) -> None:
        """Keep an event that a client sent after CONNECT was answered but before its handler has decided."""
        if client.held is None:
            client.held = Held()
        options = self._server.options
        size = client.connection.decoder.packet_bytes
        limits = {"most": options.max_held_packets, "most_bytes": options.max_held_bytes}
        if not client.held.add([(packet, size)], size, **limits):
            self._handlers.break_off(client.connection, "too many events before connect was decided")

    # Going

    def leave(self, client: Client, reason: str) -> None:
        """Take the leave of a client that ended the namespace or lost its connection."""
        # Handlers of what it sent before have been started, but may not have begun; they come first.
        self._runner.let_begin(client.connection)
        if client.try_advance(Happening.LEAVE, NamespaceState.CONNECTED):
            self._disconnect(client, reason)
        elif client.state is NamespaceState.CONNECTING or client.connecting is not None:
            connecting = client.connecting
            self._forget(client)
            if connecting is not None:
                concurrency.cancel(connecting)

    def dismiss(self, client: Client) -> None:
        """End a client's namespace from the server's side."""
        if client.try_advance(Happening.LEAVE, NamespaceState.CONNECTING):
            # Its connect handler runs on, often it is the caller; the client is refused when it is done.
            return
        if client.try_advance(Happening.LEAVE, NamespaceState.CONNECTED):
            self._send(client.connection, PacketType.DISCONNECT, client.namespace)
            self._disconnect(client, Reasons.SERVER_DISCONNECT)

    def _disconnect(self, client: Client, reason: str) -> None:
        """Let a client that is leaving go, its disconnect handler first."""
        self._server.manager.pre_disconnect(client.sid, client.namespace)
        try:
            self._runner.call_in_variables(client, self._run_disconnect_handler, client, reason)
        finally:
            if self._server.observer is not None:
                self._server.observer.client_disconnected(client, reason)
            self._forget(client)

    def _run_disconnect_handler(self, client: Client, reason: str) -> None:
        server = self._server
        route = self._handlers.find_route(client.namespace, "disconnect")
        if route is None:
            return
        context = Context(server, client, "disconnect", (), reason)
        failure: BaseException | None = None
        try:
            concurrency.answered(route.call(context))
        except Exception as exc:
            failure = exc
            endpoint = self._registry.exception_endpoint(exc, route.scopes)
            if endpoint is None:
                server.logger.exception("%s: error in the disconnect handler", client.label)
            else:
                self._run_quietly(client, endpoint, context, exc)
        finally:
            if context.stack is not None:
                self._handlers.close_context(context, failure)

    def _run_quietly(self, client: Client, endpoint: Any, context: Context, exc: Exception) -> None:
        try:
            self._handlers.run_exception_handler(endpoint, context, exc)
        except Exception:
            self._server.logger.exception("%s: error in an exception handler", client.label)

    def _forget(self, client: Client) -> None:
        """Leave nothing of a client behind but the knowledge that it was there."""
        if not client.try_advance(Happening.GONE, NamespaceState.CONNECTING, NamespaceState.LEAVING):
            return
        client.held = None
        try:
            self._take_away(client)
        finally:
            if client.gone is not None:
                client.gone.set()

    def _take_away(self, client: Client) -> None:
        """Take a client out of its rooms and close what its dependencies keep."""
        try:
            self._server.manager.disconnect(client.sid, client.namespace, ignore_queue=True)
        finally:
            self._release(client.connection)
        self._server.room_keeper.client_left(client)
        # The record stays for as long as the connection.
        client.auth, client.auth_bytes = None, 0
        scope = client.used_scope
        if scope is not None:
            try:
                scope.close()
            except Exception:
                self._server.logger.exception("%s: error while closing a dependency of the connection", client.label)

    # Waiting

    def watch_attachments(self, connection: Connection) -> None:
        """Close the connection unless the packet under way is complete in time."""
        if not connection.timer_key:
            self._deadlines.set(connection, self._server.options.attachment_timeout)

    def attachments_arrived(self, connection: Connection) -> None:
        """Take back what :meth:`watch_attachments` set; the time to join a first namespace runs on."""
        if any(client.state is NamespaceState.CONNECTED for client in list(connection.clients.values())):
            self._deadlines.clear(connection)

    def _on_due(self, connections: list[Any]) -> None:
        for connection in connections:
            why = "attachments are missing" if connection.decoder.pending else "no namespace joined in time"
            try:
                self._runner.start_task(self._handlers.break_off, connection, why)
            except Exception:
                self._server.logger.exception("A connection whose time is up cannot be closed")
                self._deadlines.set(connection, self._server.options.connect_timeout)

    def _confirm(self, client: Client) -> None:
        payload = client.connection.dialect.confirmation(client.sid)
        write, session = self.write_connect, client.connection.session
        if write is not None and session is not None and client.namespace == "/" and payload is not None:
            waiting = session.write_text(write(payload))
            if waiting is not None:
                concurrency.resolved(waiting)
            return
        # There are no bytes in it to look for.
        packet = self._server.packet_class(PacketType.CONNECT, payload, client.namespace, binary=False)
        self._handlers.send(client.connection.eio_sid, packet)

    def _refuse(self, connection: Connection, namespace: str, payload: dict[str, Any]) -> None:
        dialect = connection.dialect
        try:
            self._send(connection, PacketType.CONNECT_ERROR, namespace, dialect.refusal(payload))
        except (TypeError, ValueError):
            self._server.logger.exception("%s: the refusal cannot be sent as it is", label(connection.eio_sid))
            self._send(connection, PacketType.CONNECT_ERROR, namespace, dialect.refusal(refusal()))

    def _send(self, connection: Connection, packet_type: PacketType, namespace: str, payload: Any = None) -> None:
        packet = self._server.packet_class(packet_type, payload, namespace)
        self._handlers.send(connection.eio_sid, packet)
