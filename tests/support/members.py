"""
Ask several servers who is in a room.

A server that does not know how many others there are collects their answers for a number of seconds. What has not come by then is left
out, so a test that wants all of them must not depend on how many seconds a busy machine needs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from fastsio import RoomMember

FIRST_S = 0.05


async def all_members(room: Any, count: int) -> list[RoomMember]:
    """
    Ask all servers for the members of a room, each time for longer, until there are as many as the test knows of.

    Args:
        room: What ``Room.on()`` has returned.
        count: Of members.
    """
    timeout_s = FIRST_S
    while True:
        members: list[RoomMember] = await room.members(cluster=True, timeout=timeout_s)
        if len(members) == count or timeout_s > WAIT_S:
            return members
        timeout_s *= 4


def end_with_answers(manager: Any, count: int = 1) -> None:
    """Let the questions of a manager end with a number of answers rather than with a time."""
    answers = Counter[int]()
    changed = asyncio.Event()
    take = manager._take_members

    def taken(message: Any) -> None:
        take(message)
        answers[message.question] += 1
        changed.set()

    async def ask_members(question: Any, _timeout_s: float) -> None:
        await manager._tell_others(question)
        async with asyncio.timeout(WAIT_S):
            while answers[question.question] < count:
                changed.clear()
                await changed.wait()

    manager._take_members = taken
    manager._ask_members = ask_members
