"""
How a client comes back after its connection was lost: attempts, longer and longer apart, until one succeeds.

Must not know packets; one attempt is the client's.
"""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.protocol.backoff import Backoff

if TYPE_CHECKING:
    from fastsio.aio.client_opening import OpeningClient


class Reconnecting:
    """
    The attempts of one client.

    Args:
        client: The client.
    """

    def __init__(self, client: OpeningClient) -> None:
        self._client = client
        self._abort = client.eio.create_event()
        self._task: Any = None

    @property
    def task(self) -> Any:
        """What makes the attempts, or None."""
        return self._task

    def start(self) -> Any:
        """Begin to make attempts; return the task."""
        self._abort = self._client.eio.create_event()
        if self._client._has_left:
            # A disconnect handler, or another thread, has left while the loss was being handled.
            self._abort.set()
        self._task = self._client.start_background_task(self._run)
        return self._task

    async def stop(self) -> None:
        """Make no more attempts, undo one that succeeds meanwhile, and wait for that unless it is the caller."""
        self._abort.set()
        self._client._answered_event.set()
        task = self._task
        if task is not None and not concurrency.is_current(task):
            await concurrency.join(task)

    async def _run(self) -> None:
        client = self._client
        # The task that noticed the loss may not be quite done.
        await client.eio.wait()
        if not await self._succeed():
            for namespace in client.connection_namespaces:
                await client._trigger_event("__disconnect_final", namespace)
        self._task = None

    async def _succeed(self) -> bool:
        """Make attempts; False when they were given up, or stopped before one succeeded."""
        client = self._client
        backoff = Backoff(
            client.reconnection_delay, client.reconnection_delay_max, jitter_s=client.randomization_factor
        )
        while not client.reconnection_attempts or backoff.attempts < client.reconnection_attempts:
            delay_s = backoff.next(random())  # noqa: S311 - jitter is no secret
            client.logger.info("Connection failed, new attempt in %.02f seconds", delay_s)
            if await concurrency.wait_event(self._abort, delay_s):
                client.logger.info("Reconnect task aborted")
                return False
            if await self._attempt():
                if self._abort.is_set():
                    await client._hang_up()
                return True
        client.logger.info("Maximum reconnection attempts reached, giving up")
        return False

    async def _attempt(self) -> bool:
        try:
            await self._client._open()
        except ConnectFailed:
            return False
        except Exception:
            self._client.logger.exception("an attempt to reconnect failed")
            return False
        self._client.logger.info("Reconnection successful")
        return True
