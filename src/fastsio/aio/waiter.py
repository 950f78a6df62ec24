"""What ``call()`` waits on: a callback that keeps the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.base.emission import answer
from fastsio.exceptions import TimeoutError as AckTimeoutError

if TYPE_CHECKING:
    from fastsio.base.manager import BaseManager


class AckWaiter:
    """
    Takes the first acknowledgement of an event.

    Args:
        manager: The manager that expects it; it is told when nobody waits any more.
    """

    def __init__(self, manager: BaseManager) -> None:
        self._manager = manager
        self._event = manager.server.eio.create_event()
        self._answer: Any = None
        self._expected: list[tuple[str, int]] = []

    def expect(self, sid: str, ack_id: int) -> None:
        """Remember which acknowledgement will call this."""
        self._expected.append((sid, ack_id))

    def __call__(self, *arguments: Any) -> None:
        """Take what the client acknowledged."""
        if not self._event.is_set():
            self._answer = answer(arguments)
            self._event.set()

    async def wait(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - python-socketio's parameter
        """
        Wait for the acknowledgement.

        Args:
            timeout: Seconds; None is for ever.

        Raises:
            TimeoutError: It did not come in time.
        """
        try:
            if not await concurrency.wait_event(self._event, timeout):
                raise AckTimeoutError("the client did not acknowledge the event in time")
        finally:
            for sid, ack_id in self._expected:
                self._manager.discard_callback(sid, ack_id)
        return self._answer
