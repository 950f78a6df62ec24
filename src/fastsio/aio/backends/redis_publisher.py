"""Publishing over one connection to a Redis, for any number of tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from fastsio.brokers.redis import close_client


class Publisher:
    """
    Publishes for any number of tasks over one connection: what they bring while a batch is on its way is the next one.

    Args:
        client: Of redis or valkey.
        command: ``PUBLISH`` or ``SPUBLISH``.

    Attributes:
        client: The client.
    """

    def __init__(self, client: Any, command: str = "PUBLISH") -> None:
        self.client = client
        self._command = command
        self._waiting: dict[asyncio.Future[None], tuple[Any, bytes]] = {}
        self._flushing: asyncio.Task[None] | None = None

    def submit(self, channel: Any, payload: bytes) -> asyncio.Future[None]:
        """Publish a message; the future is done when the broker has it. Cancelled before it is sent, it is not."""
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[accepted] = channel, payload
        accepted.add_done_callback(self._withdraw)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return accepted

    async def close(self) -> None:
        """Give the connection back."""
        if self._flushing is not None:
            self._flushing.cancel()
        await close_client(self.client)

    def _withdraw(self, accepted: asyncio.Future[None]) -> None:
        self._waiting.pop(accepted, None)

    async def _flush(self) -> None:
        """Send what waits, until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            for accepted, outcome in zip(batch, await self._send(list(batch.values())), strict=True):
                if accepted.done():
                    continue
                if isinstance(outcome, Exception):
                    accepted.set_exception(outcome)
                else:
                    accepted.set_result(None)

    async def _send(self, messages: list[tuple[Any, bytes]]) -> list[Any]:
        """Send messages in one go; return what became of each, an error if it failed."""
        pipeline = self.client.pipeline(transaction=False)
        for channel, payload in messages:
            pipeline.execute_command(self._command, channel, payload)
        try:
            return await pipeline.execute(raise_on_error=False)  # type: ignore[no-any-return] # untyped packages
        except Exception as error:  # noqa: BLE001 - those who wait get it
            return [error] * len(messages)
