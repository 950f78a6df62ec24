# Written by tools/unasync.py from aio/answer.py; change that one.
"""What a client waits on for an acknowledgement: a callback that keeps it."""

from __future__ import annotations

from typing import Any

from fastsio.base.emission import answer
from fastsio.sync import concurrency


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
