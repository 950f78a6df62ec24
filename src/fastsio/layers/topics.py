"""
Layers on a broker that publishes to topics and keeps nothing: each group is a topic, and so is each process.

A process subscribes to the topics of the groups it has members of, and hands messages out itself: a message crosses
the network once a process, not once a member.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from asyncio import Task, create_task, gather
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from fastsio.exceptions import BusError, PayloadError
from fastsio.layers.codec import Codec
from fastsio.layers.local import CAPACITY, EXPIRY_S, GROUP_EXPIRY_S, TableLayer
from fastsio.layers.names import node_of, shard_of

if TYPE_CHECKING:
    import re
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fastsio.brokers.per_loop import PerLoop
    from fastsio.brokers.subscriptions import Subscriptions
    from fastsio.layers.codec import Message, SerializerFormat
    from fastsio.layers.inbox import Inbox, Overflow

#: The fields of what goes to a process: the channel, and its message or the group it joins or leaves.
_CHANNEL: Final = "c"
_MESSAGE: Final = "m"
_JOIN: Final = "j"
_LEAVE: Final = "l"

HostT = TypeVar("HostT")

logger = logging.getLogger("fastsio.layers")


class TopicLayer(TableLayer, Generic[HostT]):
    """
    A layer on topics.

    Args:
        hosts: Where the brokers are.
        prefix: What the layer's topics begin with.
        on_disconnect: Called without arguments when a connection was lost; may be a coroutine function.
        on_reconnect: Called without arguments when it is back; may be a coroutine function.
        symmetric_encryption_keys: The first encrypts, any decrypts.
        serializer_format: ``json`` or ``msgpack``.
        expiry: Seconds for which a message that has arrived is worth reading.
        capacity: Messages that may wait for one consumer.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: What to do with a message for which there is no room.
    """

    #: What sends to the brokers from each event loop, made by :meth:`_read_place`.
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
        self._spawned: set[Task[None]] = set()

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
        """Read where the brokers are and what topics begin with, or raise SetupError; make what sends to them."""

    @abstractmethod
    def _topic(self, kind: str, name: str) -> str:
        """Return the topic of a group, a process (``node``) or a channel that belongs to none."""

    @abstractmethod
    async def _publish(self, topic: str, payload: bytes) -> None:
        """Publish to a topic, on any loop; raise BusError when the broker does not take it."""

    @abstractmethod
    def _subscribe(self) -> Iterable[Subscriptions]:
        """Begin to listen at each broker that the topics are spread over; what arrives goes to :meth:`_take`."""

    async def _send(self, channel: str, message: Message) -> None:
        await self._tell(channel, {_MESSAGE: message})

    async def _group_send(self, group: str, message: Message) -> None:
        await self._publish(self._topic("group", group), self._codec.encode(message))

    async def _group_add(self, group: str, channel: str) -> None:
        if self._is_elsewhere(channel):
            await self._tell(channel, {_JOIN: group})
            return
        inbox = self._table.inboxes.get(channel) or await self._listen_to(channel)
        await self._enter(group, inbox)

    async def _group_discard(self, group: str, channel: str) -> None:
        if self._is_elsewhere(channel):
            await self._tell(channel, {_LEAVE: group})
        elif self._table.leave(group, channel):
            self._drop_group(group)

    async def _attach(self, inbox: Inbox) -> None:
        topic = self._address(inbox.channel)
        self._uses[topic] += 1
        for subscriber in self._connected():
            await subscriber.settle()
        with suppress(BusError):  # it will be subscribed to with the others, once the broker is there
            await self._subscriber_of(topic).want(topic)

    async def _detach(self, inbox: Inbox, emptied: list[str]) -> None:
        for group in emptied:
            self._drop_group(group)
        topic = self._address(inbox.channel)
        self._uses[topic] -= 1
        if self._uses[topic] <= 0:
            del self._uses[topic]
            self._subscriber_of(topic).drop(topic)

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

    async def _enter(self, group: str, inbox: Inbox) -> None:
        topic = self._topic("group", group)
        self._groups[topic] = group
        self._table.enter(group, inbox)
        try:
            await self._subscriber_of(topic).want(topic)
        except BusError:
            if self._table.leave(group, inbox.channel):
                self._drop_group(group)
            raise

    def _drop_group(self, group: str) -> None:
        topic = self._topic("group", group)
        self._groups.pop(topic, None)
        self._subscriber_of(topic).drop(topic)

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
        """Return the topic under which a channel is reached."""
        node = node_of(channel)
        return self._topic("channel", channel) if node is None else self._topic("node", node)

    def _is_elsewhere(self, channel: str) -> bool:
        """Tell whether a channel belongs to another process."""
        return channel not in self._table.inboxes and node_of(channel) not in {None, self.node}

    async def _tell(self, channel: str, fields: dict[str, Any]) -> None:
        await self._publish(self._address(channel), self._codec.encode({_CHANNEL: channel, **fields}))

    async def _take(self, topic: str, payload: bytes) -> None:
        """Hand out what has arrived; what makes no sense is logged and dropped."""
        try:
            decoded = self._codec.decode_message(payload)
            group = self._groups.get(topic)
            if group is not None:
                await self._settle(self._table.fan_out(group, decoded, self._deadline(), is_ours=True))
            elif topic in self._uses:
                await self._obey(decoded)
        except PayloadError as error:
            logger.warning("channel layer: what was published to %r is dropped: %s", topic, error)
        except Exception:
            logger.exception("channel layer: cannot hand out what was published to %r", topic)

    def _forget(self, task: Task[None]) -> None:
        self._spawned.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.warning("channel layer: a group cannot be joined: %s", task.exception())

    async def _obey(self, told: dict[str, Any]) -> None:
        inbox = self._table.inboxes.get(told.get(_CHANNEL, ""))
        if inbox is None:
            return
        match told:
            case {"m": dict() as message}:
                if not self._table.deliver(inbox, message, self._deadline()):
                    await self._settle([inbox])
            case {"j": str() as group}:
                # What waits for the answer of the broker must not keep this from being read.
                task = create_task(self._enter(group, inbox))
                self._spawned.add(task)
                task.add_done_callback(self._forget)
            case {"l": str() as group} if self._table.leave(group, inbox.channel):
                self._drop_group(group)
            case _:
                raise PayloadError("nothing that a process can be told")
