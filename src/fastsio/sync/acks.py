# Written by tools/unasync.py from aio/acks.py; change that one.
"""What the calls of servers and clients wait on for an acknowledgement: callbacks that keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.emit_args import answer
from fastsio.base.manager import ExpectedAcks
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


class Answer:
    """
    Takes the first acknowledgement of an event, or the reason why there will be none.

    Args:
        event: What ``create_event()`` made.
        needs_connection: Whether the end of the connection ends the waiting.

    Attributes:
        ack_id: The id that was sent last, once one was.
        arguments: What was acknowledged, once it was.
    """

    def __init__(self, event: Any, *, needs_connection: bool) -> None:
        self._event = event
        self._error: Exception | None = None
        self.needs_connection = needs_connection
        self.ack_id: int | None = None
        self.arguments: tuple[Any, ...] | None = None

    def __call__(self, *arguments: Any) -> None:
        """Take what the server acknowledged."""
        if not self._event.is_set():
            self.arguments = arguments
            self._event.set()

    def fail(self, error: Exception) -> None:
        """End the waiting without an acknowledgement."""
        if not self._event.is_set():
            self._error = error
            self._event.set()

    def arrives(self, timeout_s: float | None) -> bool:
        """Wait for the acknowledgement; False when it is late, or will not come."""
        return concurrency.wait_event(self._event, timeout_s) and self._error is None

    @property
    def error(self) -> Exception | None:
        """Why there will be no acknowledgement, if that is known."""
        return self._error

    def value(self) -> Any:
        """Return what was acknowledged: None, one value, or a tuple of several."""
        return answer(self.arguments or ())
