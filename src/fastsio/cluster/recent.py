"""Which messages have been taken already: those that travel in several copies carry an id."""

from __future__ import annotations


class Recent:
    """
    The ids of the last messages.

    Args:
        most: How many are remembered. Copies of one message come close together, so a small number does.
    """

    __slots__ = ("_ids", "_most")

    def __init__(self, most: int) -> None:
        self._ids: dict[object, None] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._ids)

    def is_known(self, message_id: object) -> bool:
        """Whether a message with this id has come before; from now on it has. One without an id, None, never has."""
        if message_id is None:
            return False
        ids = self._ids
        if message_id in ids:
            return True
        ids[message_id] = None
        if len(ids) > self._most:
            del ids[next(iter(ids))]
        return False
