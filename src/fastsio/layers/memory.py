"""The layer of a single process: messages go from hand to hand, and nothing else is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastsio.layers.codec import copy_message
from fastsio.layers.inbox import ChannelFull
from fastsio.layers.local import CAPACITY, EXPIRY_S, GROUP_EXPIRY_S, TableLayer

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from fastsio.layers.codec import Message
    from fastsio.layers.inbox import Overflow


class InMemoryChannelLayer(TableLayer):
    """
    Carry messages within one process, for tests, for development, and for what only ever runs in one.

    A message to a channel without a reader is kept for *expiry* seconds, for the first that reads it.

    Args:
        expiry: Seconds for which a message is worth reading. 60.
        group_expiry: Seconds after which a channel that no consumer holds, and nobody receives from, leaves its
            groups. A day.
        capacity: Messages that may wait for one consumer. 100.
        channel_capacity: Other capacities, by pattern of the channel's name.
        overflow: What to do with a message for which there is no room: ``drop_new``, ``drop_old``, ``close`` or
            ``raise``.

    Raises:
        SetupError: An option is out of range.
    """

    def __init__(
        self,
        expiry: float = EXPIRY_S,
        group_expiry: float = GROUP_EXPIRY_S,
        capacity: int = CAPACITY,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        *,
        overflow: Overflow = "drop_new",
    ) -> None:
        super().__init__(
            expiry=expiry,
            group_expiry=group_expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            overflow=overflow,
        )

    async def _send(self, channel: str, message: Message) -> None:
        await self._at_home(self._put, channel, message)

    async def _group_send(self, group: str, message: Message) -> None:
        await self._at_home(self._put_all, group, message)

    async def _put(self, channel: str, message: Message) -> None:
        table = self._table
        inbox = table.inboxes.get(channel) or await self._listen_to(channel, self.expiry)
        if not table.deliver(inbox, copy_message(message), self._deadline()):
            await self._settle([inbox])
            if inbox.overflow in {"drop_new", "raise"}:
                raise ChannelFull(channel)

    async def _put_all(self, group: str, message: Message) -> None:
        await self._forget_lapsed()
        full = self._table.fan_out(group, message, self._deadline())
        if full and (told := await self._settle(full)):
            raise ChannelFull(*told)

    async def _group_add(self, group: str, channel: str) -> None:
        inbox = self._table.inboxes.get(channel) or await self._listen_to(channel)
        if inbox.keep_s is not None:
            inbox.keep_s = self.group_expiry
        self._table.enter(group, inbox)

    async def _group_discard(self, group: str, channel: str) -> None:
        self._table.leave(group, channel)

    async def _flush(self) -> None:
        self._table.clear()
