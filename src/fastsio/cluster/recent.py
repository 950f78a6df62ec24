"""Ids that are remembered for a while: of messages that travel in several copies, of clients that have left."""

from __future__ import annotations


class Recent:
    """
    The last ids that were noted; the oldest are forgotten first.

    Args:
        most: How many are remembered. Copies of one message come close together, so a small number does.
    """

    __slots__ = ("_ids", "_most")

    def __init__(self, most: int) -> None:
        self._ids: dict[object, None] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: object) -> bool:
        return item in self._ids

    def note(self, item: object) -> None:
        """Remember an id."""
        ids = self._ids
        ids[item] = None
        if len(ids) > self._most:
            del ids[next(iter(ids))]

    def forget(self, item: object) -> None:
        """Forget an id, if it is remembered."""
        self._ids.pop(item, None)

    def is_known(self, message_id: object) -> bool:
        """Whether a message with this id has come before; from now on it has. One without an id, None, never has."""
        if message_id is None:
            return False
        if message_id in self._ids:
            return True
        self.note(message_id)
        return False
