"""
The acknowledgements a server waits for, by client and id.

This module owns the ids and the bound on how many may be outstanding, and never calls a callback.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


class _ClientAcks:
    """One client's counter and callbacks, the oldest first."""

    __slots__ = ("callbacks", "last_id")

    def __init__(self) -> None:
        self.last_id = 0
        # An OrderedDict has its first entry at hand; a dict searches for it behind the entries that were removed.
        self.callbacks: OrderedDict[int, Any] = OrderedDict()


class PendingAcks:
    """
    The callbacks that clients have not answered yet.

    If one client leaves more than *max_pending* unanswered, the oldest is dropped; None is any number.
    """

    __slots__ = ("_clients", "_max_pending")

    def __init__(self, max_pending: int | None = None) -> None:
        if max_pending is not None and (type(max_pending) is not int or max_pending < 1):
            raise ValueError(f"max_pending is {max_pending!r}; it must be a positive integer, or None for no bound")
        self._max_pending = max_pending
        self._clients: dict[str, _ClientAcks] = {}

    def add(self, sid: str, callback: Any) -> int:
        """
        Keep what :meth:`pop` returns for an acknowledgement; return its id.

        The ids of a client are counted from 1, or on from the id that :meth:`start_after` was given.
        """
        client = self._clients.get(sid)
        if client is None:
            client = self._clients[sid] = _ClientAcks()
        client.last_id += 1
        client.callbacks[client.last_id] = callback
        if self._max_pending is not None and len(client.callbacks) > self._max_pending:
            client.callbacks.popitem(last=False)
        return client.last_id

    def start_after(self, sid: str, ack_id: int) -> None:
        """Let the ids of a client go on after *ack_id*: the client may still answer earlier ids."""
        self._clients.setdefault(sid, _ClientAcks()).last_id = ack_id

    def pop(self, sid: str, ack_id: int) -> Any | None:
        """Remove and return the callback that a client has answered; None when no callback waits for that id."""
        client = self._clients.get(sid)
        return None if client is None else client.callbacks.pop(ack_id, None)

    def discard(self, sid: str, ack_id: int) -> None:
        """Stop waiting for one acknowledgement."""
        self.pop(sid, ack_id)

    def forget(self, sid: str) -> dict[int, Any]:
        """Drop all that is kept of a client; return the callbacks that wait, by id: no answer to them will come."""
        client = self._clients.pop(sid, None)
        return {} if client is None else client.callbacks

    def by_client(self) -> dict[str, dict[int, Any]]:
        """Return a copy of all callbacks that wait: sid -> acknowledgement id -> callback."""
        return {sid: dict(client.callbacks) for sid, client in self._clients.items()}

    def pending(self, sid: str) -> int:
        """Return how many acknowledgements a client owes."""
        client = self._clients.get(sid)
        return 0 if client is None else len(client.callbacks)
