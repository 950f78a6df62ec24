"""
The queue of events that a client has emitted but cannot send yet, in order for each namespace, within a bound.

This module must not know how events are sent; the lock that threads share is an argument.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.exceptions import DisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from fastsio.types import EventName


@dataclass(eq=False, slots=True)
class Emission:
    """One ``emit()``; *under_way* waits for the acknowledgement of the last of its *tries*."""

    event: EventName
    data: Any
    namespace: str
    callback: Any
    tries: int = 0
    under_way: Any = None


class Outbox:
    """
    The emissions of one client that wait: *max_events* at most, in all namespaces together.

    Each method holds *guard*; the caller may hold it around several calls.
    """

    def __init__(self, max_events: int, guard: AbstractContextManager[Any]) -> None:
        self._max_events = max_events
        self._queues: dict[str, deque[Emission]] = {}
        self._open: set[str] = set()
        self.guard = guard

    def add(self, emission: Emission) -> None:
        """
        Add an emission after those of its namespace.

        Raises:
            DisconnectedError: *max_events* emissions wait already.
        """
        with self.guard:
            if sum(map(len, self._queues.values())) >= self._max_events:
                raise DisconnectedError(
                    f"{emission.event!r} cannot wait: max_buffered_events={self._max_events} events wait already"
                )
            self._queues.setdefault(emission.namespace, deque()).append(emission)

    def head(self, namespace: str) -> Emission | None:
        """Return the emission that is to be sent next, without removing it; None if no emission waits."""
        with self.guard:
            queue = self._queues.get(namespace)
            return queue[0] if queue else None

    def take_all(self, namespace: str) -> list[Emission]:
        """Remove and return all emissions of a namespace."""
        with self.guard:
            return list(self._queues.pop(namespace, ()))

    def remove(self, emission: Emission) -> bool:
        """Remove one emission; return False if it is not there any more."""
        with self.guard:
            queue = self._queues.get(emission.namespace)
            if queue is None or emission not in queue:
                return False
            queue.remove(emission)
            return True

    def withdraw(self, namespace: str, is_unwanted: Callable[[Emission], bool]) -> list[Emission]:
        """Remove and return the emissions of a namespace that *is_unwanted* is true for."""
        with self.guard:
            unwanted = [emission for emission in self._queues.get(namespace, ()) if is_unwanted(emission)]
            for emission in unwanted:
                self.remove(emission)
            return unwanted

    def is_open(self, namespace: str) -> bool:
        """Whether emissions in a namespace may be sent at once."""
        return namespace in self._open

    def open(self, namespace: str) -> None:
        """Let emissions in a namespace be sent at once from now on."""
        self._open.add(namespace)

    def close(self, namespace: str) -> None:
        """Let emissions in a namespace wait from now on."""
        self._open.discard(namespace)
