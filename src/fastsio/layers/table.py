"""
Who receives in this process, and who is in which group; both directions, so that leaving costs what was joined.

Delivers what a layer brings. Does no I/O and belongs to one event loop.
"""

from __future__ import annotations

from asyncio import get_running_loop
from heapq import heapify, heappop, heappush
from time import monotonic
from typing import TYPE_CHECKING, Final

from fastsio.layers.copying import copier

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from fastsio.layers.copying import Message
    from fastsio.layers.inbox import Inbox

#: Entries about inboxes that are gone, beyond as many as there are inboxes, before they are dropped.
SPARE_ENTRIES: Final = 64


class LocalTable:
    """
    The inboxes of a process and their groups.

    Attributes:
        behind: The inboxes of consumers whose clients are behind, and that others wait for.
    """

    def __init__(self) -> None:
        self.behind: set[Inbox] = set()
        self.inboxes: dict[str, Inbox] = {}
        self.groups: dict[str, dict[str, Inbox]] = {}
        #: When to look whether an inbox that no consumer holds is still used.
        self._lapsing: list[tuple[float, str]] = []

    @property
    def dropped(self) -> int:
        """How many messages the open inboxes had no room for."""
        return sum(inbox.dropped for inbox in self.inboxes.values())

    def add(self, inbox: Inbox) -> Inbox:
        """Open an inbox."""
        self.inboxes[inbox.channel] = inbox
        inbox.peers_behind = self.behind
        if inbox.keep_s is not None:
            self._expect(inbox)
        return inbox

    def leave_all(self, inbox: Inbox) -> list[str]:
        """Take a channel out of its groups; return those that have no member here any more."""
        return [group for group in sorted(inbox.groups) if self.leave(group, inbox.channel)]

    def enter(self, group: str, inbox: Inbox) -> bool:
        """Put a channel into a group; True if it is the first here."""
        members = self.groups.get(group)
        inbox.groups.add(group)
        if members is None:
            self.groups[group] = {inbox.channel: inbox}
            return True
        members[inbox.channel] = inbox
        return False

    def leave(self, group: str, channel: str) -> bool:
        """Take a channel out of a group; True if it was the last here."""
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
        """Give a message, not copied, to one consumer; False when there is no room for it."""
        if inbox.loop is get_running_loop():
            return inbox.put(message, deadline, on_taken)
        inbox.post(message, deadline, on_taken)
        return True

    def fan_out(self, group: str, message: Message, deadline: float, *, is_ours: bool = False) -> list[Inbox]:
        """
        Give each member of a group a copy of a message.

        Args:
            group: The group.
            message: The message.
            deadline: When it is not worth reading any more.
            is_ours: Nobody else has the message, so that a single member may have it itself.

        Returns:
            The members that had no room.
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
        """Return the channels that no consumer holds, and nobody has received from for long."""
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

    def _expect(self, inbox: Inbox) -> None:
        """Remember to look at an inbox; entries of those that were closed or are held are dropped now and then."""
        if len(self._lapsing) > 2 * len(self.inboxes) + SPARE_ENTRIES:
            known = {channel: until for until, channel in self._lapsing if channel in self.inboxes}
            self._lapsing = [(until, name) for name, until in known.items() if self.inboxes[name].keep_s is not None]
            heapify(self._lapsing)
        heappush(self._lapsing, (inbox.used_at + (inbox.keep_s or 0.0), inbox.channel))

    def move(self, loop: AbstractEventLoop) -> list[str]:
        """Go on with another event loop; return the channels whose consumers ended with theirs."""
        gone = [inbox for inbox in self.inboxes.values() if inbox.loop.is_closed()]
        for inbox in gone:
            if inbox.keep_s is not None:
                inbox.move(loop)
        return [inbox.channel for inbox in gone if inbox.keep_s is None]
