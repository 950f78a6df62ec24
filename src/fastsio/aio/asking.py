"""
Questions to all other servers of a cluster. How many there are is not known: what arrives in time is the answer.

Only asks and collects; :mod:`hearing` answers.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from fastsio.cluster.messages import AskMembers

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.aio.pubsub import AsyncPubSubManager
    from fastsio.cluster.messages import TellMembers

    Members = list[tuple[str, str | None]]


class Asking:
    """
    Asks the other servers on the bus for what they know, for one manager, and collects their answers.

    Args:
        manager: The manager.
    """

    def __init__(self, manager: AsyncPubSubManager) -> None:
        self._manager = manager
        self._numbers = count(1)
        self._open: dict[int, Members] = {}

    async def members(self, room: Hashable, namespace: str, timeout_s: float) -> Members:
        """Ask who is in a room, and return what is known after *timeout_s* seconds."""
        question = next(self._numbers)
        self._open[question] = []
        try:
            await self._manager._tell_others(AskMembers(room, namespace, question, self._manager.host_id))
            await self._manager.server.sleep(timeout_s)
        finally:
            found = self._open.pop(question)
        return found

    def take(self, answer: TellMembers) -> None:
        """Take an answer; one that comes too late is dropped."""
        found = self._open.get(answer.question)
        if found is not None:
            found.extend(answer.members)
