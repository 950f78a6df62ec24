"""
Which groups of a layer a server is in: those of the rooms that its clients are in, and no others.

A client's own room is no group. Its sid is the name of a channel, which says which process reads it: the broker need
not be told that a client has come or gone.

Knows groups and rooms, never what messages mean. A layer that is away is asked again until it is back: who enters a
room meanwhile is in it here, and hears other processes as soon as they can be heard.
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

#: Seconds before a layer that was away is asked again, between later attempts at most, and of jitter.
FIRST_DELAY_S: Final = 0.5
MOST_DELAY_S: Final = 5.0
JITTER_S: Final = 0.25
#: What the channels of servers are called.
PREFIX: Final = "socketio"
#: The end of the names of clients.
_CLIENT: Final = "c"


def group_of(namespace: str, room: Hashable) -> str:
    """
    Return the group of the layer that a room is.

    A room of the root namespace is the group of the same name, if it can be a group's name. Everybody in a namespace
    is the group ``safe_group_name("socketio", namespace)``.
    """
    if room is None:
        return _group_of_namespace(namespace)
    return safe_group_name(room) if namespace == "/" else safe_group_name(namespace, room)


def address_of(namespace: str, room: Hashable) -> str:
    """Return the group that a room is, or the channel that a client is."""
    return room if isinstance(room, str) and node_of(room) is not None else group_of(namespace, room)


@lru_cache(maxsize=256)
def _group_of_namespace(namespace: str) -> str:
    return safe_group_name("socketio", namespace)


class Following:
    """
    The groups of one server, on one layer and one event loop.

    Args:
        layer: The layer.
        hear: Called with the group, or None for the server's own channel, and each message that comes; it returns
            False when it has no room.
        logger: Where it says that the layer is away, and that it is back.
        patience_s: Seconds that :meth:`follow` waits at most.

    Attributes:
        rooms: Group or channel -> the rooms with clients here that it is, as a rule one.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        hear: Callable[[str | None, dict[str, Any]], object],
        logger: Any,
        patience_s: float,
    ) -> None:
        self.layer = layer
        self.loop = asyncio.get_running_loop()
        self.rooms: dict[str, set[Place]] = {}
        self._hear = hear
        self._logger = logger
        self._patience_s = patience_s
        self._node: str | None = None
        self._settling: asyncio.Task[None] | None = None
        #: Group -> the channel that is in it; channel -> the same.
        self._inboxes: dict[str, str] = {}
        self._changes: dict[str, asyncio.Task[None]] = {}
        self._late: set[str] = set()
        self._catching_up: asyncio.Task[None] | None = None
        self._backoff = Backoff(FIRST_DELAY_S, MOST_DELAY_S, jitter_s=JITTER_S)

    @property
    def groups(self) -> set[str]:
        """The groups, and the channels of clients, that the server hears."""
        return set(self._inboxes)

    async def open_channel(self) -> str:
        """Open a channel of the server's own and return its name."""
        channel = await self.layer.new_channel(PREFIX)
        await self.layer.open_inbox(channel, on_message=partial(self._hear, None), overflow="drop_new")
        return channel

    async def settle(self) -> None:
        """Find out what the layer calls this process; a layer that takes too long is not waited for."""
        if self._node is None:
            if self._settling is None:
                self._settling = self.loop.create_task(self._settle())
            await asyncio.wait([self._settling], timeout=self._patience_s)

    def name_client(self, unique: str) -> str:
        """Return a sid that is a channel of this process; *unique* itself where the layer has no such names."""
        if not self._node:
            return unique
        try:
            return channel_of_node(unique, self._node, _CLIENT)
        except TypeError:  # an application may make its own sids
            return unique

    def note(self, place: Place, *, has_members: bool) -> str | None:
        """Store whether a room has members here; return its group if that is to be joined or left now, else None."""
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
        return group if self._is_behind(group) else None

    async def follow(self, groups: Iterable[str]) -> None:
        """Join and leave groups; wait until that is done, or the layer has taken too long and is asked again later."""
        changes = [self.start(group) for group in groups]
        if changes:
            await asyncio.wait(changes, timeout=self._patience_s)

    def start(self, group: str) -> asyncio.Task[None]:
        """Begin to join or to leave a group."""
        change = self._changes.get(group)
        if change is None or change.done():
            change = self._changes[group] = self.loop.create_task(self._change(group))
            change.add_done_callback(partial(self._forget, group))
        return change

    async def close(self) -> None:
        """Leave all groups, whatever the layer says to it."""
        self.rooms.clear()
        tasks = [task for task in (*self._changes.values(), self._catching_up, self._settling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        inboxes, self._inboxes = self._inboxes, {}
        for channel in inboxes.values():
            await self.close_channel(channel)

    async def close_channel(self, channel: str) -> None:
        """Close a channel; if the layer is away, the channel is left to expire."""
        with suppress(BusError):
            await self.layer.close_inbox(channel)

    async def _settle(self) -> None:
        channel = await self.layer.new_channel(PREFIX)
        self._node = node_of(channel) or ""
        await self.close_channel(channel)

    def _forget(self, group: str, change: asyncio.Task[None]) -> None:
        if self._changes.get(group) is change:
            del self._changes[group]

    def _is_behind(self, group: str) -> bool:
        return (group in self.rooms) is not (group in self._inboxes)

    async def _change(self, group: str) -> None:
        """Be in a group if, and only if, there is anybody in a room of it."""
        while self._is_behind(group):
            try:
                if group in self.rooms:
                    await self._join(group)
                else:
                    await self.close_channel(self._inboxes.pop(group))
            except Exception as error:  # noqa: BLE001 - at the top of its task, and logged; it is tried again
                self._fall_behind(group, error)
                return

    async def _join(self, group: str) -> None:
        layer = self.layer
        is_client = node_of(group) is not None
        channel = group if is_client else await layer.new_channel(PREFIX)
        await layer.open_inbox(channel, on_message=partial(self._hear, group), overflow="drop_new")
        try:
            if not is_client:
                await layer.group_add(group, channel)
        except BaseException:
            await self.close_channel(channel)
            raise
        self._inboxes[group] = channel

    # A layer that is away

    def _fall_behind(self, group: str, error: Exception) -> None:
        self._late.add(group)
        if self._catching_up is None:
            self._logger.error("layer: other servers are not heard in new rooms, trying again: %s", error)
            self._catching_up = self.loop.create_task(self._catch_up())
            self._catching_up.add_done_callback(self._has_caught_up)

    async def _catch_up(self) -> None:
        """Ask the layer again, for one group first; for all once it answers."""
        while self._late:
            await asyncio.sleep(self._backoff.next(random()))  # noqa: S311 - jitter
            first = self._late.pop()
            await asyncio.wait([self.start(first)])
            if self._late and first not in self._late:
                late, self._late = self._late, set()
                await asyncio.wait([self.start(group) for group in late])

    def _has_caught_up(self, task: asyncio.Task[None]) -> None:
        self._catching_up = None
        self._backoff.reset()
        if not task.cancelled():
            self._logger.error("layer: other servers are heard in all rooms again")
