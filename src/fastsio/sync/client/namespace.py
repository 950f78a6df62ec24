# Written by tools/unasync.py from aio/client/namespace.py; change that one.
"""Class-based namespaces of clients: handlers as methods, and the client's methods with the namespace filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.namespace import BaseClientNamespace
from fastsio.routing import own_trigger
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from fastsio.types import AckCallback, EventName


class ClientNamespace(BaseClientNamespace):
    """
    A group of handlers as a class: ``def on_<event>(self, data)`` handles *event*.

    The methods take markers and models like any handler of a client.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    def is_asyncio_based(self) -> bool:
        """Whether the namespace belongs on a sync client."""
        return concurrency.ASYNCHRONOUS

    @own_trigger
    def trigger_event(self, event: str, *args: Any) -> Any:
        """
        Call the method for an event; override it to dispatch differently.

        Args:
            event: The event.
            args: What the event brought; before it the namespace, for a namespace ``"*"``.

        Returns:
            What the method returned.
        """
        return self.client.__fastsio__.dispatcher.trigger_method(self, event, args)

    def emit(self, event: str, data: Any = None, namespace: str | None = None, callback: AckCallback = None) -> Any:
        """Send an event; as the client's method, in this namespace unless another is given."""
        return self.client.emit(event, data=data, namespace=namespace or self.namespace, callback=callback)

    def send(self, data: Any, room: Any = None, namespace: str | None = None, callback: Any = None) -> Any:
        """Send the event ``message``; as the client's method, in this namespace unless another is given."""
        del room  # python-socketio's parameter, which it does not use either
        return self.client.send(data, namespace=namespace or self.namespace, callback=callback)

    def call(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send an event and wait for its acknowledgement; as the client's method, but by default for ever."""
        return self.client.call(event, data=data, namespace=namespace or self.namespace, timeout=timeout)

    def emit_with_ack(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send an event and wait for its acknowledgement; as the client's method."""
        return self.client.emit_with_ack(event, data=data, namespace=namespace or self.namespace, timeout=timeout)

    def disconnect(self) -> Any:
        """End the client's connection."""
        return self.client.disconnect()
