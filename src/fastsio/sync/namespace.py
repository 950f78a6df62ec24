# Written by tools/unasync.py from aio/namespace.py; change that one.
"""Class-based namespaces for threads: handlers as methods, and the server's methods with the namespace filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.emit_args import emit_options
from fastsio.base.namespace import BaseServerNamespace
from fastsio.routing import own_trigger
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextlib import AbstractContextManager

    from fastsio.types import AckCallback, EventName, Rooms, Sids


class Namespace(BaseServerNamespace):
    """
    A group of handlers as a class: ``def on_<event>(self, sid, data)`` handles *event*.

    The methods take markers and models like any handler.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    def is_asyncio_based(self) -> bool:
        """Whether the namespace belongs on a sync server."""
        return concurrency.ASYNCHRONOUS

    @own_trigger
    def trigger_event(self, event: str, *args: Any) -> Any:
        """
        Call the method for an event; override it to dispatch differently.

        Args:
            event: The event.
            args: ``sid`` and what the event brought; before them the namespace, for a namespace ``"*"``.

        Returns:
            What the method returned.
        """
        return self.server.__fastsio__.dispatcher.trigger_method(self, event, args)

    def emit(
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
        """Emit an event; as :meth:`Server.emit`, in this namespace unless another is given."""
        place = namespace or self.namespace
        options = emit_options(to, room, skip_sid, place, callback, ignore_queue, wait=wait)
        return self.server.emit(event, data=data, **options)

    def send(
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
        """Send the event ``message``; as :meth:`Server.send`, in this namespace unless another is given."""
        place = namespace or self.namespace
        options = emit_options(to, room, skip_sid, place, callback, ignore_queue, wait=wait)
        return self.server.send(data, **options)

    def call(
        self,
        event: EventName,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
        ignore_queue: bool = False,
    ) -> Any:
        """Emit to one client and wait for its answer; as :meth:`Server.call`, but by default for ever."""
        return self.server.call(
            event,
            data=data,
            to=to,
            sid=sid,
            namespace=namespace or self.namespace,
            timeout=timeout,
            ignore_queue=ignore_queue,
        )

    def enter_room(self, sid: str, room: Hashable, namespace: str | None = None) -> Any:
        """Put a client into a room; as :meth:`Server.enter_room`."""
        return self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    def leave_room(self, sid: str, room: Hashable, namespace: str | None = None) -> Any:
        """Take a client out of a room; as :meth:`Server.leave_room`."""
        return self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    def close_room(self, room: Hashable, namespace: str | None = None) -> Any:
        """Take all clients out of a room; as :meth:`Server.close_room`."""
        return self.server.close_room(room, namespace=namespace or self.namespace)

    def get_session(self, sid: str, namespace: str | None = None) -> Any:
        """Return a client's session; as :meth:`Server.get_session`."""
        return self.server.get_session(sid, namespace=namespace or self.namespace)

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> Any:
        """Replace a client's session; as :meth:`Server.save_session`."""
        return self.server.save_session(sid, session, namespace=namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> AbstractContextManager[dict[str, Any]]:
        """Return a client's session as a context manager; as :meth:`Server.session`."""
        context: AbstractContextManager[dict[str, Any]] = self.server.session(
            sid, namespace=namespace or self.namespace
        )
        return context

    def disconnect(self, sid: str, namespace: str | None = None) -> Any:
        """End a client's connection; as :meth:`Server.disconnect`."""
        return self.server.disconnect(sid, namespace=namespace or self.namespace)
