"""
The lifecycle of clients: CONNECT, refusals, DISCONNECT, and the connect and disconnect handlers.

:mod:`fastsio.protocol.lifecycle` decides the steps, and this module takes them. It keeps the records of connections,
and must not know events.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.aio.connect_replies import ConnectReplies
from fastsio.aio.connection_scope import TaskScope
from fastsio.aio.runner import new_deadlines
from fastsio.base.options import counted_bytes
from fastsio.base.recovery import split_auth
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.exceptions import refusal
from fastsio.injection import Context
from fastsio.protocol import CURRENT, LEGACY, Happening, NamespaceState, PacketType
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import describe, is_expected
from fastsio.state import Client, Connection, Held

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fastsio.aio.recovery import Recovery
    from fastsio.aio.runner import HandlerRunner
    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import Handlers, PartServer
    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.state.members import Member
    from fastsio.state.recovery import ClientRecovery, Found

#: The message for a client if a handler raises the builtin ConnectionRefusedError, whose own text may name a database.
REFUSED: Final = "Connection refused by server"


class Lifecycle:
    """
    Lets clients in and out; *handlers* calls their connect and disconnect handlers, and sends them packets.

    Attributes:
        replies: Sends the replies to CONNECT.
        is_closed: True once the server shuts down: clients are refused from then on.
    """

    def __init__(self, server: PartServer, shared: ServerInternals, handlers: Handlers, runner: HandlerRunner) -> None:
        self._server = server
        self._shared = shared
        self._recovery: Recovery | None = shared.recovery
        self._options = shared.options
        self._handlers = handlers
        self._runner = runner
        self._registry = shared.registry
        self._seams = shared.seams
        self._connections = shared.connections
        self._new_scope = partial(TaskScope, server)
        self._deadlines = new_deadlines(self._on_due, server.eio)
        self.replies = ConnectReplies(server, handlers, runner)
        self.is_closed = False
        self._is_silent = False

    # Connections

    def open(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Make the record of a new Engine.IO connection; return False to refuse the connection."""
        if self.is_closed:
            return False
        known = self._connections.get(eio_sid)
        if known is not None:  # a test client that joins one more namespace
            self._server.environ[eio_sid] = known.environ = environ
            return None
        try:
            self._add_connection(eio_sid, environ)
        except BaseException:
            # The engine then refuses the client, and does not report the end of a refused connection.
            self._remove_connection(eio_sid)
            raise
        return None

    def _add_connection(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Make the record of a new connection, and start the deadline for its first CONNECT."""
        server = self._server
        server.environ[eio_sid] = environ
        dialect = LEGACY if PROTOCOL_KEY in environ else CURRENT
        decoder = dialect.decoder_class(server.packet_class, self._shared.limits)
        connection = Connection(eio_sid, environ, decoder, self._new_scope, concurrency.guard(), dialect)
        self._connections[eio_sid] = connection
        session = server.eio.sockets.get(eio_sid)
        if session is not None:
            connection.session, session.connection = session, connection
        self._deadlines.set(connection, self._options.connect_timeout)
        if self._shared.observer is not None:
            self._shared.observer.connection_opened(eio_sid, environ)
        if dialect.joins_root:
            self._runner.start_task(self.begin, connection, "/", None)

    def _remove_connection(self, eio_sid: str) -> None:
        """Remove the record of a connection, and what else :meth:`_add_connection` has made of it before it failed."""
        self._server.environ.forget(eio_sid)
        connection = self._connections.pop(eio_sid, None)
        if connection is not None:
            connection.is_lost = True
            connection.unlink()
            self._deadlines.clear(connection)
        if self._shared.observer is not None:
            self._shared.observer.connection_closed(eio_sid)

    async def close(self, eio_sid: str, reason: str) -> None:
        """Handle the end of an Engine.IO connection: every client of it leaves."""
        connection = self._connections.get(eio_sid)
        if connection is None or connection.is_lost:
            return
        self._deadlines.clear(connection)
        connection.decoder.reset()
        with nullcontext() if self._recovery is None else self._recovery.state.lock:  # no session is restored meanwhile
            connection.is_lost = True
        with connection.lock:
            pass  # wait until a client that is being accepted is; from now on none is accepted
        with self._runner.noted_as_leaving():
            for client in list(connection.clients.values()):
                await self._leave_lost(client, reason)
        self._release(connection)
        if self._shared.observer is not None:
            self._shared.observer.connection_closed(eio_sid)

    async def _leave_lost(self, client: Client, reason: str) -> None:
        if client.gone is not None:
            client.gone.set()
        try:
            if "_handle_disconnect" in self._seams.replaced and client.state is not NamespaceState.LEFT:
                await self._seams.call("_handle_disconnect", client.eio_sid, client.namespace, reason)
            else:
                await self.leave(client, reason)
        except Exception:
            self._server.logger.exception("%s: error while leaving", client.label)

    def _release(self, connection: Connection) -> None:
        """Remove the record of a lost connection, if all of its clients have left."""
        if connection.is_lost and connection.is_deserted:
            self._connections.pop(connection.eio_sid, None)
            self._server.environ.forget(connection.eio_sid)
            # Only asyncio:
            self._runner.outlive(connection)
            # Both:
            connection.unlink()

    def start(self) -> None:
        """Let clients in again, after :meth:`stop`."""
        self.is_closed = self._is_silent = False
        if self._recovery is not None:
            self._recovery.state.start()
        if self._shared.observer is not None:
            self._shared.observer.start()

    def stop(self, *, refuses: bool) -> None:
        """
        Refuse clients from now on, and cancel all deadlines.

        With *refuses*, CONNECT on a connection that is about to end is answered with CONNECT_ERROR, and the client does
        not reconnect; without an answer it does.
        """
        self.is_closed = True
        self._is_silent = not refuses
        if self._recovery is not None:
            self._recovery.state.stop()
        self._deadlines.stop()
        if self._shared.observer is not None:
            self._shared.observer.stop()

    # Clients connect

    async def begin(self, connection: Connection, namespace: str, auth: Any) -> None:
        """Handle a CONNECT packet, and wait for what :meth:`handle_connect` returns."""
        await concurrency.resolved(self.handle_connect(connection, namespace, auth))

    async def rejoin(self, client: Client, auth: Any) -> None:
        """Handle a CONNECT packet for a namespace that has a client already: it leaves, then a new one joins."""
        connection = client.connection
        await self._runner.call_unbroken(self.leave, client, Reasons.CLIENT_DISCONNECT)
        with connection.lock:
            if client.state is NamespaceState.LEAVING and not connection.is_lost:
                client.gone = self._server.eio.create_event()
        if client.gone is not None:
            await concurrency.wait_event(client.gone)
        if not connection.is_lost:
            await self.begin(connection, client.namespace, auth)

    def handle_connect(self, connection: Connection, namespace: str, auth: Any) -> Awaitable[None] | None:
        """Handle a CONNECT packet; return what to await before the connection's next packet is handled, or None."""
        if self.is_closed and self._is_silent:
            return None
        size = connection.decoder.packet_bytes if auth else 0
        why_not = self._shared.reason_to_refuse(connection, namespace, size, self._server.namespaces)
        if why_not is not None:
            return self.replies.refuse(connection, namespace, {"message": why_not})
        if self._recovery is not None and connection.dialect is CURRENT:
            auth, pid, offset = split_auth(auth)
            if pid is not None:
                # If this connection is lost too, the session is found and kept again all the same.
                return self._runner.call_unbroken(
                    self._handle_recovery, self._recovery, connection, namespace, (auth, size), pid, offset
                )
        manager = self._server.manager
        if not manager.admits_at_once():
            return self._admit(connection, namespace, auth, size)
        return self._add_client(connection, manager.admit(connection.eio_sid, namespace), namespace, auth, size)

    async def _admit(self, connection: Connection, namespace: str, auth: Any, size: int) -> None:
        sid = await self._server.manager.pre_connect(connection.eio_sid, namespace)
        await concurrency.resolved(self._add_client(connection, sid, namespace, auth, size))

    async def _handle_recovery(
        self,
        recovery: Recovery,
        connection: Connection,
        namespace: str,
        auth: tuple[Any, int],
        pid: str,
        offset: str | None,
    ) -> None:
        """Handle the CONNECT of a client that asks for its old session; without one it is a new client."""
        found = await recovery.find(namespace, pid, offset)
        if found is None:
            await self._admit(connection, namespace, *auth)
            return
        key = connection.eio_sid, namespace
        recovery.returning[key] = found.session.sid
        try:
            sid = await self._server.manager.pre_connect(connection.eio_sid, namespace)
        except BaseException:
            recovery.give_up(found)
            raise
        finally:
            del recovery.returning[key]
        if sid != found.session.sid:  # the application has a pre_connect() of its own
            recovery.give_up(found)
            found = None
        await concurrency.resolved(self._add_client(connection, sid, namespace, *auth, found))

    def _add_client(
        self, connection: Connection, sid: str, namespace: str, auth: Any, size: int, found: Found | None = None
    ) -> Awaitable[None] | None:
        """Add a client, which the manager has, to its connection, and start its connect handler."""
        client = self._server.manager.client_of(sid, namespace)
        if client is None:  # the application has a pre_connect() of its own
            client = Client(sid, namespace, connection)
            client.advance(Happening.BEGIN)
        client.connection = connection  # a connection that was lost meanwhile is not known to the manager
        # Python clients send an empty object for no auth; JavaScript clients leave it out.
        client.auth, client.auth_bytes = auth or None, size
        connection.clients[namespace] = client
        recovery = self._recovery
        if connection.is_lost:  # while pre_connect() ran: close() has not seen this client
            if recovery is not None and found is not None:
                recovery.give_up(found)
            return self._remove_client(client)
        if recovery is not None:
            is_back = found is not None and recovery.restore(client, found)
            if not is_back and connection.is_lost:
                return self._remove_client(client)
            if not is_back and client.recovery is None:
                recovery.state.begin(client)
        if self._server.always_connect:
            return self._tell_and_start_handler(client)
        return self._start_connect_handler(client)

    async def _tell_and_start_handler(self, client: Client) -> None:
        with client.connection.lock:
            waiting = await self.replies.confirm(client)
        await self.replies.wait_until_read(waiting)
        await concurrency.resolved(self._start_connect_handler(client))

    def _start_connect_handler(self, client: Client) -> Awaitable[None] | None:
        route = self._handlers.find_route(client.namespace, "connect")
        if route is None:
            if self.replies.write_connect is not None and self._server.manager.connects_at_once():
                return concurrency.begun(self._accept, client)
            # A method with which the application replaces one of fastsio's may need a task.
            return self._accept(client)
        self._runner.start_connecting(client, self._run_connect_handler, route)
        return None

    async def _run_connect_handler(self, client: Client, route: Route) -> None:
        """Run the connect handler, and accept or refuse the client as it says."""
        context = Context(self._server, client, "connect", (client.auth,))
        variables = self._runner.variables()
        failure: BaseException | None = None
        try:
            call = route.call
            if client.recovered and self._recovery is not None and self._recovery.options.skip_middlewares:
                call = route.call_handler
            accepted = await concurrency.answered(call(context))
            payload = refusal() if accepted is False else None
        except Exception as exc:  # noqa: BLE001 - whatever fails, the client is told and forgotten
            failure = await context.afail(exc)
            payload = await self._refusal_of(client, failure, route, context)
        except BaseException as exc:
            failure = exc
            if client.state is not NamespaceState.LEFT:
                await self._remove_client(client)
            raise
        finally:
            client.connecting = None
            if context.stack is not None:
                await self._handlers.close_context(context, failure)
        if payload is None:
            self._runner.keep_variables(client, variables)
        await self._finish_connecting(client, payload)

    async def _finish_connecting(self, client: Client, payload: dict[str, Any] | None) -> None:
        """Accept or refuse a client whose connect handler is done; *payload* is the refusal."""
        if client.state is NamespaceState.LEFT:
            return
        if payload is None and client.state is NamespaceState.CONNECTING:
            await self._accept(client)
            return
        await self._remove_client(client)
        # A refusal after CONNECT is a DISCONNECT, which has no payload.
        if self._server.always_connect:
            await self.replies.send(client.connection, PacketType.DISCONNECT, client.namespace)
        else:
            await self.replies.refuse(client.connection, client.namespace, payload or refusal())

    async def _accept(self, client: Client) -> None:
        server, connection = self._server, client.connection
        recovery, members = client.recovery, None
        if recovery is not None and (recovery.members or recovery.joined):
            members = await self._let_back_in(client, recovery)
        with connection.lock:
            # The client of a lost connection is about to leave, which may take time; it is not accepted meanwhile.
            if connection.is_lost or not client.try_advance(Happening.ACCEPT):
                return
            self._deadlines.clear(connection)
            connection.loosen_environ()
            server.environ.loosen(connection.eio_sid)
            if connection.decoder.pending:
                self.watch_attachments(connection)
            missed = [] if recovery is None or self._recovery is None else self._recovery.state.take_missed(client)
            waiting, is_caught_up = None, not (missed or client.has_overflowed)
            if is_caught_up:
                # A thread that disconnects the client waits until CONNECT has been answered.
                waiting = None if server.always_connect else await self.replies.confirm(client)
                await server.manager.connect(client.sid, client.namespace)
                self._report_connected(client)
        if is_caught_up:
            if waiting is not None:
                await self.replies.wait_until_read(waiting)
        elif not await self._catch_up(client, missed):
            return
        if members:
            self._runner.start_task(self._shared.room_keeper.join_again, client, members)
        held, client.held = client.held, None
        for packet, size in () if held is None else held.packets:
            self._runner.start_held(client, packet, counted_bytes(size))

    async def _let_back_in(self, client: Client, recovery: ClientRecovery) -> list[Member]:
        """Return the members of rooms that a client, which was away for long or on another node, may become again."""
        keeper, members = self._shared.room_keeper, list(recovery.members)
        if recovery.joined:
            members += await keeper.members_elsewhere(client, recovery.joined, self._shared.room_class_of)
        allowed: list[Member] = await keeper.let_back_in(client, members)
        return allowed

    async def _refusal_of(self, client: Client, exc: Exception, route: Route, context: Context) -> dict[str, Any]:
        """Return the CONNECT_ERROR payload for a connect handler that raised."""
        if isinstance(exc, Refused):
            return exc.error_args
        failure = describe(exc, "connect")
        endpoint = self._registry.exception_endpoint(exc, route.scopes)
        if endpoint is not None:
            try:
                return {
                    "message": failure.msg,
                    "data": await self._handlers.run_exception_handler(endpoint, context, exc),
                }
            except Exception as raised:  # noqa: BLE001 - the handler's own failure is described instead
                exc, failure = raised, describe(raised, "connect")
        if isinstance(exc, ConnectionRefusedError) and exc.errno is None:
            return refusal(REFUSED)
        if not is_expected(exc):
            self._server.logger.error("%s: error in the connect handler", client.label, exc_info=exc)
        if isinstance(exc, ConnectionRefusedError):  # of a socket: a service that the handler needs does not answer
            return refusal(REFUSED)
        return {"message": failure.msg, "data": failure.as_dict()}

    async def hold(self, client: Client, packet: Packet) -> None:
        """Keep an event that a client sent after CONNECT was answered but before its handler has decided."""
        if client.held is None:
            client.held = Held()
        options = self._options
        size = client.connection.decoder.packet_bytes
        limits = {"most": options.max_held_packets, "most_bytes": options.max_held_bytes}
        if not client.held.add([(packet, size)], size, **limits):
            await self._handlers.break_off(client.connection, "too many events before connect was decided")

    # Clients leave

    async def leave(self, client: Client, reason: str) -> None:
        """Handle the end of a client that has left its namespace or lost its connection."""
        if client.recovery is not None and not client.connection.is_lost:
            # It has sent a DISCONNECT. Its connection may be lost too before its disconnect handler returns.
            client.recovery.is_over = True
        # The handlers of its earlier events have been started but may not have begun; they begin first.
        await self._runner.let_begin(client.connection)
        if client.try_advance(Happening.LEAVE, only=NamespaceState.CONNECTED):
            await self._disconnect(client, reason)
        elif client.state is NamespaceState.CONNECTING or client.connecting is not None:
            connecting = client.connecting
            if client.recovery is not None and client.recovery.restored is not None:
                await self._keep_and_remove(client, reason)
            else:
                await self._remove_client(client)
            # At a shutdown the connect handler has as much time as any handler; it may have called shutdown() itself.
            if connecting is not None and reason != Reasons.SERVER_SHUTDOWN:
                concurrency.cancel(connecting)

    async def dismiss(self, client: Client) -> None:
        """Disconnect a client from its namespace, for the server."""
        if client.recovery is not None:
            client.recovery.is_over = True
        if client.try_advance(Happening.LEAVE, only=NamespaceState.CONNECTING):
            # Its connect handler, which is often the caller, continues; when it returns, the client is refused.
            return
        if client.try_advance(Happening.LEAVE, only=NamespaceState.CONNECTED):
            if client.is_told:
                await self.replies.send(client.connection, PacketType.DISCONNECT, client.namespace)
            else:  # it is sent what it has missed
                await self.replies.refuse(client.connection, client.namespace, refusal())
            await self._disconnect(client, Reasons.SERVER_DISCONNECT)

    async def end_connection(self, eio_sid: str) -> None:
        """End a connection from the server's side, after each of its clients."""
        connection = self._connections.get(eio_sid)
        if connection is not None:
            for client in connection.active():
                await self.dismiss(client)
        await self._server.eio.close_client(eio_sid, Reasons.SERVER_DISCONNECT)

    async def end_transport(self, eio_sid: str) -> None:
        """End a connection because the server shuts down, without a DISCONNECT, so that its client connects again."""
        connection = self._connections.get(eio_sid)
        if connection is None or connection.is_lost:  # its disconnect handlers have been called
            return
        self._server.eio.leave_client(eio_sid)
        await self._server.eio.run_disconnect(eio_sid, Reasons.SERVER_SHUTDOWN)

    async def _disconnect(self, client: Client, reason: str) -> None:
        """Run the disconnect handler of a client that is leaving, then remove the client."""
        self._server.manager.pre_disconnect(client.sid, client.namespace)
        try:
            await self._runner.call_in_variables(client, self._run_disconnect_handler, client, reason)
        finally:
            if self._shared.observer is not None:
                self._shared.observer.client_disconnected(client, reason)
            await self._keep_and_remove(client, reason)

    async def _keep_and_remove(self, client: Client, reason: str) -> None:
        """Keep the session of a client that may come back, before it leaves its rooms; then remove the client."""
        connection, recovery = client.connection, self._recovery
        session = connection.session
        has_ended = reason == Reasons.SERVER_DISCONNECT or (session is not None and session.broke_protocol)
        try:
            if recovery is not None and connection.is_lost and not has_ended:
                await recovery.keep(client)
        finally:
            await self._remove_client(client)

    async def _run_disconnect_handler(self, client: Client, reason: str) -> None:
        server = self._server
        route = self._handlers.find_route(client.namespace, "disconnect")
        if route is None:
            return
        context = Context(server, client, "disconnect", (), reason)
        failure: BaseException | None = None
        try:
            await concurrency.answered(route.call(context))
        except Exception as exc:
            failure = exc
            endpoint = self._registry.exception_endpoint(exc, route.scopes)
            if endpoint is None:
                server.logger.exception("%s: error in the disconnect handler", client.label)
            else:
                await self._run_quietly(client, endpoint, context, exc)
        finally:
            if context.stack is not None:
                await self._handlers.close_context(context, failure)

    async def _run_quietly(self, client: Client, endpoint: Any, context: Context, exc: Exception) -> None:
        try:
            await self._handlers.run_exception_handler(endpoint, context, exc)
        except Exception:
            self._server.logger.exception("%s: error in an exception handler", client.label)

    async def _remove_client(self, client: Client) -> None:
        """Remove a client; its record, in the state LEFT, stays with the connection."""
        if not client.try_advance(Happening.GONE):
            return
        client.held = None
        try:
            await self._remove_from_rooms(client)
        finally:
            if client.gone is not None:
                client.gone.set()

    async def _remove_from_rooms(self, client: Client) -> None:
        """Remove a client from the manager, which may be the application's and fail, and from its rooms."""
        try:
            await self._server.manager.disconnect(client.sid, client.namespace, ignore_queue=True)
        finally:
            self._release(client.connection)
            try:
                await self._end_memberships(client)
            finally:
                if self._recovery is not None:  # from now on the client may come back
                    self._recovery.state.forget(client)

    async def _end_memberships(self, client: Client) -> None:
        """Let a client leave its rooms unless it may come back, and close its connection-scoped dependencies."""
        recovery = self._recovery
        if recovery is None or not recovery.state.is_away(client.namespace, client.sid):
            await self._shared.room_keeper.client_left(client)
        # The record lives as long as the connection.
        client.auth, client.auth_bytes = None, 0
        scope = client.used_scope
        if scope is not None:
            await self._close_scope(client, scope)

    async def _close_scope(self, client: Client, scope: Any) -> None:
        try:
            await scope.aclose()
        except Exception:
            self._server.logger.exception("%s: error while closing a dependency of the connection", client.label)

    # Deadlines and packets

    def watch_attachments(self, connection: Connection) -> None:
        """Close the connection unless the packet under way is complete in time."""
        if not connection.timer_key:
            self._deadlines.set(connection, self._options.attachment_timeout)

    def stop_watching(self, connection: Connection) -> None:
        """Cancel the deadline of a connection that has a connected client."""
        self._deadlines.clear(connection)

    def attachments_arrived(self, connection: Connection) -> None:
        """Cancel the deadline of :meth:`watch_attachments`, but not that for the first CONNECT."""
        if any(client.state is NamespaceState.CONNECTED for client in list(connection.clients.values())):
            self._deadlines.clear(connection)

    def _on_due(self, connections: list[Any]) -> None:
        for connection in connections:
            why = "attachments are missing" if connection.decoder.pending else "no namespace joined in time"
            try:
                self._runner.start_task(self._handlers.break_off, connection, why)
            except Exception:
                self._server.logger.exception("A connection whose time is up cannot be closed")
                self._deadlines.set(connection, self._options.connect_timeout)

    async def _catch_up(self, client: Client, batches: list[Any]) -> bool:
        """
        Send a client what it has missed, and answer its CONNECT; others do not wait for it meanwhile.

        Return False if the client has left meanwhile, or cannot take all of that: its connection is closed then.
        """
        recovery, connection = self._recovery, client.connection
        # JavaScript clients keep what comes before the answer, also if that is lost with the connection. Then they get
        # it once more, so it should not be much.
        if recovery is None or not await self.replies.send_missed(client, batches[:1]):
            return False
        # A thread that disconnects the client refuses it before this, or sends DISCONNECT after it.
        with connection.lock:
            if client.state is not NamespaceState.CONNECTED:
                return False
            waiting = await self.replies.confirm(client)
        await self.replies.wait_until_read(waiting)
        following: list[Any] | None = batches[1:]
        while following or client.has_overflowed:
            if not await self.replies.send_missed(client, following or ()):
                return False
            following = recovery.state.read_on(client)
            if following is None:
                recovery.state.cut_off(client)
                return False
        with connection.lock:
            if client.state is not NamespaceState.CONNECTED:
                return False
            await self._server.manager.connect(client.sid, client.namespace)
            self._report_connected(client)
        return True

    def _report_connected(self, client: Client) -> None:
        """Report a client that has been let in, and to which events are sent from now on."""
        if self._recovery is not None:
            self._recovery.state.changed(client)
        if self._shared.observer is not None:
            self._shared.observer.client_connected(client)
