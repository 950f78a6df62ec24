"""
Send commands to one Redis for any number of tasks over one connection, in the order in which they were given.

What is asked for while a batch is on its way is the next batch, in one pipeline.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastsio.brokers.redis import close_client
from fastsio.exceptions import BusError

if TYPE_CHECKING:
    from fastsio.layers.redis.hosts import RedisHost

_Command = tuple["asyncio.Future[Any]", tuple[Any, ...], dict[str, Any]]


class Commands:
    """
    The commands to one Redis, from one event loop.

    Args:
        host: The Redis.
    """

    def __init__(self, host: RedisHost) -> None:
        self._host = host
        self._client = host.client()
        self._waiting: list[_Command] = []
        self._flushing: asyncio.Task[None] | None = None

    def post(self, *command: Any, **parsing: Any) -> asyncio.Future[Any]:
        """
        Give a command, and return what its answer will come to: a value or a :class:`BusError`.

        Args:
            command: Its name and arguments.
            parsing: What the client needs to know to read the answer.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((answer, command, parsing))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return answer

    async def close(self) -> None:
        """Close the connection; what waits fails."""
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        self._fail(self._waiting, BusError("the channel layer was closed"))
        await close_client(self._client)

    async def _flush(self) -> None:
        """Send what waits, until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            pipeline = self._client.pipeline(transaction=False)
            for _, command, parsing in batch:
                pipeline.execute_command(*command, **parsing)
            try:
                results = await pipeline.execute(raise_on_error=False)
            except BaseException as error:
                self._fail(batch, error)
                if not isinstance(error, Exception):
                    raise
                continue
            for (answer, command, parsing), result in zip(batch, results, strict=True):
                if isinstance(result, Exception):
                    self._fail([(answer, command, parsing)], result)
                elif not answer.done():
                    answer.set_result(result)

    def _fail(self, batch: list[_Command], cause: BaseException) -> None:
        for answer, _, _ in batch:
            if not answer.done():
                error = BusError(f"Redis at {self._host.label} did not answer: {type(cause).__name__}: {cause}")
                error.__cause__ = cause
                answer.set_exception(error)
                answer.exception()  # who does not wait for it does not want to know


async def open_all(hosts: list[RedisHost]) -> list[Commands]:
    """Return what sends to each host from the running loop; it connects when it is used."""
    return [Commands(host) for host in hosts]


async def close_all(senders: list[Commands]) -> None:
    """Close the connections of one event loop."""
    for sender in senders:
        await sender.close()
