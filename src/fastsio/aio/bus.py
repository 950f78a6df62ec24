"""
The subscriber of a manager's bus: it listens, and listens again after the connection has broken.

This module must not know what messages mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.brokers.reconnection import Reconnection
from fastsio.protocol.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Seconds before the first attempt to listen again, between later ones at most, and of jitter, so that the servers of
#: a cluster do not come back all at once.
FIRST_DELAY_S: Final = 1.0
MOST_DELAY_S: Final = 60.0
JITTER_S: Final = 0.5


class BusSubscriber:
    """
    Listens to a bus until it is stopped; *listen* calls :meth:`confirm` once messages arrive.

    *on_lost* is called with the reason when the connection has been lost or cannot be made, *on_back* when messages
    arrive again.
    """

    def __init__(
        self,
        listen: Callable[[], Awaitable[None]],
        on_lost: Callable[[str], object],
        on_back: Callable[[], object],
    ) -> None:
        self._listen = listen
        self._reconnection = Reconnection(Backoff(FIRST_DELAY_S, MOST_DELAY_S, jitter_s=JITTER_S), on_lost, on_back)
        self._task: Any = None
        self._ready: Any = None
        self._settled: Any = None

    @property
    def is_started(self) -> bool:
        """Whether :meth:`start` has been called."""
        return self._task is not None

    @property
    def is_active(self) -> bool:
        """Whether messages arrive at present."""
        return self._reconnection.is_up

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._reconnection.is_stopping

    def start(self, engine: Any) -> None:
        """Start listening, in a background task of an Engine.IO server."""
        self._ready, self._settled = engine.create_event(), engine.create_event()
        self._task = engine.start_background_task(self._run)

    async def wait(self, timeout_s: float) -> None:
        """Wait until messages arrive, or for *timeout_s* seconds."""
        await concurrency.wait_event(self._ready, timeout_s)

    @property
    def has_settled(self) -> bool:
        """Whether :meth:`settle` has nothing to wait for."""
        return self._settled is None or self._settled.is_set()

    async def settle(self, timeout_s: float) -> None:
        """
        Wait until messages arrive, or the first attempt to listen has failed, but no longer than *timeout_s* seconds.

        When they have passed once, later calls return at once.
        """
        if not self.has_settled:
            await concurrency.wait_event(self._settled, timeout_s)
            self._settled.set()

    async def stop(self) -> None:
        """Stop listening."""
        self._reconnection.stop()
        if self._task is not None:
            self._settled.set()
            await concurrency.stop(self._task)

    def confirm(self) -> None:
        """Mark the bus as connected: messages arrive."""
        self._reconnection.confirm()
        if self._ready is not None:
            self._ready.set()
            self._settled.set()

    async def _run(self) -> None:
        while not self.is_stopping:
            delay_s = self._reconnection.record_failure(await self._listen_once())
            self._settled.set()
            if not self.is_stopping:
                await concurrency.sleep(delay_s)

    async def _listen_once(self) -> Exception | None:
        """Listen until the connection breaks; return why, or None if it just ended."""
        try:
            await self._listen()
        except Exception as error:  # noqa: BLE001 - a broker's client may raise anything, and it is logged
            return error
        return None
