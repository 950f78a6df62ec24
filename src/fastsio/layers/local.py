"""
The layer of a single process, and its base, which the layers over brokers share: a table on one event loop, the home.

The home is the loop that first receives. Calls from other loops of the process are passed on to it; when it has ended,
the loop of the next call takes over. Subclasses send messages to other processes.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from asyncio import AbstractEventLoop, Task, get_running_loop, run_coroutine_threadsafe, wrap_future
from heapq import heapify, heappop, heappush
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastsio.exceptions import SetupError
from fastsio.layers.base import BaseChannelLayer
from fastsio.layers.codec import copier, copy_message, require_message
from fastsio.layers.inbox import (
    Capacities,
    ChannelClosedError,
    ChannelFull,
    Inbox,
    logger,
    require_overflow,
    require_seconds,
)
from fastsio.layers.names import channel_of_node, require_channel_name, require_group_name

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from fastsio.layers.codec import Message
    from fastsio.layers.inbox import Overflow

#: How many entries of closed inboxes are kept in the list of times, beyond the number of inboxes.
SPARE_ENTRIES: Final = 64


class LocalTable:
    """The inboxes of a process and their groups; *behind* are those of consumers whose clients have much to read."""

    def __init__(self) -> None:
        self.behind: set[Inbox] = set()
        self.inboxes: dict[str, Inbox] = {}
        self.groups: dict[str, dict[str, Inbox]] = {}
        #: Times at which to check whether an inbox without a consumer is still used, with its channel.
        self._lapsing: list[tuple[float, str]] = []

    @property
    def dropped(self) -> int:
        """How many messages the open inboxes had no room for."""
        return sum(inbox.dropped for inbox in self.inboxes.values())

    def add(self, inbox: Inbox) -> Inbox:
        """Add an inbox, and return it."""
        self.inboxes[inbox.channel] = inbox
        inbox.peers_behind = self.behind
        if inbox.keep_s is not None:
            self._plan_check(inbox)
        return inbox

    def leave_all(self, inbox: Inbox) -> list[str]:
        """Take a channel out of its groups; return the groups that have no member here any more."""
        return [group for group in sorted(inbox.groups) if self.leave(group, inbox.channel)]

    def enter(self, group: str, inbox: Inbox) -> bool:
        """Put a channel into a group; return whether it is the group's first here."""
        members = self.groups.get(group)
        inbox.groups.add(group)
        if members is None:
            self.groups[group] = {inbox.channel: inbox}
            return True
        members[inbox.channel] = inbox
        return False

    def leave(self, group: str, channel: str) -> bool:
        """Take a channel out of a group; return whether it was the group's last here."""
        members = self.groups.get(group)
        if members is None or channel not in members:
            return False
        members.pop(channel).groups.discard(group)
        if not members:
            del self.groups[group]
        return not members

    def clear(self) -> None:
        """Forget all messages and groups; consumers stay."""
        self.groups.clear()
        for inbox in self.inboxes.values():
            inbox.groups.clear()
            inbox.clear()

    def deliver(
        self, inbox: Inbox, message: Message, deadline: float, on_taken: Callable[[], object] | None = None
    ) -> bool:
        """Give a message, not copied, to one consumer; return False if there is no room for it."""
        if inbox.loop is get_running_loop():
            return inbox.put(message, deadline, on_taken)
        inbox.post(message, deadline, on_taken)
        return True

    def fan_out(self, group: str, message: Message, deadline: float, *, is_ours: bool = False) -> list[Inbox]:
        """
        Give each member of a group a copy of a message; return the inboxes that had no room.

        With *is_ours* no other code has the message, so a single member gets it without a copy.
        """
        members = self.groups.get(group)
        if members is None:
            return []
        copy = copier(message) if len(members) > 1 or not is_ours else lambda: message
        loop = get_running_loop()
        full: list[Inbox] = []
        # A callback may join and leave.
        for inbox in tuple(members.values()):
            if inbox.loop is not loop:
                inbox.post(copy(), deadline)
            elif not inbox.put(copy(), deadline):
                full.append(inbox)
        return full

    def lapsed(self) -> list[str]:
        """Return the channels without a consumer from which no message was received for ``keep_s``."""
        now, found = monotonic(), []
        while self._lapsing and self._lapsing[0][0] <= now:
            _, channel = heappop(self._lapsing)
            inbox = self.inboxes.get(channel)
            if inbox is None or inbox.keep_s is None:
                continue
            until = now + inbox.keep_s if inbox.waiters else inbox.used_at + inbox.keep_s
            if until <= now:
                found.append(channel)
            else:
                heappush(self._lapsing, (until, channel))
        return found

    def _plan_check(self, inbox: Inbox) -> None:
        """Plan a check of an inbox; entries of inboxes that were closed or have a consumer are dropped now and then."""
        if len(self._lapsing) > 2 * len(self.inboxes) + SPARE_ENTRIES:
            known = {channel: until for until, channel in self._lapsing if channel in self.inboxes}
            self._lapsing = [(until, name) for name, until in known.items() if self.inboxes[name].keep_s is not None]
            heapify(self._lapsing)
        heappush(self._lapsing, (inbox.used_at + (inbox.keep_s or 0.0), inbox.channel))

    def move(self, loop: AbstractEventLoop) -> list[str]:
        """Move to another event loop; return the channels whose consumers have ended with their loops."""
        gone = [inbox for inbox in self.inboxes.values() if inbox.loop.is_closed()]
        for inbox in gone:
            if inbox.keep_s is not None:
                inbox.move(loop)
        return [inbox.channel for inbox in gone if inbox.keep_s is None]


EXPIRY_S: Final = 60.0
GROUP_EXPIRY_S: Final = 86_400.0
CAPACITY: Final = 100
_NODE_BYTES: Final = 8
_UNIQUE_BYTES: Final = 8

ResultT = TypeVar("ResultT")


class TableLayer(BaseChannelLayer):
    """A layer with a table of the consumers in this process; its arguments are those of the layer in memory."""

    def __init__(
        self,
        expiry: float = EXPIRY_S,
        group_expiry: float = GROUP_EXPIRY_S,
        capacity: int = CAPACITY,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        *,
        overflow: Overflow = "drop_new",
    ) -> None:
        self.expiry = require_seconds(expiry, "expiry")
        self.group_expiry = require_seconds(group_expiry, "group_expiry")
        self.capacity = capacity
        self.overflow: Overflow = require_overflow(overflow)
        self.channel_capacity = channel_capacity
        self._capacities = Capacities(capacity, channel_capacity)
        self._table = LocalTable()
        self._node = ""
        self._process = 0
        self._tasks: set[Task[None]] = set()

    # Public methods: they check names, and pass the call on to the home.

    async def send(self, channel: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """Send a message to one channel."""
        require_channel_name(channel)
        await self._send(channel, require_message(message))
        if wait and self._table.behind:
            await self.let_read((channel,))

    async def group_send(self, group: str, message: Mapping[str, Any], *, wait: bool = True) -> None:
        """Send a message to all channels of a group."""
        require_group_name(group)
        await self._group_send(group, require_message(message))
        if wait and self._table.behind:
            await self.let_read((group,))

    async def let_read(self, addresses: Collection[str]) -> None:
        """Wait while clients of consumers in this process have much to read."""
        loop = get_running_loop()
        for inbox in tuple(self._table.behind):
            if inbox.channel not in addresses and inbox.groups.isdisjoint(addresses):
                continue
            if inbox.loop is loop:
                await inbox.let_read()
            elif inbox.loop.is_running():
                await wrap_future(run_coroutine_threadsafe(inbox.let_read(), inbox.loop))

    async def receive(self, channel: str) -> Message:
        """Return the next message of a channel."""
        loop = get_running_loop()
        inbox = self._table.inboxes.get(channel)
        if inbox is not None and inbox.loop is loop and not inbox.is_closed:
            # The usual case; a channel that is open here has a valid name.
            try:
                return await inbox.receive()
            except ChannelClosedError:
                await self._at_home(self._forget_closed, inbox)
                raise
        require_channel_name(channel)
        return await self._at_home(self._receive, channel)

    async def new_channel(self, prefix: str = "specific") -> str:
        """Make a channel of this process."""
        if not isinstance(prefix, str):
            raise TypeError(f"the prefix of a channel's name is a str, not {type(prefix).__name__}")
        return await self._at_home(self._new_channel, prefix)

    async def group_add(self, group: str, channel: str) -> None:
        """Put a channel into a group."""
        require_group_name(group)
        require_channel_name(channel)
        await self._at_home(self._group_add, group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Take a channel out of a group."""
        require_group_name(group)
        require_channel_name(channel)
        await self._at_home(self._group_discard, group, channel)

    async def group_channels(self, group: str) -> list[str]:
        """Return the channels of a group."""
        require_group_name(group)
        return await self._at_home(self._group_channels, group)

    async def open_inbox(
        self,
        channel: str,
        *,
        on_message: Callable[[Message], object] | None = None,
        on_close: Callable[[], object] | None = None,
        capacity: int | None = None,
        overflow: Overflow | None = None,
    ) -> Inbox:
        """Become the consumer of a channel."""
        require_channel_name(channel)
        inbox = Inbox(
            channel,
            capacity=self._capacities.of(channel) if capacity is None else Capacities(capacity).of(channel),
            overflow=self.overflow if overflow is None else require_overflow(overflow),
            loop=get_running_loop(),
            on_message=on_message,
            on_close=on_close,
        )
        return await self._at_home(self._open_inbox, inbox)

    async def close_inbox(self, channel: str) -> None:
        """Forget a channel and its groups."""
        require_channel_name(channel)
        await self._at_home(self._close_inbox, channel)

    async def flush(self) -> None:
        """Forget all messages and groups."""
        await self._at_home(self._flush)

    async def close(self) -> None:
        """Close all channels and connections."""
        if self.home is not None:
            await self._at_home(self._close)

    @property
    def is_closed(self) -> bool:
        """Whether the layer holds neither channels nor connections."""
        return not self._table.inboxes

    @property
    def dropped(self) -> int:
        """How many messages the open channels of this process had no room for."""
        return self._table.dropped

    # Methods that run at home, and methods of subclasses.

    @abstractmethod
    async def _send(self, channel: str, message: Message) -> None:
        """Send a message to a channel; may run on any loop."""

    @abstractmethod
    async def _group_send(self, group: str, message: Message) -> None:
        """Send a message to a group; may run on any loop."""

    async def _attach(self, inbox: Inbox) -> None:
        """Start listening to a channel that was opened."""

    async def _detach(self, inbox: Inbox, emptied: list[str]) -> None:
        """Stop listening to a channel that was closed, and to the groups that have no member here any more."""

    @abstractmethod
    async def _group_add(self, group: str, channel: str) -> None: ...

    @abstractmethod
    async def _group_discard(self, group: str, channel: str) -> None: ...

    async def _group_channels(self, group: str) -> list[str]:
        await self._forget_lapsed()
        return sorted(self._table.groups.get(group, ()))

    async def _receive(self, channel: str) -> Message:
        inbox = self._table.inboxes.get(channel) or await self._listen_to(channel)
        try:
            if inbox.loop is self.home:
                return await inbox.receive()
            return await wrap_future(run_coroutine_threadsafe(inbox.receive(), inbox.loop))
        except ChannelClosedError:
            await self._forget_closed(inbox)
            raise

    async def _forget_closed(self, inbox: Inbox) -> None:
        """Remove a channel that was closed, or not opened to the end, unless it was opened again."""
        if self._table.inboxes.get(inbox.channel) is inbox:
            await self._close_inbox(inbox.channel)

    async def _new_channel(self, prefix: str) -> str:
        channel = channel_of_node(prefix, self.node, token_hex(_UNIQUE_BYTES))
        try:
            await self._listen_to(channel)
        except BaseException:
            await self._close_inbox(channel)
            raise
        return channel

    async def _listen_to(self, channel: str, *, for_message: bool = False) -> Inbox:
        """Open and return an inbox without a consumer, which is kept for its groups or only for a message."""
        await self._forget_lapsed()
        inbox = Inbox(
            channel,
            capacity=self._capacities.of(channel),
            overflow=self.overflow,
            loop=get_running_loop(),
            keep_s=self.expiry if for_message else self.group_expiry,
            waits_for_reader=for_message,
        )
        inbox.release = self.close_inbox
        self._table.add(inbox)
        await self._attach(inbox)
        return inbox

    async def _open_inbox(self, inbox: Inbox) -> Inbox:
        await self._forget_lapsed()
        inbox.release = self.close_inbox
        existing = self._table.inboxes.get(inbox.channel)
        if existing is None:
            self._table.add(inbox)
            try:
                await self._attach(inbox)
            except BaseException:
                await self._forget_closed(inbox)
                raise
            return inbox
        if existing.keep_s is None:
            raise SetupError(
                f"channel {inbox.channel!r} has a consumer in this process already; close_inbox() it first"
            )
        existing.give_to(inbox)
        return existing

    async def _close_inbox(self, channel: str) -> None:
        inbox = self._table.inboxes.pop(channel, None)
        if inbox is not None:
            inbox.close()
            await self._retire(inbox)

    async def _retire(self, inbox: Inbox) -> None:
        """Take a channel out of its groups and stop listening to it; messages that wait can still be received."""
        emptied = self._table.leave_all(inbox)
        if not inbox.is_detached:
            inbox.is_detached = True
            await self._detach(inbox, emptied)

    async def _handle_overflow(self, full: list[Inbox]) -> list[str]:
        """Carry out the policies of inboxes that had no room; return the channels that the sender gets an error for."""
        for inbox in full:
            if inbox.overflow == "close":
                await self._retire(inbox)
        return [inbox.channel for inbox in full if inbox.overflow == "raise"]

    async def _forget_lapsed(self) -> None:
        for channel in self._table.lapsed():
            await self._close_inbox(channel)

    @abstractmethod
    async def _flush(self) -> None: ...

    async def _close(self) -> None:
        for channel in list(self._table.inboxes):
            await self._close_inbox(channel)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task: it waits for answers of the broker, which must be read meanwhile."""
        task = get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.warning("channel layer: %s", task.exception())

    # The home.

    @property
    def node(self) -> str:
        """The name of this process; a process that was forked has its own."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._node = f"n{token_hex(_NODE_BYTES)}"
        return self._node

    async def _at_home(self, operation: Callable[..., Coroutine[Any, Any, ResultT]], *arguments: Any) -> ResultT:
        """Run an operation on the loop that owns the table."""
        loop = get_running_loop()
        home = self.home
        if home is loop:
            return await operation(*arguments)
        if home is not None and home.is_running():
            return await wrap_future(run_coroutine_threadsafe(operation(*arguments), home))
        self._take_over(loop)
        return await operation(*arguments)

    def _take_over(self, loop: AbstractEventLoop) -> None:
        """Make *loop* the home."""
        self.home = loop
        for channel in self._table.move(loop):
            inbox = self._table.inboxes.pop(channel)
            inbox.is_closed = inbox.is_detached = True
            self._table.leave_all(inbox)

    def _deadline(self) -> float:
        return monotonic() + self.expiry


class InMemoryChannelLayer(TableLayer):
    """
    Carry messages within one process, for tests, for development, and for programs that only run in one process.

    A message to a channel without a reader is kept for *expiry* seconds, for the first reader.

    Args:
        expiry: Seconds after which a message that waits expires. 60.
        group_expiry: Seconds after which a channel without a consumer, from which no message was received, leaves its
            groups. A day.
        capacity: How many messages may wait for one consumer. 100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: The policy for a message without room: ``drop_new``, ``drop_old``, ``close`` or ``raise``.

    Raises:
        SetupError: An option is out of range.
    """

    async def _send(self, channel: str, message: Message) -> None:
        await self._at_home(self._put, channel, message)

    async def _group_send(self, group: str, message: Message) -> None:
        await self._at_home(self._put_all, group, message)

    async def _put(self, channel: str, message: Message) -> None:
        table = self._table
        inbox = table.inboxes.get(channel) or await self._listen_to(channel, for_message=True)
        if inbox.waits_for_reader:  # so that each message waits for ``expiry``
            inbox.used_at = monotonic()
        if not table.deliver(inbox, copy_message(message), self._deadline()):
            await self._handle_overflow([inbox])
            if inbox.overflow in {"drop_new", "raise"}:
                raise ChannelFull(channel)

    async def _put_all(self, group: str, message: Message) -> None:
        await self._forget_lapsed()
        full = self._table.fan_out(group, message, self._deadline())
        if full and (failed := await self._handle_overflow(full)):
            raise ChannelFull(*failed)

    async def _group_add(self, group: str, channel: str) -> None:
        inbox = self._table.inboxes.get(channel) or await self._listen_to(channel)
        if inbox.keep_s is not None:
            inbox.keep_s, inbox.waits_for_reader = self.group_expiry, False
        self._table.enter(group, inbox)

    async def _group_discard(self, group: str, channel: str) -> None:
        self._table.leave(group, channel)

    async def _flush(self) -> None:
        self._table.clear()
