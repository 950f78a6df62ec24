"""The layer between the processes of one machine: Unix sockets in a directory that they share, without a broker."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastsio.brokers.batch_publisher import bus_error
from fastsio.brokers.local import MAX_PENDING_BYTES, LocalPlace, LocalPublisher
from fastsio.brokers.local_listening import LocalListener, LocalSubscriptions, on_topic
from fastsio.brokers.per_loop import PerLoop
from fastsio.exceptions import SetupError
from fastsio.layers.inbox import logger
from fastsio.layers.local import CAPACITY, EXPIRY_S
from fastsio.layers.topics import TopicLayer

if TYPE_CHECKING:
    import os
    import re
    from collections.abc import Iterator, Mapping, Sequence

    from fastsio.layers.codec import SerializerFormat
    from fastsio.layers.inbox import Overflow

#: What the topic of a process begins with.
_NODE = "node:"


class LocalChannelLayer(TopicLayer["LocalPlace"]):
    """
    Carry messages between the processes of one machine, at most once, without a broker.

    Every process of a user that names the same directory and prefix takes part. In the workers of ``fastsio run
    --workers`` this layer takes the place of an :class:`InMemoryChannelLayer` that is registered there.

    Args:
        path: A directory, which is made if it is not there. None is that of ``fastsio run --workers``, whose name is
            in the environment variable ``FASTSIO_WORKERS``.
        prefix: The name of the layer; layers with different ones never get each other's messages.
        serializer_format: The format of messages that are sent: ``json``, or ``msgpack`` (extra ``msgpack``). Both are
            read.
        expiry: Seconds after which a message that has arrived expires. 60.
        capacity: How many messages may wait for one consumer. 100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: The policy for a message without room.
        max_pending_bytes: How many bytes may wait in this process for one of the others. A process that does not read
            them is left out, which is logged as an error, and connected to again. 67,108,864.

    Raises:
        SetupError: No directory is named, its path is too long for Unix sockets, or an option is out of range.
        MissingExtraError: A package that an option needs is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        prefix: str = "asgi",
        serializer_format: SerializerFormat = "json",
        *,
        expiry: float = EXPIRY_S,
        capacity: int = CAPACITY,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        overflow: Overflow = "drop_new",
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ) -> None:
        if not isinstance(prefix, str) or not prefix:
            raise SetupError(f"prefix is the name of the layer, like 'chat'; got {prefix!r}")
        super().__init__(
            [LocalPlace(path, prefix, max_pending_bytes, "layer")],
            prefix,
            serializer_format=serializer_format,
            expiry=expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            overflow=overflow,
        )

    def _read_place(self, hosts: Sequence[LocalPlace] | None, prefix: str) -> None:  # noqa: ARG002 - it is in the place
        assert hosts is not None  # noqa: S101 - the constructor gives one
        self._bus = hosts[0]
        self._senders = PerLoop(self._new_sender, LocalPublisher.close)

    async def _new_sender(self) -> LocalPublisher:
        # A process receives its own messages too, in one order with those of the others.
        return LocalPublisher(self._bus, str, lambda: logger)

    def _topic(self, kind: str, name: str) -> str:
        return f"{kind}:{name}"

    async def _publish(self, topic: str, payload: bytes) -> None:
        sender = await self._senders.get()
        # A process listens under the name that its channels have in theirs.
        to = topic.removeprefix(_NODE) if topic.startswith(_NODE) else None
        try:
            await sender.publish(on_topic(topic, payload), to)
        except (OSError, ValueError) as error:
            raise bus_error(f"the bus in {self._bus.path} did not take a message", error) from error

    def _subscribe(self) -> Iterator[LocalSubscriptions]:
        listen = partial(LocalListener, self._bus, self.node, self._note_gap, lambda: logger)
        label, wanted = f"the bus in {self._bus.path}", self._wanted()
        yield LocalSubscriptions(
            listen, label, wanted, self._handle_message, self._connection_lost, self._connection_back
        )

    def _note_gap(self) -> None:
        logger.error("channel layer: this process has not read what others have sent, and has missed messages")
        self.report_loss()
