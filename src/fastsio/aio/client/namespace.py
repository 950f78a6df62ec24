"""Class-based namespaces of clients: handlers as methods, and the client's methods with the namespace filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.base.namespace import BaseClientNamespace
from fastsio.routing import own_trigger

if TYPE_CHECKING:
    from fastsio.types import AckCallback, EventName


class AsyncClientNamespace(BaseClientNamespace):
    """
    A group of handlers as a class: ``async def on_<event>(self, data)`` handles *event*.

    The methods take markers and models like any handler of a client.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    def is_asyncio_based(self) -> bool:
        """Whether the namespace belongs on an asyncio client."""
        return concurrency.ASYNCHRONOUS

    @own_trigger
    async def trigger_event(self, event: str, *args: Any) -> Any:
        """
        Call the method for an event; override it to dispatch differently.

        Args:
            event: The event.
            args: What the event brought; before it the namespace, for a namespace ``"*"``.

        Returns:
            What the method returned.
        """
        return await self.client.__fastsio__.dispatcher.trigger_method(self, event, args)

    async def emit(
        self, event: str, data: Any = None, namespace: str | None = None, callback: AckCallback = None
    ) -> Any:
        """Send an event; as the client's method, in this namespace unless another is given."""
        return await self.client.emit(event, data=data, namespace=namespace or self.namespace, callback=callback)

    # Only asyncio:
    async def send(self, data: Any, namespace: str | None = None, callback: AckCallback = None) -> Any:
        """Send the event ``message``; as the client's method, in this namespace unless another is given."""
        return await self.client.send(data, namespace=namespace or self.namespace, callback=callback)

    # Only threads:
    # | def send(self, data: Any, room: Any = None, namespace: str | None = None, callback: Any = None) -> Any:
    # |     """Send the event ``message``; as the client's method, in this namespace unless another is given."""
    # |     del room  # python-socketio's parameter, which it does not use either
    # |     return self.client.send(data, namespace=namespace or self.namespace, callback=callback)
    # Both:
    async def call(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - python-socketio's parameter
    ) -> Any:
        """Send an event and wait for its acknowledgement; as the client's method, but by default for ever."""
        return await self.client.call(event, data=data, namespace=namespace or self.namespace, timeout=timeout)

    async def emit_with_ack(
        self,
        event: EventName,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as call()
    ) -> Any:
        """Send an event and wait for its acknowledgement; as the client's method."""
        return await self.client.emit_with_ack(event, data=data, namespace=namespace or self.namespace, timeout=timeout)

    async def disconnect(self) -> Any:
        """End the client's connection."""
        return await self.client.disconnect()
