"""
The public face of the asyncio server: python-socketio's methods.

Each checks its arguments, asks the manager or the client's record, and sends.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastsio.aio.acks import AckWaiter
from fastsio.aio.dispatcher import PacketServer
from fastsio.aio.instrumented import InstrumentedAsyncServer
from fastsio.aio.rooms import RoomKeeper
from fastsio.aio.session import SessionContext
from fastsio.base.emit_args import check_callback, check_event_name, wait_option
from fastsio.base.rooms import Room
from fastsio.protocol import NamespaceState
from fastsio.routing import place_of
from fastsio.state.room_names import entered_room, plain_room

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.state import Client
    from fastsio.types import AckCallback, EventName, Rooms, Sids


class ServerAPI(PacketServer):
    """What applications call: python-socketio's methods, with its names and arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room_keeper = RoomKeeper(self)

    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serve one request; arguments and result are the web framework's."""
        return await self.eio.handle_request(*args, **kwargs)

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
        Send an event to one client, a room, several rooms, or everybody.

        Args:
            event: Event name; the protocol's own names are reserved.
            data: JSON-compatible payload, pydantic models included. A tuple is sent as several arguments, None as
                none; bytes travel as attachments.
            to: A sid or room, or any iterable of them; each client gets the event once. None is everybody, an empty
                iterable is nobody.
            room: The same as *to*.
            skip_sid: The sid, or any iterable of sids, to leave out.
            namespace: The namespace; None is ``"/"``, for the object of a room class where that is registered.
            callback: Called with what each client acknowledges.
            ignore_queue: Send to this process's clients only.
            wait: Whether to wait while a client of this process is behind and reads. The event is in its place before
                the wait begins; a caller that must not wait says False.

        Raises:
            ValueError: The event's name is not valid, or the namespace has no slash in front.
            TypeError: The callback cannot be called, or awaited.
        """
        check_event_name(event)
        if callback is not None:
            check_callback(callback, asynchronous=self.is_asyncio_based())
        target = room if to is None else to
        place = namespace or ("/" if target is None or type(target) is str else self._namespace_of(target))
        if namespace and (type(namespace) is not str or namespace[0] != "/"):  # here, for it is once for each event
            place = place_of(namespace)
        if self._event_log is not None:
            self._event_log.emitting(event, self._label(target) if isinstance(target, str) else target, place)
        emit = self.manager.emit
        if not wait:  # managers of other packages do not know it
            emit = partial(emit, wait=False)
        await emit(
            event,
            data,
            place,
            room=target,
            skip_sid=skip_sid,
            callback=callback,
            ignore_queue=ignore_queue,
        )

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
        await self.emit(
            "message",
            data=data,
            to=to,
            room=room,
            skip_sid=skip_sid,
            namespace=namespace,
            callback=callback,
            ignore_queue=ignore_queue,
            **wait_option(wait=wait),
        )

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
        await self.emit(event, data, room=target, namespace=namespace, callback=waiter, ignore_queue=ignore_queue)
        return await waiter.wait(timeout)

    # Rooms

    async def enter_room(self, sid: str, room: Hashable, namespace: str | None = None) -> None:
        """
        Put a client into a room; into that of a room class without its hooks.

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
            self._event_log.entering(self._label(sid), name, place)
        await self.manager.enter_room(sid, place, name)

    async def leave_room(self, sid: str, room: Hashable, namespace: str | None = None) -> None:
        """
        Take a client out of a room.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        place, name = self._place(room, namespace), plain_room(room)
        if self._event_log is not None:
            self._event_log.leaving(self._label(sid), name, place)
        await self.manager.leave_room(sid, place, name)

    async def close_room(self, room: Hashable, namespace: str | None = None) -> None:
        """
        Take everybody out of a room.

        Raises:
            ValueError: The room is a client's own, or the namespace has no slash in front.
        """
        place, name = self._place(room, namespace), plain_room(room)
        if self._event_log is not None:
            self._event_log.closing(name, place)
        await self.manager.close_room(name, place)

    # Clients

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """
        Return a client's transport, ``"polling"`` or ``"websocket"``.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        eio_sid = self._client(sid, place_of(namespace)).eio_sid
        transport: str = self.eio.transport(eio_sid)
        return transport

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """
        Return a client's session.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        return self._client(sid, place_of(namespace)).session

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """
        Replace a client's session.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        self._client(sid, place_of(namespace)).session = session

    def session(self, sid: str, namespace: str | None = None) -> SessionContext:
        """
        Return a client's session as an asynchronous context manager that saves it at its end.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        place_of(namespace)  # with the call, not only when the session is read
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
        name = place_of(namespace)
        client = self._find_client(sid, name)
        if client is not None and self._event_log is not None:
            self._event_log.disconnecting(client.label, name)
        if client is not None and client.state is NamespaceState.CONNECTING:
            await self._lifecycle.dismiss(client)
            return
        is_ours = self.manager.is_connected(sid, name) if ignore_queue else await self.manager.can_disconnect(sid, name)
        if is_ours and client is not None:
            await self._lifecycle.dismiss(client)

    async def _end(self, eio_sid: str) -> None:
        """End a connection and what its client has in every namespace."""
        connection = self._connections.get(eio_sid)
        if connection is not None:
            for client in connection.active():
                await self._lifecycle.dismiss(client)
        await self.eio.close_client(eio_sid, self.reason.SERVER_DISCONNECT)

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
                lets everybody in.
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

    async def sleep(self, seconds: float = 0) -> None:
        """Wait without keeping others from running."""
        await self.eio.sleep(seconds)

    def _place(self, room: Hashable, namespace: str | None) -> str:
        """Return the namespace that a call about a room is about."""
        return place_of(namespace) if namespace else self._namespace_of(room)

    def _namespace_of(self, target: Any) -> str:
        """Return where a room is, or the first of several, unless the call says it."""
        first = next(iter(target), None) if isinstance(target, (list, tuple, set, frozenset)) else target
        return first.namespace_on(self) if isinstance(first, Room) else "/"

    def _client(self, sid: str, namespace: str) -> Client:
        client = self._find_client(sid, namespace)
        if client is None:
            raise KeyError("Session not found")
        return client
