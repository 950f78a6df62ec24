"""Class-based namespaces of clients: handlers as methods, and the client's methods with the namespace filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.base.namespace import BaseClientNamespace

if TYPE_CHECKING:
    from fastsio.types import AckCallback, EventName


class ClientMethods(BaseClientNamespace):
    """What both kinds of namespace have alike; each adds its ``send``."""

    def is_asyncio_based(self) -> bool:
        """Whether the namespace belongs on an asyncio client."""
        return concurrency.ASYNCHRONOUS

    @classmethod
    def _own_trigger(cls) -> Any:
        return ClientMethods.trigger_event

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """
        Call the method for an event; override it to dispatch differently.

        Args:
            event: The event.
            args: What the event brought; before it the namespace, for a namespace ``"*"``.

        Returns:
            What the method returned.
        """
        return await self.client.trigger_method(self, event, args)

    async def emit(
        self, event: str, data: Any = None, namespace: str | None = None, callback: AckCallback = None
    ) -> Any:
        """Send an event; as the client's method, in this namespace unless another is given."""
        return await self.client.emit(event, data=data, namespace=namespace or self.namespace, callback=callback)

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
