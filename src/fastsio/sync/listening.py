# Written by tools/unasync.py from aio/listening.py; change that one.
"""
The listening half of a manager on a bus: runs ``_listen()`` again and again, whatever happens to the connection.

Must not know what messages mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from fastsio.brokers.reconnection import Reconnection
from fastsio.protocol.backoff import Backoff
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from fastsio.sync.hearing import Hearing
    from fastsio.sync.pubsub import PubSubManager

#: Seconds before the first attempt to listen again, between later ones at most, and of jitter, so that the servers of
#: a cluster do not come back all at once.
FIRST_DELAY_S: Final = 1.0
MOST_DELAY_S: Final = 60.0
JITTER_S: Final = 0.5


class Listening:
    """
    Listens for a manager until it is stopped.

    Args:
        manager: Whose ``_listen()`` is run.
        hearing: Gets the messages.
    """

    def __init__(self, manager: PubSubManager, hearing: Hearing) -> None:
        self._manager = manager
        self._hearing = hearing
        backoff = Backoff(FIRST_DELAY_S, MOST_DELAY_S, jitter_s=JITTER_S)
        self._reconnection = Reconnection(backoff, self._report_loss, self._report_return)
        self._task: Any = None
        self._ready: Any = None
        self._settled: Any = None

    @property
    def is_active(self) -> bool:
        """Whether messages arrive at present."""
        return self._reconnection.is_up

    @property
    def is_stopping(self) -> bool:
        """Whether the end has been asked for."""
        return self._reconnection.is_stopping

    def start(self) -> bool:
        """Begin, in a background task; False if that has been done before."""
        if self._task is not None:
            return False
        engine = self._manager.server.eio
        # A manager that was made before the process forked would have the name of several: each would take the
        # others' messages for its own.
        self._manager.host_id = uuid4().hex
        self._ready, self._settled = engine.create_event(), engine.create_event()
        self._task = engine.start_background_task(self._run)
        return True

    def wait(self, timeout_s: float) -> None:
        """Wait until messages arrive, or for *timeout_s* seconds."""
        concurrency.wait_event(self._ready, timeout_s)

    @property
    def has_settled(self) -> bool:
        """Whether :meth:`settle` has nothing to wait for."""
        return self._settled is None or self._settled.is_set()

    def settle(self, timeout_s: float) -> None:
        """
        Wait until messages arrive, or the first attempt to listen has failed.

        Args:
            timeout_s: Seconds to wait at most. When they have passed once, nobody waits any more.
        """
        if not self.has_settled:
            concurrency.wait_event(self._settled, timeout_s)
            self._settled.set()

    def stop(self) -> None:
        """End."""
        self._reconnection.stop()
        if self._task is not None:
            self._settled.set()
            concurrency.stop(self._task)

    def confirm(self) -> None:
        """Mark the bus as connected: messages arrive."""
        self._reconnection.confirm()
        if self._ready is not None:
            self._ready.set()
            self._settled.set()

    def _run(self) -> None:
        while not self.is_stopping:
            why = "the connection ended"
            try:
                self._run_once()
            except Exception as error:  # noqa: BLE001 - a broker's client may raise anything, and it is logged
                why = f"{type(error).__name__}: {error}"
            delay_s = self._reconnection.lose(why)
            self._settled.set()
            if not self.is_stopping:
                concurrency.sleep(delay_s)

    def _run_once(self) -> None:
        """Listen until the connection breaks."""
        messages: Any = self._manager._listen()
        try:
            for message in messages:
                if self.is_stopping:
                    return
                self.confirm()
                self._hearing.take(message)
        finally:
            messages.close()

    def _report_loss(self, why: str) -> None:
        manager = self._manager
        manager._get_logger().error(
            "%s: other servers are not heard, trying to listen to %r again: %s", manager.name, manager.channel, why
        )

    def _report_return(self) -> None:
        manager = self._manager
        # No error, but the log that has the loss, at whatever level, shall have its end.
        manager._get_logger().error("%s: listening to %r again", manager.name, manager.channel)
