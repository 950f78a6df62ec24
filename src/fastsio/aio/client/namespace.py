"""
Class-based namespaces of asyncio clients.

By hand in both halves, for python-socketio's ``send`` takes a ``room`` in one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio.client.methods import ClientMethods

if TYPE_CHECKING:
    from fastsio.types import AckCallback


class AsyncClientNamespace(ClientMethods):
    """
    A group of handlers as a class: ``async def on_<event>(self, data)`` handles *event*.

    The methods take markers and models like any handler of a client.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    async def send(self, data: Any, namespace: str | None = None, callback: AckCallback = None) -> Any:
        """Send the event ``message``; as the client's method, in this namespace unless another is given."""
        return await self.client.send(data, namespace=namespace or self.namespace, callback=callback)
