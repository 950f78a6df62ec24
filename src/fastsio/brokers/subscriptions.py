"""
The topics of a node: those it wants, those it is subscribed to, and its requests to the broker.

For each topic there is one request at a time: after a room was entered and left in quick succession the node is
subscribed to its topic, or not, as the last change requires.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, AnyStr, Generic

from fastsio.brokers.reconnection import LAYER, ReconnectLoop
from fastsio.exceptions import BusError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


class SubscriptionSet(Generic[AnyStr]):
    """The subscriptions of one node; *wanted* are the channels to be subscribed to."""

    def __init__(self) -> None:
        self.wanted: set[AnyStr] = set()
        self._active: set[AnyStr] = set()
        #: Channel -> whether the request that was not answered yet is to subscribe, or to unsubscribe.
        self._asked: dict[AnyStr, bool] = {}

    def set_wanted(self, channel: AnyStr, *, is_wanted: bool) -> None:
        """Set whether the node wants to be subscribed to a channel."""
        if is_wanted:
            self.wanted.add(channel)
        else:
            self.wanted.discard(channel)

    def is_subscribed_to(self, channel: AnyStr) -> bool:
        """Whether messages on a channel arrive, and no request is under way that would change that."""
        return channel in self._active and channel not in self._asked

    def needs_request(self, channel: AnyStr) -> bool:
        """Whether a request for a channel is to be sent now."""
        return channel not in self._asked and (channel in self.wanted) is not (channel in self._active)

    def next_request(self, channel: AnyStr) -> bool | None:
        """Return the request that is due, True to subscribe or False to unsubscribe, as sent now; or None."""
        if not self.needs_request(channel):
            return None
        is_wanted = self._asked[channel] = channel in self.wanted
        return is_wanted

    def confirm(self, channel: AnyStr, *, is_subscribed: bool) -> None:
        """Record the server's answer about a channel, or that it has unsubscribed unasked because a slot has moved."""
        if self._asked.get(channel) is is_subscribed:
            del self._asked[channel]
        if is_subscribed:
            self._active.add(channel)
        else:
            self._active.discard(channel)

    def refuse(self, channel: AnyStr) -> None:
        """Forget the request for a channel, which the server has refused."""
        self._asked.pop(channel, None)

    def clear(self) -> None:
        """Forget all subscriptions and requests, because the connections are lost."""
        self._active.clear()
        self._asked.clear()


class Subscriptions(ABC):
    """
    The topics that a process subscribes to at one broker, over a connection that is made again when it breaks.

    Args:
        connect: Makes a connection or a client.
        label: The address of the broker, without a password.
        topics: The topics to subscribe to at once.
        on_message: Called with topic and payload of each message.
        on_disconnect: As for :class:`ReconnectLoop`; so are *on_reconnect* and *kind*.
    """

    def __init__(
        self,
        connect: Callable[..., Any],
        label: str,
        topics: Iterable[str],
        on_message: Callable[[str, bytes], Awaitable[None]],
        on_disconnect: Callable[[], object] | None,
        on_reconnect: Callable[[], object] | None,
        *,
        kind: str = LAYER,
    ) -> None:
        self._connect = connect
        self._label = label
        self._on_message = on_message
        self._topics: SubscriptionSet[str] = SubscriptionSet()
        for topic in topics:
            self._topics.set_wanted(topic, is_wanted=True)
        self._changed: set[str] = set()
        #: The topics that a new connection has not subscribed to yet; None after it has subscribed to all.
        self._missing: set[str] | None = None
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._connection: Any = None
        self._asking: asyncio.Task[None] | None = None
        self._is_trying = True
        self._loop = ReconnectLoop(f"at {label}", self._listen, on_disconnect, on_reconnect, kind=kind)

    @abstractmethod
    async def _open(self) -> Any:
        """Connect."""

    @abstractmethod
    async def _close(self, connection: Any) -> None:
        """Close a connection, which may be broken."""

    @abstractmethod
    async def _ask(self, connection: Any, new: list[str], gone: list[str]) -> None:
        """Subscribe to *new* topics and unsubscribe from *gone* ones; :meth:`_confirm` is called for each when done."""

    @abstractmethod
    async def _read(self, connection: Any) -> None:
        """Pass on the messages that arrive, until the connection breaks."""

    async def wait_for_first_attempt(self) -> None:
        """Wait until the broker was reached, or the first attempt has failed."""
        await self._loop.wait_for_first_attempt()

    async def subscribe(self, topic: str) -> None:
        """Subscribe to a topic; raise BusError without a connection. No message is missed after the return."""
        self._topics.set_wanted(topic, is_wanted=True)
        if self._topics.is_subscribed_to(topic):
            return
        if not self._is_trying:
            raise BusError(f"not connected to {self._label}; trying again")
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic, []).append(confirmation)
        self._change(topic)
        await confirmation

    def unsubscribe(self, topic: str) -> None:
        """Unsubscribe; calls that wait for the subscription return without it."""
        self._topics.set_wanted(topic, is_wanted=False)
        self._release(topic)
        self._change(topic)

    async def close(self) -> None:
        """Close the connection."""
        await self._loop.stop()

    def _change(self, topic: str) -> None:
        """Start sending the request that is due for a topic."""
        self._changed.add(topic)
        if self._connection is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_for_changes())

    async def _ask_for_changes(self) -> None:
        """Send the requests for changed topics, several at once, until no more are due."""
        while self._changed and self._connection is not None:
            changed, self._changed = self._changed, set()
            requests = {topic: self._topics.next_request(topic) for topic in changed}
            new = [topic for topic, is_wanted in requests.items() if is_wanted]
            gone = [topic for topic, is_wanted in requests.items() if is_wanted is False]
            if not new and not gone:
                continue
            try:
                await self._ask(self._connection, new, gone)
            except Exception as error:  # noqa: BLE001 - the loop notices too, and subscribes again
                self._fail(error)
                return

    async def _listen(self) -> None:
        """Subscribe to all topics that are wanted and listen, until the connection breaks."""
        self._is_trying = True
        self._changed.clear()  # all topics that are wanted are subscribed to below
        connection: Any = None
        cause: BaseException | None = None
        try:
            connection = await self._open()
            self._missing = {topic for topic in self._topics.wanted if self._topics.next_request(topic)}
            if self._missing:
                await self._ask(connection, list(self._missing), [])
            self._check_complete()
            self._connection = connection
            for topic in self._changed.copy():
                self._change(topic)
            await self._read(connection)
        except BaseException as error:
            cause = error
            raise
        finally:
            self._is_trying = False
            self._connection = None
            self._topics.clear()
            self._fail(cause)
            if self._asking is not None:
                self._asking.cancel()
            if connection is not None:
                await self._close(connection)

    def _confirm(self, topic: str, *, is_subscribed: bool) -> None:
        """Record that the broker has carried out a request for a topic."""
        self._topics.confirm(topic, is_subscribed=is_subscribed)
        if self._topics.needs_request(topic):  # what is wanted has changed meanwhile
            self._change(topic)
        elif is_subscribed:
            self._release(topic)
        if self._missing is not None:
            self._missing.discard(topic)
            self._check_complete()

    def _check_complete(self) -> None:
        if self._missing is not None and not self._missing:
            self._missing = None
            self._loop.confirm()

    def _release(self, topic: str) -> None:
        for waiting in self._waiting.pop(topic, ()):
            if not waiting.done():
                waiting.set_result(None)

    def _fail(self, cause: BaseException | None) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            for confirmation in each:
                if not confirmation.done():
                    error = BusError(f"the connection to {self._label} broke: {type(cause).__name__}: {cause}")
                    error.__cause__ = cause
                    confirmation.set_exception(error)
