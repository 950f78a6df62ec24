"""
The public face of the asyncio server: python-socketio's methods.

Each checks its arguments, asks the manager or the client's record, and sends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.dispatch import PacketServer
from fastsio.aio.namespace import AsyncNamespace
from fastsio.aio.session import SessionContext
from fastsio.aio.waiter import AckWaiter
from fastsio.base.emission import check_event_name
from fastsio.exceptions import SetupError
from fastsio.protocol import NamespaceState

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.state import Client

__all__ = ["AsyncNamespace", "AsyncServer"]


class AsyncServer(PacketServer):
    """
    A Socket.IO server for asyncio.

    Args:
        client_manager: Keeps the clients; None is an :class:`AsyncManager`, for one process.
        logger: True, False, or a logger object.
        json: A module or object with ``dumps`` and ``loads`` for this server's packets; None is orjson where it is
            installed, the standard library elsewhere.
        async_handlers: True runs each event's handler in a task of its own; False runs the handlers of a client one
            after the other.
        namespaces: Namespaces that clients may connect to without a handler there, ``"*"`` for any; None is ``["/"]``.
        kwargs: ``serializer`` (``"default"``, ``"msgpack"`` or a Packet class), ``always_connect``, the fields of
            :class:`~fastsio.base.options.ServerOptions` and :class:`~fastsio.protocol.Limits`,
            ``max_buffer_bytes``, ``max_buffer_packets``, ``slow_client``, ``upgrade_timeout``, and every option of
            Engine.IO.

    Raises:
        SetupError: An option is not valid.
    """

    def __init__(
        self,
        client_manager: Any = None,
        logger: Any = False,
        json: Any = None,
        async_handlers: bool = True,
        namespaces: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            client_manager=client_manager,
            logger=logger,
            json=json,
            async_handlers=async_handlers,
            namespaces=namespaces,
            **kwargs,
        )

    def attach(self, app: Any, socketio_path: str = "socket.io") -> None:
        """Add the server to an aiohttp or Sanic application."""
        self.eio.attach(app, socketio_path)

    def use_asgi(self) -> None:
        """
        Serve ASGI requests; ``async_mode`` need not be given for :class:`ASGIApp`.

        Raises:
            SetupError: The server was made for another framework.
        """
        chosen = self._engine_options.get("async_mode")
        if chosen not in (None, "asgi"):
            raise SetupError(f"a server with async_mode={chosen!r} cannot serve an ASGI application; leave it out")
        self.eio.use_asgi()
        self.async_mode = "asgi"

    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serve one request; arguments and result are the web framework's."""
        return await self.eio.handle_request(*args, **kwargs)

    # Emitting

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Any = None,
        ignore_queue: bool = False,
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
            namespace: The namespace; None is ``"/"``.
            callback: Called with what each client acknowledges.
            ignore_queue: Send to this process's clients only.

        Raises:
            ValueError: The event's name is not valid.
        """
        check_event_name(event)
        await self.manager.emit(
            event,
            data,
            namespace or "/",
            room=room if to is None else to,
            skip_sid=skip_sid,
            callback=callback,
            ignore_queue=ignore_queue,
        )

    async def send(
        self,
        data: Any,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Any = None,
        ignore_queue: bool = False,
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
        )

    async def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,  # noqa: ASYNC109 - python-socketio's parameter
        ignore_queue: bool = False,
    ) -> Any:
        """
        Emit an event to one client and wait for its acknowledgement.

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
            ValueError: No client was named.
            RuntimeError: The server runs handlers one after the other, so the answer could never be read.
            TimeoutError: The client did not acknowledge in time.
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
        Put a client into a room.

        Raises:
            ValueError: The room is another client's own.
            KeyError: The client is not connected to the namespace.
        """
        await self.manager.enter_room(sid, namespace or "/", room)

    async def leave_room(self, sid: str, room: Hashable, namespace: str | None = None) -> None:
        """Take a client out of a room."""
        await self.manager.leave_room(sid, namespace or "/", room)

    async def close_room(self, room: Hashable, namespace: str | None = None) -> None:
        """
        Take everybody out of a room.

        Raises:
            ValueError: The room is a client's own.
        """
        await self.manager.close_room(room, namespace or "/")

    # Clients

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """
        Return a client's transport, ``"polling"`` or ``"websocket"``.

        Raises:
            KeyError: There is no such client.
        """
        eio_sid = self._client(sid, namespace or "/").eio_sid
        transport: str = self.eio.transport(eio_sid)
        return transport

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """
        Return a client's session.

        Raises:
            KeyError: There is no such client.
        """
        return self._client(sid, namespace or "/").session

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """
        Replace a client's session.

        Raises:
            KeyError: There is no such client.
        """
        self._client(sid, namespace or "/").session = session

    def session(self, sid: str, namespace: str | None = None) -> SessionContext:
        """Return a client's session as an asynchronous context manager that saves it at its end."""
        return SessionContext(self, sid, namespace)

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """
        End a client's connection to a namespace; its disconnect handler runs before this returns.

        Args:
            sid: The client; one that is gone is ignored. In its own connect handler it is refused.
            namespace: The namespace; None is ``"/"``.
            ignore_queue: Only if the client is one of this process.
        """
        name = namespace or "/"
        client = self._find_client(sid, name)
        if client is not None and client.state is NamespaceState.CONNECTING:
            await self._connecting.dismiss(client)
            return
        is_ours = self.manager.is_connected(sid, name) if ignore_queue else await self.manager.can_disconnect(sid, name)
        if is_ours and client is not None:
            await self._connecting.dismiss(client)

    async def shutdown(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it bounds the whole
        """
        Stop the server: let nobody in, disconnect everybody, wait for handlers.

        Args:
            timeout: Seconds until handlers still running are cancelled; None is the option ``shutdown_timeout``.
        """
        self._connecting.stop()
        grace_s = self.options.shutdown_timeout if timeout is None else timeout
        connections = list(self._connections.values())
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._end(one.eio_sid)) for one in connections]
        under_way = [task for connection in connections for task in connection.tasks] + list(self._background)
        # A handler that shuts the server down does not wait for itself.
        tasks += [task for task in under_way if task is not asyncio.current_task()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.eio.shutdown()

    async def _end(self, eio_sid: str) -> None:
        connection = self._connections.get(eio_sid)
        if connection is not None:
            for client in connection.active():
                await self._connecting.dismiss(client)
        await self.eio.close_client(eio_sid, self.reason.SERVER_DISCONNECT)

    async def sleep(self, seconds: float = 0) -> None:
        """Wait without keeping others from running."""
        await asyncio.sleep(seconds)

    def _client(self, sid: str, namespace: str) -> Client:
        client = self._find_client(sid, namespace)
        if client is None:
            raise KeyError("Session not found")
        return client
