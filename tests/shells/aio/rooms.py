"""A room class that lets in whom the payload says, and how clients join it."""

from __future__ import annotations

import json
from typing import Any

from fastsio import (
    Room,
    SocketID,
)


class ChatRoom(Room):
    """Lets in whom the payload says, and writes down what happens."""

    log: list[Any] = []

    @classmethod
    def extract_room_identifier(cls, session, data):
        return data["id"]

    @classmethod
    async def can_join(cls, session, data):
        return data.get("allowed", True)

    @classmethod
    async def on_join(cls, room: ChatRoom, sid: SocketID):
        cls.log.append(("on_join", room.identifier, sid))

    @classmethod
    def on_leave(cls, room: Room, sid: SocketID):
        cls.log.append(("on_leave", room.identifier, sid))


async def events(client) -> list[Any]:
    """Return what a client was sent and has not read, as [event, argument]."""
    frames, client.frames[:] = list(client.frames), []
    return [json.loads(frame[1:]) if frame.startswith("2") else frame for frame in frames]


async def joined(client, room_id: Any = 5, **data: Any) -> None:
    """Join, and read the confirmation."""
    await client.send(f'21["join_chat",{json.dumps({"id": room_id, **data})}]')
    assert await client.receive() == f'2["joined",{{"room":"chat|{room_id}"}}]'
    assert await client.receive() == f'31[{{"room":"chat|{room_id}"}}]'
