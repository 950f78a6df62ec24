"""NATS: a connection that does not reconnect by itself, and publishing over one, for managers and layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.batch_publisher import BatchPublisher, unchanged

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable, Sequence

#: The URLs that nats-py takes.
SCHEMES: Final = ("nats", "tls", "ws", "wss")
CONNECT_TIMEOUT_S: Final = 2
#: Two pings without an answer end the connection: a server that vanished is noticed within half a minute.
PING_INTERVAL_S: Final = 10


async def connect_once(
    nats: Any, servers: str | Sequence[str], on_end: Callable[[], Awaitable[None]] | None = None
) -> Any:
    """
    Connect, without trying again now or later: the caller does, who knows what was lost meanwhile.

    Args:
        nats: The module nats-py.
        servers: Where, one URL or those of one cluster.
        on_end: Called when the connection is over.

    Raises:
        ConnectionError: No server can be reached; the builtin one, with the last reason.
    """
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    try:
        return await nats.connect(
            servers,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            error_cb=note,
            closed_cb=on_end,
        )
    except nats.errors.NoServersError as error:
        raise ConnectionError(f"NATS cannot be reached: {errors[-1] if errors else error}") from error


class NatsPublisher:
    """
    Publishes for any number of tasks over one connection; the server confirms the messages of one moment at once.

    Args:
        connect: Opens a connection; called at first, and after the last one was lost.
        timeout_s: Seconds within which the server has to confirm.
        to_error: Returns the error that a caller gets for a failure.
        sends_cancelled: Whether a message is sent although its future was cancelled meanwhile.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        timeout_s: float,
        *,
        to_error: Callable[[Exception], Exception] = unchanged,
        sends_cancelled: bool = False,
    ) -> None:
        self._connect = connect
        self._timeout_s = timeout_s
        self._connection: Any = None
        self._batches = BatchPublisher(self._send, to_error=to_error, sends_cancelled=sends_cancelled)

    def publish(self, subject: str, payload: bytes) -> Future[Any]:
        """Publish a message; the future is done when the server has it."""
        return self._batches.submit((subject, payload))

    async def close(self) -> None:
        """Close the connection; what waits fails."""
        await self._batches.close()
        if self._connection is not None:
            await self._connection.close()

    async def _send(self, batch: list[tuple[str, bytes]]) -> list[Exception | None]:
        if self._connection is None or self._connection.is_closed:
            self._connection = await self._connect()
        results = [await self._written(subject, payload) for subject, payload in batch]
        # Publishing only fills a buffer; the answer to a ping says that the server has it.
        await self._connection.flush(self._timeout_s)
        return results

    async def _written(self, subject: str, payload: bytes) -> Exception | None:
        """Write a message to the buffer; return why it cannot be sent, as when it is too large."""
        try:
            await self._connection.publish(subject, payload)
        except Exception as error:  # noqa: BLE001 - the one that brought it gets it
            return error
        return None
