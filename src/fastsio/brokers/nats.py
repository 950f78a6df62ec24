"""NATS: a connection that does not reconnect by itself, publishing and subscribing, for managers and layers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.batch_publisher import BatchPublisher, unchanged
from fastsio.brokers.subscriptions import Subscriptions

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable, Sequence

#: The URLs that nats-py takes.
SCHEMES: Final = ("nats", "tls", "ws", "wss")
CONNECT_TIMEOUT_S: Final = 2
#: Two pings without an answer end the connection, so a server that is gone is noticed within half a minute.
PING_INTERVAL_S: Final = 10
#: Seconds within which the server has to accept a message or a subscription of a layer.
TIMEOUT_S: Final = 5
#: How many bytes and messages may wait for the process before NATS drops messages.
PENDING_BYTES: Final = 64 * 1024 * 1024
PENDING_MESSAGES: Final = 65_536
#: Seconds for which a subject stays subscribed to after its last member left. After unsubscribing and subscribing in
#: quick succession some servers miss messages, although they have confirmed the new subscription.
LINGER_S: Final = 2.0


async def connect_once(
    nats: Any, servers: str | Sequence[str], on_end: Callable[[], Awaitable[None]] | None = None
) -> Any:
    """
    Return a connection that does not reconnect by itself: the caller does, which knows what it has missed.

    *on_end* is called when the connection is over. If no server can be reached, the builtin ConnectionError says why.
    """
    errors: list[Exception] = []

    async def keep_error(error: Exception) -> None:
        errors.append(error)

    try:
        return await nats.connect(
            servers,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            error_cb=keep_error,
            closed_cb=on_end,
        )
    except nats.errors.NoServersError as error:
        raise ConnectionError(f"NATS cannot be reached: {errors[-1] if errors else error}") from error


class NatsPublisher:
    """
    Publishes for any number of tasks over one connection; the server confirms messages in batches.

    Args:
        connect: Opens a connection; called for the first message, and after a connection was lost.
        timeout_s: Seconds within which the server has to confirm.
        to_error: As for :class:`BatchPublisher`; so is *sends_cancelled*.
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
        """Publish a message; return a future that is done when the server has it."""
        return self._batches.submit((subject, payload))

    async def close(self) -> None:
        """Close the connection; messages that wait fail."""
        await self._batches.close()
        if self._connection is not None:
            await self._connection.close()

    async def _send(self, batch: list[tuple[str, bytes]]) -> list[Exception | None]:
        if self._connection is None or self._connection.is_closed:
            self._connection = await self._connect()
        results = [await self._written(subject, payload) for subject, payload in batch]
        # Publishing only fills a buffer; flush() sends a ping, and its answer shows that the server has the messages.
        await self._connection.flush(self._timeout_s)
        return results

    async def _written(self, subject: str, payload: bytes) -> Exception | None:
        """Write a message to the buffer; return the error if it cannot be sent, for example because it is too large."""
        try:
            await self._connection.publish(subject, payload)
        except Exception as error:  # noqa: BLE001 - the one that brought it gets it
            return error
        return None


class NatsSubscriptions(Subscriptions):
    """The subjects that a process subscribes to; *connect* takes a function to call when the connection ends."""

    _subscribed: dict[str, Any]
    #: The messages of the present connection, and None at its end.
    _arrived: asyncio.Queue[Any]

    def unsubscribe(self, topic: str) -> None:
        """Unsubscribe after ``LINGER_S``; calls that wait for the subscription return without it."""
        self._topics.set_wanted(topic, is_wanted=False)
        self._release(topic)
        asyncio.get_running_loop().call_later(LINGER_S, self._change, topic)

    async def _open(self) -> Any:
        self._subscribed = {}
        arrived = self._arrived = asyncio.Queue()

        async def end() -> None:
            await arrived.put(None)

        return await self._connect(end)

    async def _close(self, connection: Any) -> None:
        self._subscribed = {}
        await connection.close()

    async def _ask(self, connection: Any, new: list[str], gone: list[str]) -> None:
        try:
            for subject in gone:
                await self._subscribed.pop(subject).unsubscribe()
                self._confirm(subject, is_subscribed=False)
            for subject in new:
                self._subscribed[subject] = await connection.subscribe(
                    subject,
                    cb=self._arrived.put,
                    pending_msgs_limit=PENDING_MESSAGES,
                    pending_bytes_limit=PENDING_BYTES,
                )
            # Subscribing only fills a buffer; flush() sends a ping, and its answer shows that the server has it.
            await connection.flush(TIMEOUT_S)
        except BaseException:
            await self._arrived.put(None)
            raise
        for subject in new:
            self._confirm(subject, is_subscribed=True)

    async def _read(self, connection: Any) -> None:  # noqa: ARG002 - its messages are in the queue
        while (message := await self._arrived.get()) is not None:
            await self._on_message(message.subject, message.data)
        raise ConnectionError("the connection to NATS was lost")
