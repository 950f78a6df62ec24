"""
The subscriptions of one node to shard channels, from connecting until the first of its connections breaks.

There is a connection to each master that has a channel of ours. Must not know rooms or messages.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.backends.redis_link import Confirmed, Link, Moved, Published

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from fastsio.brokers.subscriptions import SubscriptionSet
    from fastsio.cluster.sharding import Address, SlotTable

#: Messages that wait to be taken; the connections are not read meanwhile.
CAPACITY: Final = 1000
#: How often masters may send us on to one another without one of them saying yes.
MOST_REDIRECTIONS: Final = 1000


class Session:
    """
    The connections of one node, and who reads them.

    Args:
        connect: Makes a link to a master, or to the one server there is.
        slots: Which master has which channel.
        subscriptions: What is wanted and what is.
        on_change: Called with a channel that the server has said something about.
        on_complete: Called once, when all channels that were wanted at first are subscribed to.
    """

    def __init__(
        self,
        connect: Callable[[Address | None], Link],
        slots: SlotTable,
        subscriptions: SubscriptionSet[bytes],
        on_change: Callable[[bytes], None],
        on_complete: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._slots = slots
        self._subscriptions = subscriptions
        self._on_change = on_change
        self._on_complete = on_complete
        self._links: dict[Address | None, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind: dict[bytes, None] = {}
        self._is_asking = False
        self._redirections = 0
        self._missing = set(subscriptions.wanted)
        self._is_complete = False
        self._incoming: asyncio.Queue[bytes | Exception] = asyncio.Queue(CAPACITY)

    def begin(self) -> None:
        """Subscribe to all channels that are wanted."""
        self.update(self._missing)

    def update(self, channels: Iterable[bytes]) -> None:
        """Have channels subscribed to, or unsubscribed from, as they are wanted now."""
        self._behind.update(dict.fromkeys(channels))
        if not self._is_asking:
            self._is_asking = True
            self._start(self._ask())

    async def receive(self) -> bytes:
        """
        Return the next message.

        Raises:
            Exception: What has ended the session, or kept it from beginning: the package's errors.
        """
        message = await self._incoming.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links.values()), return_exceptions=True)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a task of the session, whose error is the session's end."""
        try:
            await coroutine
        except Exception as error:  # noqa: BLE001 - at the top of its task; it is raised by receive()
            await self._incoming.put(error)

    # Asking

    async def _ask(self) -> None:
        """Ask for what is wanted, until there is nothing more to ask."""
        try:
            while self._behind:
                behind, self._behind = self._behind, {}
                for link, requests in (await self._requests(behind)).items():
                    await link.ask(requests)
            self._look_whether_complete()
        finally:
            self._is_asking = False

    async def _requests(self, channels: Iterable[bytes]) -> dict[Link, list[tuple[bytes, bool]]]:
        """Return what is to be asked of whom."""
        requests: dict[Link, list[tuple[bytes, bool]]] = {}
        for channel in channels:
            if channel not in self._subscriptions.wanted:
                self._missing.discard(channel)
            if self._subscriptions.is_behind(channel):
                link = await self._link_to(self._slots.owner_of(channel))
                subscribe = self._subscriptions.next_request(channel)
                if subscribe is not None:  # as it was before connecting
                    requests.setdefault(link, []).append((channel, subscribe))
        return requests

    async def _link_to(self, address: Address | None) -> Link:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = self._connect(address)
            await link.open()
            self._start(self._read(link))
        return link

    # Reading

    async def _read(self, link: Link) -> None:
        while True:
            match await link.read():
                case Published(payload):
                    await self._incoming.put(payload)
                case Confirmed(channel, is_subscribed):
                    self._confirm(channel, is_subscribed=is_subscribed)
                case Moved(channel, slot, address):
                    self._redirect(channel, slot, address)

    def _confirm(self, channel: bytes, *, is_subscribed: bool) -> None:
        self._redirections = 0
        self._subscriptions.confirm(channel, is_subscribed=is_subscribed)
        self._on_change(channel)
        self._missing.discard(channel)
        if self._subscriptions.is_behind(channel):
            # It is wanted otherwise by now; or its slot has moved away, and the server will say where to.
            self.update((channel,))
        self._look_whether_complete()

    def _look_whether_complete(self) -> None:
        if not self._missing and not self._is_complete:
            self._is_complete = True
            self._on_complete()

    def _redirect(self, channel: bytes, slot: int, address: Address) -> None:
        self._redirections += 1
        if self._redirections > MOST_REDIRECTIONS:
            raise ConnectionError(f"the masters of the cluster do not agree on who has slot {slot}")
        self._slots.move(slot, address)
        self._subscriptions.refuse(channel)
        self.update((channel,))
