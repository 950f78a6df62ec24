"""Redis and Valkey for asyncio: what client managers and channel layers both do with a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.brokers.batch_publisher import BatchPublisher, unchanged
from fastsio.brokers.redis_client import parts_of

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A command whose answer the client reads with options."""

    command: tuple[Any, ...]
    parsing: dict[str, Any]


class RedisPublisher:
    """
    Sends commands for any number of tasks over one connection, those of one moment in one pipeline.

    Args:
        client: Of redis or valkey; it is closed with the publisher.
        to_error: Returns the error that a caller gets for a failure.
        sends_cancelled: Whether a command is sent although its future was cancelled meanwhile.

    Attributes:
        client: The client.
    """

    def __init__(
        self,
        client: Any,
        *,
        to_error: Callable[[Exception], Exception] = unchanged,
        sends_cancelled: bool = False,
    ) -> None:
        self.client = client
        self._batches = BatchPublisher(self._send, to_error=to_error, sends_cancelled=sends_cancelled)

    def post(self, *command: Any, **parsing: Any) -> Future[Any]:
        """
        Give a command; the future is done when the server has answered it.

        Args:
            command: Its name and arguments.
            parsing: What the client needs to know to read the answer.
        """
        # Nearly all commands have no options: a message on its way is one object less.
        return self._batches.submit(_Parsed(command, parsing) if parsing else command)

    async def close(self) -> None:
        """Close the connection; what waits fails."""
        await self._batches.close()
        await close_client(self.client)

    async def _send(self, batch: list[tuple[Any, ...] | _Parsed]) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for request in batch:
            if isinstance(request, _Parsed):
                pipeline.execute_command(*request.command, **request.parsing)
            else:
                pipeline.execute_command(*request)
        return await pipeline.execute(raise_on_error=False)  # type: ignore[no-any-return] # untyped packages


async def close_client(client: Any) -> None:
    """Close the connections of a client, those to the sentinels that it asked included."""
    for part in parts_of(client):
        await part.aclose()


async def next_message(pubsub: Any, silence_s: float) -> dict[str, Any]:
    """
    Return the next message of a subscription.

    Args:
        pubsub: The subscription.
        silence_s: Seconds without a message after which the server is sent a ping, and within which it must answer.

    Raises:
        ConnectionError: The server does not answer.
    """
    message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        raise ConnectionError("the server does not answer")
    return message  # type: ignore[no-any-return] # redis and valkey give dicts
