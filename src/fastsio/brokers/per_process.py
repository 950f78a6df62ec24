"""One object for all threads of a process, such as a connection: opened when first needed, closed when told to."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

OwnedT = TypeVar("OwnedT")


class PerProcess(Generic[OwnedT]):
    """One object that threads share. It is for threads what :class:`~fastsio.brokers.per_loop.PerLoop` is for tasks."""

    def __init__(self, make: Callable[[], OwnedT], close: Callable[[OwnedT], object]) -> None:
        self._make = make
        self._close = close
        self._opening = Lock()
        self._owned: OwnedT | None = None

    @property
    def current(self) -> OwnedT | None:
        """The object; None while it is not open."""
        return self._owned

    def get(self) -> OwnedT:
        """Return the object; the first caller opens it, and others wait for that."""
        with self._opening:
            if self._owned is None:
                self._owned = self._make()
            return self._owned

    def drop(self) -> None:
        """Close the object; the next caller opens another one."""
        with self._opening:
            owned, self._owned = self._owned, None
        if owned is not None:
            self._close(owned)
