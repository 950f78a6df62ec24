"""
The groups of a layer that a server is in: those of the rooms that its clients are in.

The room named like a client's sid is not a group. The sid is the name of a channel, and the name says which process
reads it, so the broker need not be told of each client.

This module does not interpret messages. If the layer does not answer, joining a group is tried again until it does.
Clients that enter a room meanwhile get only the messages of their own process until then.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache, partial
from random import random
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import BusError
from fastsio.layers.names import channel_of_node, node_of, safe_group_name
from fastsio.protocol.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from fastsio.layers.base import BaseChannelLayer

    #: A room: its namespace and its name.
    Place = tuple[str, Hashable]

#: Seconds before a layer that did not answer is tried again, at most between later attempts, and of jitter.
FIRST_DELAY_S: Final = 0.5
MOST_DELAY_S: Final = 5.0
JITTER_S: Final = 0.25
#: The beginning of the names of servers' channels.
PREFIX: Final = "socketio"
#: The end of the names of clients' channels.
_CLIENT: Final = "c"


def group_of(namespace: str, room: Hashable) -> str:
    """
    Return the group of the layer for a room.

    A room of the root namespace has the group of the same name, if that can be a group's name. All clients of a
    namespace are the group ``safe_group_name("socketio", namespace)``.
    """
    if room is None:
        return _group_of_namespace(namespace)
    return safe_group_name(room) if namespace == "/" else safe_group_name(namespace, room)


def address_of(namespace: str, room: Hashable) -> str:
    """Return the group of a room; for the sid of a client, its channel."""
    return room if isinstance(room, str) and node_of(room) is not None else group_of(namespace, room)


@lru_cache(maxsize=256)
def _group_of_namespace(namespace: str) -> str:
    return safe_group_name("socketio", namespace)


class RoomGroups:
    """
    The groups of one server, on one layer and one event loop; *rooms* has the rooms with clients here, by group.

    Args:
        on_message: Called with the group, or None for the server's own channel, and each message that arrives; it
            returns False when it has no room for the message.
        on_loss: Called when messages of other processes may have been lost.
        patience_s: Seconds that :meth:`apply` waits at most.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        on_message: Callable[[str | None, dict[str, Any]], object],
        on_loss: Callable[[], object],
        logger: Any,
        patience_s: float,
    ) -> None:
        self.layer = layer
        self.loop = asyncio.get_running_loop()
        self.rooms: dict[str, set[Place]] = {}
        self._on_message = on_message
        self._on_loss = on_loss
        layer.loss_listeners.add(self._lose)
        self._logger = logger
        self._patience_s = patience_s
        self._node: str | None = None
        self._naming: asyncio.Task[None] | None = None
        #: Group -> the channel of this server that is in it; channel of a client -> the same channel.
        self._inboxes: dict[str, str] = {}
        self._changes: dict[str, asyncio.Task[None]] = {}
        self._to_retry: set[str] = set()
        self._retrying: asyncio.Task[None] | None = None
        self._backoff = Backoff(FIRST_DELAY_S, MOST_DELAY_S, jitter_s=JITTER_S)

    @property
    def groups(self) -> set[str]:
        """The groups, and the channels of clients, that the server listens to."""
        return set(self._inboxes)

    async def open_channel(self) -> str:
        """Open a channel of the server's own and return its name."""
        channel = await self.layer.new_channel(PREFIX)
        await self.layer.open_inbox(channel, on_message=partial(self._on_message, None), overflow="drop_new")
        return channel

    async def learn_name(self) -> None:
        """Find out the layer's name for this process, waiting for ``patience_s`` at most."""
        if self._node is None:
            if self._naming is None or self._naming.done():
                self._naming = self.loop.create_task(self._learn_name())
            await asyncio.wait([self._naming], timeout=self._patience_s)

    def name_client(self, unique: str) -> str:
        """Return a sid that is a channel of this process; *unique* itself if the layer has no names for processes."""
        if not self._node:
            return unique
        try:
            return channel_of_node(unique, self._node, _CLIENT)
        except TypeError:  # an application may make its own sids
            return unique

    def update(self, place: Place, *, has_members: bool) -> str | None:
        """Set whether a room has members here; return its group if that must be joined or left now, otherwise None."""
        group = address_of(*place)
        places = self.rooms.get(group)
        if has_members:
            if places is None:
                self.rooms[group] = {place}
            else:
                places.add(place)
        elif places is not None:
            places.discard(place)
            if not places:
                del self.rooms[group]
        if self._is_outdated(group):
            return group
        self._to_retry.discard(group)
        return None

    async def apply(self, groups: Iterable[str]) -> None:
        """Join or leave groups; wait at most ``patience_s`` until that is done. What failed is tried again later."""
        changes = [self.start_change(group) for group in groups]
        if changes:
            await asyncio.wait(changes, timeout=self._patience_s)

    def start_change(self, group: str) -> asyncio.Task[None]:
        """Start joining or leaving a group, as its rooms require; return the task."""
        change = self._changes.get(group)
        if change is None or change.done():
            change = self._changes[group] = self.loop.create_task(self._change(group))
            change.add_done_callback(partial(self._on_changed, group))
        return change

    def stop_watching(self) -> None:
        """Report no more losses; all that is left to do when the event loop has ended."""
        self.layer.loss_listeners.discard(self._lose)

    async def close(self) -> None:
        """Leave all groups, ignoring errors of the layer."""
        self.stop_watching()
        self.rooms.clear()
        tasks = [task for task in (*self._changes.values(), self._retrying, self._naming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        inboxes, self._inboxes = self._inboxes, {}
        for channel in inboxes.values():
            await self.close_channel(channel)

    async def close_channel(self, channel: str) -> None:
        """Close a channel; if the layer does not answer, the channel expires by itself."""
        with suppress(BusError):
            await self.layer.close_inbox(channel)

    async def _learn_name(self) -> None:
        with suppress(BusError):  # the next client asks again
            channel = await self.layer.new_channel(PREFIX)
            self._node = node_of(channel) or ""
            await self.close_channel(channel)

    def _on_changed(self, group: str, change: asyncio.Task[None]) -> None:
        if self._changes.get(group) is change:
            del self._changes[group]

    def _is_outdated(self, group: str) -> bool:
        return (group in self.rooms) is not (group in self._inboxes)

    async def _change(self, group: str) -> None:
        """Join a group if one of its rooms has members here, otherwise leave it; repeat if that changes meanwhile."""
        while self._is_outdated(group):
            try:
                if group in self.rooms:
                    await self._join(group)
                else:
                    await self.close_channel(self._inboxes.pop(group))
            except Exception as error:  # noqa: BLE001 - at the top of its task, and logged; it is tried again
                if self._is_outdated(group):  # its rooms may be empty by now
                    self._retry_later(group, error)
                return

    async def _join(self, group: str) -> None:
        layer = self.layer
        is_client = node_of(group) is not None
        channel = group if is_client else await layer.new_channel(PREFIX)
        await layer.open_inbox(channel, on_message=partial(self._on_message, group), overflow="drop_new")
        try:
            if not is_client:
                await layer.group_add(group, channel)
        except BaseException:
            await self.close_channel(channel)
            raise
        self._inboxes[group] = channel

    # A layer that does not answer

    def _retry_later(self, group: str, error: Exception) -> None:
        self._to_retry.add(group)
        if self._retrying is None:
            self._logger.error("layer: other servers are not heard in new rooms, trying again: %s", error)
            self._retrying = self.loop.create_task(self._retry())
            self._retrying.add_done_callback(self._on_retried)

    async def _retry(self) -> None:
        """Try the layer again with one group, and with all others when it answers."""
        while self._to_retry:
            await asyncio.sleep(self._backoff.next(random()))  # noqa: S311 - jitter
            if not self._to_retry:  # all of these rooms are empty by now
                return
            first = self._to_retry.pop()
            await asyncio.wait([self.start_change(first)])
            if self._to_retry and first not in self._to_retry:
                groups, self._to_retry = self._to_retry, set()
                await asyncio.wait([self.start_change(group) for group in groups])

    def _on_retried(self, task: asyncio.Task[None]) -> None:
        self._retrying = None
        self._backoff.reset()
        if not task.cancelled():
            self._on_loss()
            self._logger.error("layer: other servers are heard in all rooms again")

    def _lose(self) -> None:
        """Report that messages may have been lost; the layer may run on the loop of another thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._on_loss)
