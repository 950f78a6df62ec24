"""
The questions of one process to the others of its machine: which processes have neither answered nor ended.

This module neither sends questions nor knows what the answers say.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: The method of the answers, and the number of the question.
Key: TypeAlias = tuple[str, int]


class _Question:
    """A question. *on_over* is called, and *is_over* is set, when each process has answered it or has ended."""

    def __init__(self, on_over: Callable[[], object] | None) -> None:
        self.is_over = asyncio.Event()
        self._on_over = on_over
        #: The processes that may still answer; None until the question was sent.
        self._waiting: set[str] | None = None
        #: The processes that have answered or ended until then.
        self._early: set[str] = set()

    def mark_sent(self, names: Iterable[str]) -> None:
        self._waiting = set(names) - self._early
        self._check_over()

    def strike(self, name: str) -> None:
        if self._waiting is None:
            self._early.add(name)
        else:
            self._waiting.discard(name)
            self._check_over()

    def _check_over(self) -> None:
        if not self._waiting and not self.is_over.is_set():
            self.is_over.set()
            if self._on_over is not None:
                self._on_over()


class Questions:
    """The questions of a process that are not over."""

    def __init__(self) -> None:
        self._by_key: dict[Key, _Question] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def begin(self, key: Key, on_over: Callable[[], object] | None = None) -> None:
        """Add a question, before it is sent; *on_over* is called when each process has answered or ended."""
        self._by_key[key] = _Question(on_over)

    def mark_sent(self, key: Key, names: Iterable[str]) -> None:
        """Record which processes a question was sent to; do nothing if the question is not known any more."""
        if key in self._by_key:
            self._by_key[key].mark_sent(names)

    def answer(self, key: Key, name: str) -> None:
        """Record that a process has answered a question."""
        if key in self._by_key:
            self._by_key[key].strike(name)

    def end(self, name: str) -> None:
        """Record that a process has ended: it will answer nothing."""
        for question in list(self._by_key.values()):
            question.strike(name)

    async def wait(self, key: Key, timeout_s: float) -> None:
        """Wait until each process has answered a question or has ended, at most *timeout_s* seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._by_key[key].is_over.wait()

    def forget(self, key: Key) -> None:
        """Remove a question; do nothing if it is not known."""
        self._by_key.pop(key, None)
