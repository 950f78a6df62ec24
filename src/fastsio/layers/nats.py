"""The layer on NATS: each group is a subject, and so is each process."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from fastsio._extras import require
from fastsio.brokers.batch_publisher import bus_error
from fastsio.brokers.nats import SCHEMES, NatsPublisher, connect_once
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import require_scheme
from fastsio.exceptions import BusError, SetupError
from fastsio.layers.listening import Listener
from fastsio.layers.tabled import CAPACITY, EXPIRY_S
from fastsio.layers.topics import TopicLayer

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from fastsio.layers.codec import SerializerFormat
    from fastsio.layers.inbox import Overflow

DEFAULT_URL: Final = "nats://localhost:4222"
#: Seconds within which the server has to accept a message or a subscription.
TIMEOUT_S: Final = 5
#: Bytes and messages that may wait for the process before NATS drops some.
PENDING_BYTES: Final = 64 * 1024 * 1024
PENDING_MESSAGES: Final = 65_536
#: Seconds for which a subject stays subscribed to after its last member left. Who leaves and joins at once while others
#: publish is missed by some servers, although they have confirmed the new subscription.
LINGER_S: Final = 2.0


class NatsChannelLayer(TopicLayer):
    """
    Carry messages between processes through NATS, at most once.

    Args:
        hosts: The servers of one NATS cluster, ``nats://user:password@host:port``; ``tls://``, ``ws://`` and
            ``wss://`` as well. None is ``nats://localhost:4222``.
        prefix: What the layer's subjects begin with; layers with different ones never hear each other.
        on_disconnect: Called without arguments when the connection was lost; may be a coroutine function.
        on_reconnect: Called without arguments when it is back; may be a coroutine function.
        symmetric_encryption_keys: Secrets; the first encrypts, any decrypts. None does not encrypt.
        serializer_format: ``json``, or ``msgpack`` (extra ``msgpack``); either is read.
        expiry: Seconds for which a message that has arrived is worth reading. 60.
        capacity: Messages that may wait for one consumer. 100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: What to do with a message for which there is no room.

    Raises:
        SetupError: An option is out of range.
        MissingExtraError: A package that an option needs is not installed.
    """

    def __init__(
        self,
        hosts: Sequence[str] | None = None,
        prefix: str = "asgi",
        on_disconnect: Callable[[], object] | None = None,
        on_reconnect: Callable[[], object] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        serializer_format: SerializerFormat = "json",
        *,
        expiry: float = EXPIRY_S,
        capacity: int = CAPACITY,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        overflow: Overflow = "drop_new",
    ) -> None:
        super().__init__(
            expiry=expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            overflow=overflow,
            symmetric_encryption_keys=symmetric_encryption_keys,
            serializer_format=serializer_format,
        )
        if not isinstance(prefix, str) or not prefix:
            raise SetupError(f"prefix is what the subjects of the layer begin with, like 'chat'; got {prefix!r}")
        if isinstance(hosts, str) or (hosts is not None and not hosts):
            raise SetupError("hosts is a list of at least one URL: hosts=['nats://localhost:4222']")
        self.prefix = prefix
        self._key = _token(prefix)
        self._urls = [require_scheme(url, SCHEMES, DEFAULT_URL) for url in hosts or [DEFAULT_URL]]
        self._connect = partial(connect_once, require("nats", "nats"), self._urls)
        self._on_disconnect = on_disconnect
        self._on_reconnect = on_reconnect
        self._senders: PerLoop[NatsPublisher] = PerLoop(self._new_sender, NatsPublisher.close)

    @property
    def is_closed(self) -> bool:
        """Whether the layer holds neither channels nor connections."""
        return super().is_closed and not self._senders

    async def close(self) -> None:
        """Close all channels and connections."""
        await super().close()
        await self._senders.drop()

    def _topic(self, kind: str, name: str) -> str:
        return f"{self._key}.{kind}.{_token(name)}"

    async def _publish(self, topic: str, payload: bytes) -> None:
        sender = await self._senders.get()
        await sender.publish(topic, payload)

    def _subscribe(self) -> Subjects:
        return Subjects(self._connect, self._label, self._wanted(), self._take, self._on_disconnect, self._on_reconnect)

    async def _new_sender(self) -> NatsPublisher:
        to_error = partial(bus_error, f"NATS at {self._label} did not take a message")
        return NatsPublisher(self._connect, TIMEOUT_S, to_error=to_error, sends_cancelled=True)

    @property
    def _label(self) -> str:
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self._urls)


class Subjects:
    """
    The subjects that a process listens to, over one connection that is made again when it breaks.

    Args:
        connect: Opens a connection; what it is given is called when that ends.
        label: Where the server is, without a password.
        subjects: What to subscribe to at once.
        take: Gets subject and payload of each message.
        on_disconnect: As for :class:`Listener`.
        on_reconnect: As for :class:`Listener`.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[], Awaitable[None]]], Awaitable[Any]],
        label: str,
        subjects: Iterable[str],
        take: Callable[[str, bytes], Awaitable[None]],
        on_disconnect: Callable[[], object] | None,
        on_reconnect: Callable[[], object] | None,
    ) -> None:
        self._connect = connect
        self._label = label
        self._take = take
        self._wanted = set(subjects)
        self._subscribed: dict[str, Any] = {}
        self._connection: Any = None
        self._changing = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()
        #: What the present connection brings, and None at its end.
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._listener = Listener(f"at NATS {label}", self._listen, on_disconnect, on_reconnect)

    async def settle(self) -> None:
        """Wait until NATS was reached, or could not be."""
        await self._listener.settle()

    async def want(self, topic: str) -> None:
        """Subscribe to a subject; once it returns, nothing is missed."""
        self._wanted.add(topic)
        await self._listener.settle()
        try:
            await self._reconcile(topic)
        except Exception as error:
            raise BusError(f"NATS at {self._label}: cannot subscribe: {type(error).__name__}: {error}") from error

    def drop(self, topic: str) -> None:
        """Unsubscribe."""
        self._wanted.discard(topic)
        asyncio.get_running_loop().call_later(LINGER_S, self._begin_to_forget, topic)

    async def close(self) -> None:
        """Close the connection."""
        await self._listener.stop()

    def _begin_to_forget(self, subject: str) -> None:
        if self._connection is not None and subject in self._subscribed and subject not in self._wanted:
            task = asyncio.create_task(self._forget(subject))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def _forget(self, subject: str) -> None:
        with suppress(Exception):  # a connection that broke is subscribed to nothing
            await self._reconcile(subject)

    async def _reconcile(self, subject: str) -> None:
        """Make what is subscribed to what is wanted."""
        async with self._changing:
            connection = self._connection
            if connection is None:
                raise ConnectionError("not connected, trying again")
            if subject in self._wanted and subject not in self._subscribed:
                self._subscribed[subject] = await self._join(connection, subject)
                await connection.flush(TIMEOUT_S)
            elif subject not in self._wanted and subject in self._subscribed:
                await self._subscribed.pop(subject).unsubscribe()

    async def _join(self, connection: Any, subject: str) -> Any:
        return await connection.subscribe(
            subject,
            cb=self._arrived.put,
            pending_msgs_limit=PENDING_MESSAGES,
            pending_bytes_limit=PENDING_BYTES,
        )

    async def _listen(self) -> None:
        """Subscribe to everything and listen, until the connection breaks."""
        arrived = self._arrived = asyncio.Queue()

        async def end() -> None:
            await arrived.put(None)

        connection = await self._connect(end)
        try:
            async with self._changing:
                self._subscribed = {subject: await self._join(connection, subject) for subject in self._wanted}
                await connection.flush(TIMEOUT_S)
                self._connection = connection
            self._listener.confirm()
            while (message := await arrived.get()) is not None:
                await self._take(message.subject, message.data)
        finally:
            self._connection = None
            self._subscribed.clear()
            await connection.close()
        raise ConnectionError("the connection to NATS was lost")


def _token(name: str) -> str:
    """Return a name as one token of a subject: without periods, spaces and wildcards."""
    return quote(name, safe="").replace(".", "%2E")
