"""
The base of layers on a broker with topics that stores no messages: each group is a topic, and so is each process.

A process subscribes to the topics of the groups that it has members of, and gives each member its copy itself: a
message crosses the network once for each process, not once for each member.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from asyncio import gather
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastsio.exceptions import BusError, PayloadError
from fastsio.layers.codec import Codec
from fastsio.layers.local import CAPACITY, EXPIRY_S, GROUP_EXPIRY_S, TableLayer
from fastsio.layers.names import node_of, shard_of

if TYPE_CHECKING:
    import re
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from fastsio.brokers.per_loop import PerLoop
    from fastsio.brokers.subscriptions import Subscriptions
    from fastsio.layers.codec import Message, SerializerFormat
    from fastsio.layers.inbox import Inbox, Overflow

HostT = TypeVar("HostT")

logger = logging.getLogger("fastsio.layers")


class TopicLayer(TableLayer, Generic[HostT]):
    """A layer on topics; the arguments are those of :class:`RedisPubSubChannelLayer`."""

    #: The publishers of each event loop, made by :meth:`_read_place`.
    _senders: PerLoop[Any]

    def __init__(
        self,
        hosts: Sequence[HostT] | None = None,
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
            group_expiry=GROUP_EXPIRY_S,
            capacity=capacity,
            channel_capacity=channel_capacity,
            overflow=overflow,
        )
        self._codec = Codec(serializer_format, symmetric_encryption_keys)
        self.prefix = prefix
        self._on_disconnect = on_disconnect
        self._on_reconnect = on_reconnect
        self._read_place(hosts, prefix)
        self._subscribers: list[Subscriptions] = []
        self._uses: Counter[str] = Counter()
        self._groups: dict[str, str] = {}

    @property
    def is_closed(self) -> bool:
        """Whether the layer holds neither channels nor connections."""
        return not self._subscribers and super().is_closed and not self._senders

    async def close(self) -> None:
        """Close all channels and connections."""
        await super().close()
        await self._senders.drop()

    @abstractmethod
    def _read_place(self, hosts: Sequence[HostT] | None, prefix: str) -> None:
        """Read the addresses and the prefix, or raise SetupError; set :attr:`_senders`."""

    @abstractmethod
    def _topic(self, kind: str, name: str) -> str:
        """Return the topic of a group, of a process (``node``), or of a channel that any process may read."""

    @abstractmethod
    async def _publish(self, topic: str, payload: bytes) -> None:
        """Publish to a topic, on any loop; raise BusError if the broker does not accept it."""

    @abstractmethod
    def _subscribe(self) -> Iterable[Subscriptions]:
        """Start listening at each broker, with :meth:`_handle_message`, and yield the subscriptions."""

    async def _send(self, channel: str, message: Message) -> None:
        await self._publish_to_process(channel, {"m": message})

    async def _group_send(self, group: str, message: Message) -> None:
        await self._publish(self._topic("group", group), self._codec.encode(message))

    async def _group_add(self, group: str, channel: str) -> None:
        if self._is_elsewhere(channel):
            await self._publish_to_process(channel, {"j": group})
            return
        inbox = self._table.inboxes.get(channel) or await self._listen_to(channel)
        await self._join_group(group, inbox)

    async def _group_discard(self, group: str, channel: str) -> None:
        if self._is_elsewhere(channel):
            await self._publish_to_process(channel, {"l": group})
        elif self._table.leave(group, channel):
            self._drop_group(group)

    async def _attach(self, inbox: Inbox) -> None:
        topic = self._address(inbox.channel)
        self._uses[topic] += 1
        for subscriber in self._connected():
            await subscriber.wait_for_first_attempt()
        with suppress(BusError):  # it is subscribed to with the others when the broker is reached
            await self._subscriber_of(topic).subscribe(topic)

    async def _detach(self, inbox: Inbox, emptied: list[str]) -> None:
        for group in emptied:
            self._drop_group(group)
        topic = self._address(inbox.channel)
        self._uses[topic] -= 1
        if self._uses[topic] <= 0:
            del self._uses[topic]
            self._subscriber_of(topic).unsubscribe(topic)

    async def _flush(self) -> None:
        for group in list(self._table.groups):
            self._drop_group(group)
        self._table.clear()

    async def _close(self) -> None:
        await super()._close()
        subscribers, self._subscribers = self._subscribers, []
        await gather(*(subscriber.close() for subscriber in subscribers))

    def _take_over(self, loop: AbstractEventLoop) -> None:
        super()._take_over(loop)
        # The connections of the loop before ended with it.
        self._subscribers = []
        self._uses = Counter(self._address(channel) for channel in self._table.inboxes)

    def _join_group(self, group: str, inbox: Inbox) -> Coroutine[Any, Any, None]:
        """Put a channel into a group at once, so that a later request to leave finds it; await the rest."""
        self._groups[self._topic("group", group)] = group
        self._table.enter(group, inbox)
        return self._subscribe_to_group(group, inbox)

    async def _subscribe_to_group(self, group: str, inbox: Inbox) -> None:
        topic = self._topic("group", group)
        if topic not in self._groups:  # all members have left meanwhile
            return
        try:
            await self._subscriber_of(topic).subscribe(topic)
        except BusError:
            if self._table.leave(group, inbox.channel):
                self._drop_group(group)
            raise

    def _drop_group(self, group: str) -> None:
        topic = self._topic("group", group)
        self._groups.pop(topic, None)
        self._subscriber_of(topic).unsubscribe(topic)

    def _connection_lost(self) -> object:
        """Report that messages are lost from now on; return what the application's callback returns."""
        self.report_loss()
        return None if self._on_disconnect is None else self._on_disconnect()

    def _connection_back(self) -> object:
        """Report that messages arrive again, and that earlier ones were lost."""
        self.report_loss()
        return None if self._on_reconnect is None else self._on_reconnect()

    def _connected(self) -> list[Subscriptions]:
        if not self._subscribers:
            self._subscribers = list(self._subscribe())
        return self._subscribers

    def _subscriber_of(self, topic: str) -> Subscriptions:
        subscribers = self._connected()
        return subscribers[shard_of(topic, len(subscribers))]

    def _wanted(self, number: int = 0, count: int = 1) -> list[str]:
        """Return the topics that this process listens to at one of several brokers."""
        return [topic for topic in (*self._uses, *self._groups) if shard_of(topic, count) == number]

    def _address(self, channel: str) -> str:
        """Return the topic for messages to a channel."""
        node = node_of(channel)
        return self._topic("channel", channel) if node is None else self._topic("node", node)

    def _is_elsewhere(self, channel: str) -> bool:
        """Tell whether a channel belongs to another process."""
        return channel not in self._table.inboxes and node_of(channel) not in {None, self.node}

    async def _publish_to_process(self, channel: str, fields: dict[str, Any]) -> None:
        """Publish to a channel's process: its message as ``m``, or a group that it joins (``j``) or leaves (``l``)."""
        await self._publish(self._address(channel), self._codec.encode({"c": channel, **fields}))

    async def _handle_message(self, topic: str, payload: bytes) -> None:
        """Deliver a message that has arrived; one that is not valid is logged and dropped."""
        try:
            decoded = self._codec.decode_message(payload)
            group = self._groups.get(topic)
            if group is not None:
                await self._handle_overflow(self._table.fan_out(group, decoded, self._deadline(), is_ours=True))
            elif topic in self._uses:
                await self._handle_node_message(decoded)
        except PayloadError as error:
            logger.warning("channel layer: what was published to %r is dropped: %s", topic, error)
        except Exception:
            logger.exception("channel layer: cannot hand out what was published to %r", topic)

    async def _handle_node_message(self, fields: dict[str, Any]) -> None:
        inbox = self._table.inboxes.get(fields.get("c", ""))
        if inbox is None:
            return
        match fields:
            case {"m": dict() as message}:
                if not self._table.deliver(inbox, message, self._deadline()):
                    await self._handle_overflow([inbox])
            case {"j": str() as group}:
                self._spawn(self._join_group(group, inbox))
            case {"l": str() as group}:
                if self._table.leave(group, inbox.channel):
                    self._drop_group(group)
            case _:
                raise PayloadError("it is not a message for a process")
