"""The layer on Redis streams: messages are stored until they are read or expire."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import BusError, PayloadError, SetupError
from fastsio.layers.codec import Codec
from fastsio.layers.inbox import ChannelFull, require_seconds
from fastsio.layers.local import CAPACITY, EXPIRY_S, GROUP_EXPIRY_S, TableLayer
from fastsio.layers.names import node_of
from fastsio.layers.redis.hosts import quoted, read_hosts
from fastsio.layers.redis.queues import SHARED_COUNT, Queues, StreamReader, route_of

if TYPE_CHECKING:
    import re
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Mapping, Sequence

    from fastsio.layers.codec import Message, SerializerFormat
    from fastsio.layers.inbox import Inbox, Overflow
    from fastsio.layers.redis.hosts import Host

#: Seconds for which a process stays a member of its groups without a heartbeat.
LEASE_S: Final = 60.0

logger = logging.getLogger("fastsio.layers")


class RedisChannelLayer(TableLayer):
    """
    Carry messages between processes through Redis streams (Redis 6.2 or newer, or Valkey).

    A message is stored until its consumer has got it, or *expiry* has passed: no message is missed when a connection
    breaks, or when the reader comes later. Messages that Redis itself loses are lost, and so are those that a process
    had read for its own channels when it ended.

    Args:
        hosts: The Redis servers, as for :class:`RedisPubSubChannelLayer`.
        prefix: The beginning of the layer's keys; layers with different prefixes never get each other's messages.
        expiry: Seconds after which a message that waits expires. 60.
        group_expiry: Seconds for which a channel that any process may read stays in a group. A day.
        capacity: How many messages may wait for one consumer, and in Redis for a channel that any process may read.
            100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        lease: Seconds without a heartbeat after which a process has left its groups, and other processes take over the
            messages that it had read of channels that they read too. 60; a heartbeat is sent three times in it.
        symmetric_encryption_keys: As for :class:`RedisPubSubChannelLayer`; so are all other arguments.

    Raises:
        SetupError: An option is out of range, or a host has none of the known forms.
        MissingExtraError: A package that an option needs is not installed.
    """

    def __init__(
        self,
        hosts: Sequence[Host] | None = None,
        prefix: str = "asgi",
        expiry: float = EXPIRY_S,
        group_expiry: float = GROUP_EXPIRY_S,
        capacity: int = CAPACITY,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        serializer_format: SerializerFormat = "json",
        *,
        on_disconnect: Callable[[], object] | None = None,
        on_reconnect: Callable[[], object] | None = None,
        overflow: Overflow = "drop_new",
        lease: float = LEASE_S,
    ) -> None:
        super().__init__(
            expiry=expiry,
            group_expiry=group_expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            overflow=overflow,
        )
        self.prefix = prefix
        self.lease = require_seconds(lease, "lease")
        self._codec = Codec(serializer_format, symmetric_encryption_keys)
        self._on_disconnect = on_disconnect
        self._on_reconnect = on_reconnect
        self._queues = Queues(
            read_hosts(hosts),
            quoted(prefix),
            expiry_s=self.expiry,
            lease_s=self.lease,
            capacities=self._capacities,
            drops_old=self.overflow == "drop_old",
        )
        self._readers: list[StreamReader] = []
        #: Stream -> inbox, of the channels that other processes may read too.
        self._shared: dict[str, Inbox] = {}

    @property
    def is_closed(self) -> bool:
        """Whether the layer holds neither channels nor connections."""
        return super().is_closed and not self._readers and not self._queues.senders

    async def close(self) -> None:
        """Close all channels and connections."""
        await super().close()
        await self._queues.senders.drop()

    # Sending, on any loop.

    async def _send(self, channel: str, message: Message) -> None:
        node = node_of(channel)
        if node is None:
            taken = await self._queues.add_to_channel(channel, self._codec.encode({"m": message}))
        else:
            taken = await self._queues.add_to_node(node, self._codec.encode({"c": channel, "m": message}))
        if not taken:
            raise ChannelFull(channel)

    async def _group_send(self, group: str, message: Message) -> None:
        full = await self._queues.add_to_group(group, self._codec.encode({"g": group, "m": message}))
        if full and self.overflow == "raise":
            raise ChannelFull(*full)

    # Groups and inboxes, at home.

    async def _group_add(self, group: str, channel: str) -> None:
        node, inbox = node_of(channel), self._table.inboxes.get(channel)
        if node is None:
            if inbox is not None:
                inbox.groups.add(group)
            await self._queues.join(group, route_of(channel), [channel], self.group_expiry)
        elif inbox is None and node != self.node:
            await self._add_to_node(node, {"c": channel, "j": group})
        else:
            await self._join_group(group, inbox or await self._listen_to(channel))

    async def _join_group(self, group: str, inbox: Inbox) -> None:
        self._table.enter(group, inbox)
        try:
            await self._queues.join(group, route_of(inbox.channel), [inbox.channel], self.lease)
        except BusError:
            self._table.leave(group, inbox.channel)
            raise

    async def _group_discard(self, group: str, channel: str) -> None:
        node, inbox = node_of(channel), self._table.inboxes.get(channel)
        if node is not None and node != self.node and inbox is None:
            await self._add_to_node(node, {"c": channel, "l": group})
            return
        if inbox is not None:
            inbox.groups.discard(group)
        is_last = self._table.leave(group, channel) or node is None
        await self._queues.leave(group, channel, route_of(channel) if is_last else None)

    async def _group_channels(self, group: str) -> list[str]:
        return await self._queues.members(group)

    async def _attach(self, inbox: Inbox) -> None:
        if node_of(inbox.channel) not in {None, self.node}:
            del self._table.inboxes[inbox.channel]
            raise SetupError(f"channel {inbox.channel!r} was made by another process, and only that one can read it")
        readers = self._reading()
        for reader in readers:
            await reader.wait_for_first_attempt()
        if node_of(inbox.channel) is None:
            stream = self._queues.stream_of(inbox.channel)
            self._shared[stream] = inbox
            inbox.on_starved = partial(self._wake, stream)
            if inbox.keep_s is None:
                inbox.on_starved()

    async def _retire(self, inbox: Inbox) -> None:
        joined = sorted(inbox.groups)
        local = {group for group in joined if group in self._table.groups}
        emptied = set(self._table.leave_all(inbox))
        inbox.groups.clear()
        if inbox.is_detached:
            return
        inbox.is_detached = True
        stream = self._queues.stream_of(inbox.channel)
        self._shared.pop(stream, None)
        with suppress(BusError):  # the membership ends with the lease in any case
            for group in joined:
                is_last = group not in local or group in emptied
                await self._queues.leave(group, inbox.channel, route_of(inbox.channel) if is_last else None)
            await self._release_unread(stream)

    async def _release_unread(self, stream: str) -> None:
        """Release the messages that were not read, for the next reader of the channel."""
        entries = self._readers[self._queues.shard_of(stream)].stop_reading(stream) if self._readers else ()
        if entries:
            await self._queues.release(stream, self.node, entries)

    async def _flush(self) -> None:
        self._table.clear()
        for node in await self._queues.empty():
            if node != self.node:
                await self._queues.add_to_node(node, self._codec.encode({"f": True}))

    async def _close(self) -> None:
        await super()._close()
        readers, self._readers = self._readers, []
        for reader in readers:
            await reader.close()
        with suppress(BusError):
            own = self._queues.stream_of_node(self.node)
            await self._queues.run(own, "UNLINK", own)

    def _take_over(self, loop: AbstractEventLoop) -> None:
        super()._take_over(loop)
        self._readers = []  # they have ended with their loop
        self._shared = {self._queues.stream_of(inbox.channel): inbox for inbox in self._table.inboxes.values()}
        self._shared = {stream: inbox for stream, inbox in self._shared.items() if node_of(inbox.channel) is None}

    # Reading.

    def _reading(self) -> list[StreamReader]:
        if not self._readers:
            self._readers = [
                StreamReader(
                    host,
                    node=self.node,
                    own=self._queues.stream_of_node(self.node),
                    keep_ms=self._queues.keep_ms,
                    lease_s=self.lease,
                    wanted=partial(self._wanted, number),
                    on_entry=partial(self._handle_entry, number),
                    renew=partial(self._renew_memberships, number),
                    on_loss=self.report_loss,
                    on_disconnect=self._on_disconnect,
                    on_reconnect=self._on_reconnect,
                )
                for number, host in enumerate(self._queues.hosts)
            ]
        return self._readers

    def _wanted(self, number: int) -> dict[str, int]:
        """Return the streams of a host from which to read messages, and how many."""
        wanted = {}
        for stream, inbox in self._shared.items():
            room = SHARED_COUNT if inbox.keep_s is None else inbox.waiters
            room = min(room, inbox.capacity) - inbox.waiting
            if room > 0 and self._queues.shard_of(stream) == number:
                wanted[stream] = room
        return wanted

    def _wake(self, stream: str) -> None:
        """Let a reader check again from which streams to read."""
        number = self._queues.shard_of(stream)
        if stream not in self._readers[number].reading:
            self._spawn(self._nudge(number))

    async def _nudge(self, number: int) -> None:
        with suppress(BusError):  # the reader checks in any case when it is connected again
            await self._queues.nudge(number, self.node)

    async def _renew_memberships(self, number: int) -> None:
        """Renew the memberships of this process in the groups of a host."""
        queues = self._queues
        joins = [
            queues.join(group, f"n:{self.node}", members, self.lease)
            for group, members in self._table.groups.items()
            if queues.shard_of(group) == number
        ]
        joins += [
            queues.join(group, route_of(inbox.channel), [inbox.channel], self.group_expiry)
            for inbox in self._shared.values()
            for group in inbox.groups
            if queues.shard_of(group) == number
        ]
        await asyncio.gather(*joins)
        await self._forget_lapsed()

    async def _handle_entry(self, number: int, stream: str, entry: str, payload: bytes) -> bool:
        """Deliver an entry of a stream; return whether it is finished."""
        try:
            fields = self._codec.decode_message(payload)
            reader = self._readers[number]
            deadline = monotonic() - reader.age_of(entry) + self.expiry
            if stream == self._queues.stream_of_node(self.node):
                await self._handle_node_message(fields, deadline)
            else:
                return await self._deliver_shared(stream, fields, deadline, partial(reader.finish, stream, entry))
        except PayloadError as error:
            logger.warning("channel layer: an entry of %r is dropped: %s", stream, error)
        except Exception:
            logger.exception("channel layer: cannot hand out an entry of %r", stream)
        return True

    async def _deliver_shared(
        self, stream: str, fields: Message, deadline: float, on_taken: Callable[[], object]
    ) -> bool:
        """Put a message of a channel that other processes read too into its inbox."""
        inbox = self._shared.get(stream)
        if inbox is None:
            await self._release_unread(stream)
            return False
        if not isinstance(fields.get("m"), dict):
            raise PayloadError("it holds no message")
        if self._table.deliver(inbox, fields["m"], deadline, on_taken):
            return False
        await self._handle_overflow([inbox])
        return inbox.overflow != "close"

    async def _handle_node_message(self, fields: Message, deadline: float) -> None:
        """Handle an entry of this process's own stream."""
        inbox = self._table.inboxes.get(fields.get("c", ""))
        match fields:
            case {"g": str() as group, "m": dict() as message}:
                await self._handle_overflow(self._table.fan_out(group, message, deadline, is_ours=True))
            case {"f": True}:
                self._table.clear()
            case {"c": str()} if inbox is None:
                pass  # the channel was closed after the message was sent
            case {"m": dict() as message} if inbox is not None:
                if not self._table.deliver(inbox, message, deadline):
                    await self._handle_overflow([inbox])
            case {"j": str() as group} if inbox is not None:
                self._spawn(self._join_group(group, inbox))
            case {"l": str() as group} if inbox is not None:
                self._spawn(self._group_discard(group, inbox.channel))
            case _:
                raise PayloadError("it is not a message for a process")

    async def _add_to_node(self, node: str, fields: dict[str, Any]) -> None:
        await self._queues.add_to_node(node, self._codec.encode(fields))
