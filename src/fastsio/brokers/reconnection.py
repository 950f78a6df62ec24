"""Reconnecting to a broker: the state of a connection that may break, and the loop with which layers listen."""

from __future__ import annotations

import asyncio
import inspect
import logging
from random import random
from typing import TYPE_CHECKING, Any, Final

from fastsio.protocol.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Reconnection:
    """
    The state of a connection that is made again when it breaks; *is_up*: messages arrive at present.

    A loss is reported once, with the reason, however many attempts fail after it, and so is the return.
    """

    def __init__(self, backoff: Backoff, on_lost: Callable[[str], object], on_back: Callable[[], object]) -> None:
        self.is_up = False
        self.is_stopping = False
        self._backoff = backoff
        self._on_lost = on_lost
        self._on_back = on_back
        self._has_lost = False

    def confirm(self) -> None:
        """Record that messages arrive."""
        self.is_up = not self.is_stopping
        self._backoff.reset()
        if self._has_lost:
            self._has_lost = False
            self._on_back()

    def record_failure(self, error: Exception | None) -> float:
        """Record that a connection failed, or ended without an error; return the seconds before the next try."""
        self.is_up = False
        if self.is_stopping:
            return 0.0
        if not self._has_lost:
            self._has_lost = True
            self._on_lost("the connection ended" if error is None else f"{type(error).__name__}: {error}")
        return self._backoff.next(random())  # noqa: S311 - jitter

    def stop(self) -> None:
        """Make no more attempts."""
        self.is_stopping, self.is_up = True, False


#: Seconds before the first attempt to listen again, at most between later ones, and of jitter, so that not all
#: processes reconnect at the same time.
FIRST_DELAY_S: Final = 0.5
MOST_DELAY_S: Final = 30.0
JITTER_S: Final = 0.25
#: Seconds after which a task that has not ended is cancelled again.
CANCEL_INTERVAL_S: Final = 0.1

#: What connects to a broker, for the log.
LAYER: Final = "channel layer"

logger = logging.getLogger("fastsio.layers")


class ReconnectLoop:
    """
    Listens for a channel layer, or for something else that has channels at a broker, until it is stopped.

    It reports once that the connection was lost and once that it is back, in the log, where *kind* and *name* say what
    listens, and by the application's callbacks, which may be coroutine functions.

    *listen* connects and listens until the connection breaks; it calls :meth:`confirm` once messages arrive.
    """

    def __init__(
        self,
        name: str,
        listen: Callable[[], Awaitable[None]],
        on_disconnect: Callable[[], object] | None,
        on_reconnect: Callable[[], object] | None,
        *,
        kind: str = LAYER,
    ) -> None:
        self._name = f"{kind} {name}"
        self._listen = listen
        self._on_disconnect = on_disconnect
        self._on_reconnect = on_reconnect
        backoff = Backoff(FIRST_DELAY_S, MOST_DELAY_S, jitter_s=JITTER_S)
        self._reconnection = Reconnection(backoff, self._report_loss, self._report_return)
        self._has_tried = asyncio.Event()
        self._calls: set[asyncio.Future[Any]] = set()
        self._task = asyncio.create_task(self._run(), name=f"fastsio {kind} {name}")

    async def wait_for_first_attempt(self) -> None:
        """Wait until messages arrive, or the first attempt has failed."""
        await self._has_tried.wait()

    async def stop(self) -> None:
        """Stop listening, and wait until the task has ended."""
        self._reconnection.stop()
        while not self._task.done():
            # Once is not always enough: some clients of brokers take a cancellation for a timeout of their own.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CANCEL_INTERVAL_S)

    def confirm(self) -> None:
        """Mark the layer as connected: messages arrive."""
        self._has_tried.set()
        self._reconnection.confirm()

    async def _run(self) -> None:
        while not self._reconnection.is_stopping:
            failure = None
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - a broker's client may raise anything, and it is logged
                failure = error
            delay_s = self._reconnection.record_failure(failure)
            self._has_tried.set()
            await asyncio.sleep(delay_s)

    def _report_loss(self, why: str) -> None:
        logger.error("%s: not connected, trying again: %s", self._name, why)
        self._call(self._on_disconnect)

    def _report_return(self) -> None:
        logger.warning("%s: connected again", self._name)
        self._call(self._on_reconnect)

    def _call(self, callback: Callable[[], object] | None) -> None:
        if callback is None:
            return
        try:
            result = callback()
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(result)
                self._calls.add(task)
                task.add_done_callback(self._report)
        except Exception:
            logger.exception("%s: a callback failed", self._name)

    def _report(self, task: asyncio.Future[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s: a callback failed", self._name, exc_info=task.exception())
