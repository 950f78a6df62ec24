"""The topics of one Redis that a process listens to, over one connection that is made again when it breaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.redis import close_client, next_message
from fastsio.brokers.subscription_set import SubscriptionSet
from fastsio.exceptions import BusError
from fastsio.layers.listening import Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fastsio.layers.redis.hosts import RedisHost

#: Seconds of silence after which the server is asked for a sign of life, and within which it has to give one.
PING_INTERVAL_S: Final = 10.0


class Subscriptions:
    """
    What is subscribed to at one Redis.

    Args:
        host: The Redis.
        anchor: A topic to which nobody publishes; it keeps a connection without others open.
        topics: What to subscribe to at once.
        take: Gets topic and payload of each message.
        on_disconnect: As for :class:`Listener`.
        on_reconnect: As for :class:`Listener`.
    """

    def __init__(
        self,
        host: RedisHost,
        anchor: str,
        topics: Iterable[str],
        take: Callable[[str, bytes], Awaitable[None]],
        on_disconnect: Callable[[], object] | None,
        on_reconnect: Callable[[], object] | None,
    ) -> None:
        self._host = host
        self._take = take
        self._topics: SubscriptionSet[str] = SubscriptionSet()
        for topic in (anchor, *topics):
            self._topics.set_wanted(topic, is_wanted=True)
        self._changed: set[str] = set()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._pubsub: Any = None
        self._asking: asyncio.Task[None] | None = None
        self._is_trying = True
        self._listener = Listener(f"at Redis {host.label}", self._listen, on_disconnect, on_reconnect)

    async def settle(self) -> None:
        """Wait until Redis was reached, or could not be."""
        await self._listener.settle()

    async def want(self, topic: str) -> None:
        """Subscribe to a topic; once it returns, nothing is missed."""
        self._topics.set_wanted(topic, is_wanted=True)
        if self._topics.is_in_force(topic):
            return
        if not self._is_trying:
            raise BusError(f"not connected to Redis at {self._host.label}; trying again")
        confirmation: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic, []).append(confirmation)
        self._change(topic)
        await confirmation

    def drop(self, topic: str) -> None:
        """Unsubscribe; callers that wait for the subscription go on without it."""
        self._topics.set_wanted(topic, is_wanted=False)
        self._release(topic)
        self._change(topic)

    async def close(self) -> None:
        """Close the connection."""
        await self._listener.stop()

    def _change(self, topic: str) -> None:
        self._changed.add(topic)
        if self._pubsub is not None and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Tell Redis what has changed, all of one moment in one command, until nothing has."""
        while self._changed and self._pubsub is not None:
            changed, self._changed = self._changed, set()
            requests = {topic: self._topics.next_request(topic) for topic in changed}
            gone = [topic for topic, is_wanted in requests.items() if is_wanted is False]
            new = [topic for topic, is_wanted in requests.items() if is_wanted]
            try:
                if gone:
                    await self._pubsub.unsubscribe(*gone)
                if new:
                    await self._pubsub.subscribe(*new)
            except (self._host.errors.RedisError, OSError) as error:
                self._fail(error)  # the listener notices too, and subscribes anew
                return

    async def _listen(self) -> None:
        """Subscribe to everything and listen, until the connection breaks."""
        self._is_trying = True
        client = self._host.client()
        pubsub = client.pubsub()
        cause: BaseException | None = None
        try:
            await self._hear(pubsub)
        except BaseException as error:
            cause = error
            raise
        finally:
            self._is_trying = False
            self._pubsub = None
            self._topics.lose()
            self._fail(cause)
            if self._asking is not None:
                self._asking.cancel()
            await pubsub.aclose()
            await close_client(client)

    async def _hear(self, pubsub: Any) -> None:
        missing = {topic for topic in self._topics.wanted if self._topics.next_request(topic)}
        await pubsub.subscribe(*missing)
        self._pubsub = pubsub
        for topic in self._changed.copy():
            self._change(topic)
        while True:
            message = await next_message(pubsub, PING_INTERVAL_S)
            if message["type"] == "message":
                await self._take(message["channel"].decode(), message["data"])
            elif message["type"] in ("subscribe", "unsubscribe"):
                topic = message["channel"].decode()
                self._confirm(topic, is_subscribed=message["type"] == "subscribe")
                if missing:
                    missing.discard(topic)
                    if not missing:
                        self._listener.confirm()

    def _confirm(self, topic: str, *, is_subscribed: bool) -> None:
        self._topics.confirm(topic, is_subscribed=is_subscribed)
        if self._topics.is_behind(topic):  # what is wanted has changed meanwhile
            self._change(topic)
        elif is_subscribed:
            self._release(topic)

    def _release(self, topic: str) -> None:
        for waiting in self._waiting.pop(topic, ()):
            if not waiting.done():
                waiting.set_result(None)

    def _fail(self, cause: BaseException | None) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            for confirmation in each:
                if not confirmation.done():
                    error = BusError(f"the connection to Redis at {self._host.label} broke: {type(cause).__name__}")
                    error.__cause__ = cause
                    confirmation.set_exception(error)
