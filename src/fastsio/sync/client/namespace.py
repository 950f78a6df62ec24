"""
Class-based namespaces of clients for threads.

By hand in both halves, for python-socketio's ``send`` takes a ``room`` in one of them.
"""

from __future__ import annotations

from typing import Any

from fastsio.sync.client.methods import ClientMethods


class ClientNamespace(ClientMethods):
    """
    A group of handlers as a class: ``def on_<event>(self, data)`` handles *event*.

    The methods take markers and models like any handler of a client.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.
    """

    def send(self, data: Any, room: Any = None, namespace: str | None = None, callback: Any = None) -> Any:  # noqa: ARG002 - python-socketio's signature
        """Send the event ``message``; as the client's method, in this namespace unless another is given."""
        return self.client.send(data, namespace=namespace or self.namespace, callback=callback)
