# Written by tools/unasync.py from aio/turns.py; change that one.
"""
A lock for each key, whose waiters get it in the order in which they have come, with a timeout.

This module knows neither sessions nor clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Turns:
    """Gives out turns: for each key, one caller at a time has the turn, in the order in which the callers have come."""

    __slots__ = ("_create_event", "_lock", "_waiting")

    def __init__(self, lock: AbstractContextManager[Any], create_event: Callable[[], Any]) -> None:
        self._lock = lock
        self._create_event = create_event
        #: Key of a turn that has begun -> the events of the callers that wait for the key, in their order.
        self._waiting: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, key: str, timeout_s: float) -> bool:
        """Wait for the turn of a key; return False if it does not begin within *timeout_s* seconds."""
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                self._waiting[key] = []
                return True
            begins = self._create_event()
            waiting.append(begins)
        try:
            if concurrency.wait_event(begins, timeout_s):
                return True
        except BaseException:
            if not self._withdraw(key, begins):
                self.end(key)
            raise
        return not self._withdraw(key, begins)

    def _withdraw(self, key: str, begins: Any) -> bool:
        """Stop waiting for the turn; return False if it has begun in the meantime."""
        with self._lock:
            if begins.is_set():
                return False
            self._waiting[key].remove(begins)
            return True

    def end(self, key: str) -> None:
        """End the turn of a key, if it has begun, and begin the next one."""
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting:
                waiting.pop(0).set()
            else:
                self._waiting.pop(key, None)
