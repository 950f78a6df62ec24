"""
The bounded queue of one consumer: how many messages it holds, and what happens when it is full.

An inbox belongs to one event loop; only :meth:`Inbox.post` may be called from another thread. It knows no layer.
"""

from __future__ import annotations

import logging
import re
from asyncio import Future, get_running_loop
from collections import deque
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from fnmatch import translate
from time import monotonic
from typing import TYPE_CHECKING, Literal, Self, get_args

from fastsio.exceptions import SetupError, SocketIOError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from fastsio.layers.codec import Message


class ChannelFull(SocketIOError):  # noqa: N818 - reads as what happened; the name is the channel layers' own
    """
    A channel has no room for a message, which was not put there.

    Args:
        channels: The channels that are full; all other recipients have got the message.
    """

    def __init__(self, *channels: str) -> None:
        self.channels = channels
        names = ", ".join(repr(channel) for channel in channels)
        super().__init__(f"full: {names}; read faster, raise capacity=, or choose another overflow= policy")


class ChannelClosedError(SocketIOError):
    """The channel was closed, and no message can be received from it any more."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"channel {channel!r} is closed")


class Capacities:
    """
    How many messages the channels of a layer may hold, from the layer's options of the same names.

    Args:
        capacity: The capacity of channels that match no pattern.
        channel_capacity: Pattern -> capacity. A pattern is a string with ``*``, ``?`` and ``[...]``, or a compiled
            regular expression that matches from the beginning of the name. The first that matches decides.

    Raises:
        SetupError: A capacity is not a positive whole number.
    """

    def __init__(self, capacity: int, channel_capacity: Mapping[str | re.Pattern[str], int] | None = None) -> None:
        self._default = _require_positive(capacity, "capacity")
        self._patterns = [
            (
                re.compile(translate(pattern)) if isinstance(pattern, str) else pattern,
                _require_positive(number, f"channel_capacity[{pattern!r}]"),
            )
            for pattern, number in (channel_capacity or {}).items()
        ]

    def of(self, channel: str) -> int:
        """Return how many messages a channel may hold."""
        for pattern, number in self._patterns:
            if pattern.match(channel):
                return number
        return self._default


def _require_positive(number: object, name: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise SetupError(f"{name} is a positive whole number of messages, not {number!r}")
    return number


def require_seconds(seconds: object, name: str) -> float:
    """Return a positive number of seconds; raise SetupError for anything else."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        raise SetupError(f"{name} is a positive number of seconds, not {seconds!r}")
    return float(seconds)


#: What to do with a message for which there is no room.
Overflow = Literal["drop_new", "drop_old", "close", "raise"]

logger = logging.getLogger("fastsio.layers")


def require_overflow(overflow: object) -> Overflow:
    """Return *overflow*; raise SetupError if no policy has that name."""
    for policy in get_args(Overflow):
        if overflow == policy:
            return policy  # type: ignore[no-any-return] # get_args() gives Any
    raise SetupError(f"overflow is one of {', '.join(map(repr, get_args(Overflow)))}, not {overflow!r}")


@dataclass(slots=True, eq=False, repr=False)
class Inbox:
    """
    The messages of a layer for one consumer.

    Args:
        channel: The channel's name.
        capacity: How many messages may wait.
        overflow: The policy for a message without room: ``drop_new`` drops it, ``drop_old`` drops the oldest that
            waits, ``close`` ends the inbox, and ``raise`` raises in the sender, also of a group, if that is in this
            process.
        loop: The event loop of the consumer.
        on_message: Called for each message as it arrives; messages do not wait then. It returns False to say that there
            is no room for the message.
        on_close: Called when the inbox is closed by its overflow policy.
        keep_s: Seconds without a reader after which the inbox is closed; None while it has a consumer.
        waits_for_reader: Whether a message made the channel, so that ``keep_s`` begins anew with each message.

    Attributes:
        groups: The groups that the channel is in, as far as this process knows.
        dropped: How many messages had no room.
        expired: How many messages waited too long.
        used_at: The time of the last call of :meth:`receive`, or of the last message if ``waits_for_reader``.
        is_detached: Whether the layer has stopped listening for it.
        release: Called by :meth:`aclose`; set by the layer.
        peers_behind: The inboxes of the layer whose clients have much to read, with this one while its client has.
    """

    channel: str
    _: KW_ONLY
    capacity: int
    overflow: Overflow
    loop: AbstractEventLoop
    on_message: Callable[[Message], object] | None = None
    on_close: Callable[[], object] | None = None
    keep_s: float | None = None
    waits_for_reader: bool = False
    groups: set[str] = field(default_factory=set, init=False)
    dropped: int = field(default=0, init=False)
    expired: int = field(default=0, init=False)
    is_closed: bool = field(default=False, init=False)
    is_detached: bool = field(default=False, init=False)
    used_at: float = field(init=False)
    #: Called when a receiver finds no message; set by layers that fetch messages on demand.
    on_starved: Callable[[], object] | None = field(default=None, init=False)
    release: Callable[[str], Awaitable[None]] | None = field(default=None, init=False)
    peers_behind: set[Inbox] = field(default_factory=set, init=False)
    _let_read: Callable[[], Awaitable[None]] | None = field(default=None, init=False)
    _waiting: deque[tuple[Message, float, Callable[[], object] | None]] = field(default_factory=deque, init=False)
    _waiters: deque[Future[None]] = field(default_factory=deque, init=False)
    _woken: set[Future[None]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.used_at = monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    @property
    def waiters(self) -> int:
        """How many callers of :meth:`receive` wait, with those that were woken for a message just now."""
        return len(self._waiters) + len(self._woken)

    async def receive(self) -> Message:
        """
        Wait for the next message and return it.

        If the call is cancelled, no message is lost.

        Raises:
            ChannelClosedError: The inbox is closed, and all messages that waited have been read.
        """
        while True:
            now = self.used_at = monotonic()
            while self._waiting:
                message, deadline, on_taken = self._waiting.popleft()
                if on_taken is not None:
                    on_taken()
                if deadline > now:
                    return message
                self.expired += 1
            if self.is_closed:
                raise ChannelClosedError(self.channel)
            waiter: Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            if self.on_starved is not None:
                self.on_starved()
            try:
                await waiter
            except BaseException:
                self._remove_waiter(waiter)
                raise
            self._woken.discard(waiter)

    def fall_behind(self, let_read: Callable[[], Awaitable[None]]) -> None:
        """Let senders wait for a client that reads slowly: *let_read* waits until it has caught up, or is given up."""
        self._let_read = let_read
        self.peers_behind.add(self)

    def catch_up(self) -> None:
        """Let senders not wait any more."""
        self._let_read = None
        self.peers_behind.discard(self)

    async def let_read(self) -> None:
        """Wait for the consumer's client if it has much to read; must run on the loop of the consumer."""
        if self._let_read is not None:
            await self._let_read()

    async def aclose(self) -> None:
        """Close the inbox, and its channel in the layer."""
        if self.release is None:
            self.close()
        else:
            await self.release(self.channel)

    def post(self, message: Message, deadline: float, on_taken: Callable[[], object] | None = None) -> None:
        """Call :meth:`put` on the loop of the consumer; may be called from any thread."""
        with suppress(RuntimeError):  # its loop is closed, and so the consumer has ended
            self.loop.call_soon_threadsafe(self.put, message, deadline, on_taken)

    def put(self, message: Message, deadline: float, on_taken: Callable[[], object] | None = None) -> bool:
        """
        Add a message, which is a copy for the consumer; return False if there is no room for it.

        Args:
            message: The message.
            deadline: When the message expires, by the clock :func:`time.monotonic`.
            on_taken: Called when the consumer has got the message, or the message was dropped.
        """
        if self.is_closed:
            return True  # no consumer is left to miss it
        if self.on_message is not None:
            return self._call_consumer(message, on_taken)
        if len(self._waiting) >= self.capacity and not self._make_room():
            self._overflow()
            return False
        self._waiting.append((message, deadline, on_taken))
        if self._waiters:
            self._wake()
        return True

    def close(self) -> None:
        """Accept no more messages; those that wait can still be received."""
        self.is_closed = True
        self.catch_up()
        while self._waiters:
            self._wake()

    def clear(self) -> None:
        """Drop the messages that wait."""
        while self._waiting:
            self._drop_first()

    def give_to(self, new: Inbox) -> None:
        """Give the inbox to a consumer, with the options of *new*; messages that wait go to its callback."""
        self.keep_s, self.waits_for_reader, self.loop = None, False, new.loop
        self.capacity, self.overflow = new.capacity, new.overflow
        self.on_message, self.on_close = new.on_message, new.on_close
        if self.on_message is not None:
            waiting, self._waiting = self._waiting, deque()
            add: Callable[..., object] = self.put if self.loop is get_running_loop() else self.post
            for item in waiting:
                add(*item)

    def move(self, loop: AbstractEventLoop) -> None:
        """Move to another loop, with the messages that wait, after the loop before has ended."""
        self.loop = loop
        self._waiters.clear()
        self._woken.clear()

    def _remove_waiter(self, waiter: Future[None]) -> None:
        """Remove a receiver that was cancelled."""
        self._woken.discard(waiter)
        with suppress(ValueError):
            self._waiters.remove(waiter)
        # It was woken for a message, which goes to the next receiver now.
        if waiter.done() and not waiter.cancelled() and self._waiting:
            self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._woken.add(waiter)
                return

    def _call_consumer(self, message: Message, on_taken: Callable[[], object] | None) -> bool:
        try:
            taken = self.on_message(message) if self.on_message is not None else None
        except Exception:
            logger.exception("the consumer of channel %r failed to take a message", self.channel)
            taken = None
        if taken is False:
            self._overflow()
            return False
        if on_taken is not None:
            on_taken()
        return True

    def _make_room(self) -> bool:
        """Drop expired messages; then, with the policy ``drop_old``, the oldest. Return whether there is room."""
        now = monotonic()
        while self._waiting and self._waiting[0][1] <= now:
            self._drop_first()
            self.expired += 1
        if len(self._waiting) >= self.capacity and self.overflow == "drop_old":
            self._drop_first()
            self.dropped += 1
        return len(self._waiting) < self.capacity

    def _drop_first(self) -> None:
        on_taken = self._waiting.popleft()[2]
        if on_taken is not None:
            on_taken()

    def _overflow(self) -> None:
        self.dropped += 1
        if self.dropped == 1:
            logger.warning("channel %r is full: %s (said once a channel)", self.channel, self.overflow)
        if self.overflow == "close":
            self.close()
            if self.on_close is not None:
                self.on_close()
