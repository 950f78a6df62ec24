# Written by tools/unasync.py from aio/waiter.py; change that one.
"""What ``call()`` waits on: a callback that keeps the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.emission import answer
from fastsio.base.expected_acks import ExpectedAcks
from fastsio.exceptions import ClientLeftError
from fastsio.exceptions import TimeoutError as AckTimeoutError
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from fastsio.base.manager import BaseManager


class AckWaiter(ExpectedAcks):
    """
    Takes the first acknowledgement of an event.

    Args:
        manager: The manager that expects it; it is told when nobody waits any more.
    """

    def __init__(self, manager: BaseManager) -> None:
        super().__init__()
        self._manager = manager
        self._event = manager.server.eio.create_event()
        self._answer: Any = None
        self._has_left = False

    def __call__(self, *arguments: Any) -> None:
        """Take what the client acknowledged."""
        if not self._event.is_set():
            self._answer = answer(arguments)
            self._event.set()

    def give_up(self) -> None:
        """End the waiting: no client that was asked is there any more."""
        if not self._event.is_set():
            self._has_left = True
            self._event.set()

    def wait(self, timeout: float | None) -> Any:
        """
        Wait for the acknowledgement.

        Args:
            timeout: Seconds; None is for ever.

        Raises:
            ClientLeftError: The client has left, or is not there.
            TimeoutError: It did not come in time.
        """
        try:
            if not concurrency.wait_event(self._event, timeout):
                raise AckTimeoutError("the client did not acknowledge the event in time")
        finally:
            for sid, ack_id in list(self.expected):
                self._manager.discard_callback(sid, ack_id)
        if self._has_left:
            raise ClientLeftError("the client left before it acknowledged the event, or is not there")
        return self._answer
