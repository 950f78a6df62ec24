"""Class-based namespaces for asyncio: handlers as methods, and the server's methods with the namespace filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.base.emit_args import emit_options
from fastsio.base.namespace import BaseServerNamespace
from fastsio.routing import own_trigger

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextlib import AbstractAsyncContextManager

    from fastsio.types import AckCallback, EventName, Rooms, Sids


class AsyncNamespace(BaseServerNamespace):
    """
    A group of handlers as a class: ``async def on_<event>(self, sid, data)`` handles *event*.

    The methods take markers and models like any handler.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    def is_asyncio_based(self) -> bool:
        """Whether the namespace belongs on an asyncio server."""
        return concurrency.ASYNCHRONOUS

    @own_trigger
    async def trigger_event(self, event: str, *args: Any) -> Any:
        """
        Call the method for an event; override it to dispatch differently.

        Args:
            event: The event.
            args: ``sid`` and what the event brought; before them the namespace, for a namespace ``"*"``.

        Returns:
            What the method returned.
        """
        return await self.server.__fastsio__.dispatcher.trigger_method(self, event, args)

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
    ) -> Any:
        """Emit an event; as :meth:`AsyncServer.emit`, in this namespace unless another is given."""
        place = namespace or self.namespace
        options = emit_options(to, room, skip_sid, place, callback, ignore_queue, wait=wait)
        return await self.server.emit(event, data=data, **options)

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
    ) -> Any:
        """Send the event ``message``; as :meth:`AsyncServer.send`, in this namespace unless another is given."""
        place = namespace or self.namespace
        options = emit_options(to, room, skip_sid, place, callback, ignore_queue, wait=wait)
        return await self.server.send(data, **options)

    async def call(
        self,
        event: EventName,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - python-socketio's parameter
        ignore_queue: bool = False,
    ) -> Any:
        """Emit to one client and wait for its answer; as :meth:`AsyncServer.call`, but by default for ever."""
        return await self.server.call(
            event,
            data=data,
            to=to,
            sid=sid,
            namespace=namespace or self.namespace,
            timeout=timeout,
            ignore_queue=ignore_queue,
        )

    async def enter_room(self, sid: str, room: Hashable, namespace: str | None = None) -> Any:
        """Put a client into a room; as :meth:`AsyncServer.enter_room`."""
        return await self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    async def leave_room(self, sid: str, room: Hashable, namespace: str | None = None) -> Any:
        """Take a client out of a room; as :meth:`AsyncServer.leave_room`."""
        return await self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    async def close_room(self, room: Hashable, namespace: str | None = None) -> Any:
        """Take all clients out of a room; as :meth:`AsyncServer.close_room`."""
        return await self.server.close_room(room, namespace=namespace or self.namespace)

    async def get_session(self, sid: str, namespace: str | None = None) -> Any:
        """Return a client's session; as :meth:`AsyncServer.get_session`."""
        return await self.server.get_session(sid, namespace=namespace or self.namespace)

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> Any:
        """Replace a client's session; as :meth:`AsyncServer.save_session`."""
        return await self.server.save_session(sid, session, namespace=namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> AbstractAsyncContextManager[dict[str, Any]]:
        """Return a client's session as a context manager; as :meth:`AsyncServer.session`."""
        context: AbstractAsyncContextManager[dict[str, Any]] = self.server.session(
            sid, namespace=namespace or self.namespace
        )
        return context

    async def disconnect(self, sid: str, namespace: str | None = None) -> Any:
        """End a client's connection; as :meth:`AsyncServer.disconnect`."""
        return await self.server.disconnect(sid, namespace=namespace or self.namespace)
