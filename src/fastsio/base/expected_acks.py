"""
Callbacks that want to know when no acknowledgement will come.

Only counts what is expected; what follows from it is a subclass's part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class ExpectedAcks(ABC):
    """
    The acknowledgements of one event that may still come.

    A manager tells it of each that is expected, and of each that will not come after all. When the event has been sent
    and none is left, :meth:`give_up` is called, once.
    """

    def __init__(self) -> None:
        self.expected: set[tuple[str, int]] = set()
        self._is_sent = False
        self._is_over = False

    @abstractmethod
    def give_up(self) -> None:
        """Do what follows from there being no acknowledgement."""

    def expect(self, sid: str, ack_id: int) -> None:
        """Note that a client was asked for an acknowledgement."""
        self.expected.add((sid, ack_id))

    def lose(self, sid: str, ack_id: int) -> None:
        """Note that a client will not acknowledge: it has left."""
        self.expected.discard((sid, ack_id))
        self._look()

    def sent(self) -> None:
        """Note that nobody else is asked."""
        self._is_sent = True
        self._look()

    def _look(self) -> None:
        if self._is_sent and not self.expected and not self._is_over:
            self._is_over = True
            self.give_up()
