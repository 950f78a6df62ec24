"""
Callbacks that keep an acknowledgement and set an event, for the methods of servers and clients that wait for one.

They must not know how to wait for an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.emit_args import answer as value_of
from fastsio.base.manager import ExpectedAcks
from fastsio.exceptions import ClientLeftError
from fastsio.exceptions import TimeoutError as AckTimeoutError

if TYPE_CHECKING:
    from fastsio.base.manager import BaseManager


class AckWaiter(ExpectedAcks):
    """Keeps the first acknowledgement of a server's event; *event* is set when the wait is over."""

    def __init__(self, manager: BaseManager) -> None:
        super().__init__()
        self.event: Any = manager.server.eio.create_event()
        self._manager = manager
        self._value: Any = None
        self._has_left = False

    def __call__(self, *arguments: Any) -> None:
        """Keep what the client has acknowledged."""
        if not self.event.is_set():
            self._value = value_of(arguments)
            self.event.set()

    def give_up(self) -> None:
        """End the wait: all clients that the event was sent to have left."""
        if not self.event.is_set():
            self._has_left = True
            self.event.set()

    def withdraw(self) -> None:
        """Discard the callback: the call that waited for the acknowledgement has ended."""
        for sid, ack_id in list(self.expected):
            self._manager.discard_callback(sid, ack_id)

    def result(self) -> Any:
        """
        Return what was acknowledged, after the wait.

        Raises:
            ClientLeftError: The client has left, or there is no such client.
            TimeoutError: The acknowledgement has not come.
        """
        if self._has_left:
            raise ClientLeftError("the client left before it acknowledged the event, or is not there")
        if not self.event.is_set():
            raise AckTimeoutError("the client did not acknowledge the event in time")
        return self._value


class Answer:
    """
    Keeps the first acknowledgement of a client's event, or the error if there will be none.

    Args:
        event: Set when the wait is over.
        needs_connection: Whether the end of the connection ends the wait.

    Attributes:
        error: Why there will be no acknowledgement, if that is known.
        ack_id: The id that was sent last, once one was.
        arguments: What was acknowledged, once it was.
    """

    def __init__(self, event: Any, *, needs_connection: bool) -> None:
        self.event = event
        self.needs_connection = needs_connection
        self.error: Exception | None = None
        self.ack_id: int | None = None
        self.arguments: tuple[Any, ...] | None = None

    def __call__(self, *arguments: Any) -> None:
        """Keep what the server has acknowledged."""
        if not self.event.is_set():
            self.arguments = arguments
            self.event.set()

    def fail(self, error: Exception) -> None:
        """End the wait with an error."""
        if not self.event.is_set():
            self.error = error
            self.event.set()

    @property
    def has_come(self) -> bool:
        """Whether the server has acknowledged the event."""
        return self.arguments is not None

    def value(self) -> Any:
        """Return what was acknowledged: None, one value, or a tuple of several."""
        return value_of(self.arguments or ())
