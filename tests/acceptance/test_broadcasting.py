"""Events that know their room."""

from __future__ import annotations

from typing import Any

import fastsio
from fastsio import BroadcastEvent, Room, broadcast
from tests.acceptance.peers import connected
from tests.support.servers import serve


class ChatRoom(Room):
    @classmethod
    async def extract_room_identifier(cls, session: Any, data: dict[str, Any]) -> Any:
        return data["chat_id"]


class MessagePosted(BroadcastEvent):
    chat_id: int
    text: str

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(self.chat_id)


async def test_the_room_of_an_event_gets_it_and_nobody_else() -> None:
    """``broadcast_on()`` returns a room: everybody who joined it hears the event, others do not."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.register_room(ChatRoom)
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http) as ada,
        connected(address.http) as ben,
        connected(address.http) as elsewhere,
        connected(address.http) as nowhere,
    ):
        for peer, chat_id in ((ada, 5), (ben, 5), (elsewhere, 6)):
            await peer.call("join_chat", {"chat_id": chat_id})

        assert await broadcast(MessagePosted(chat_id=5, text="hi")) is True

        heard = ("message_posted", {"chat_id": 5, "text": "hi"})
        assert await ada.heard_until_fence(sio) == [("joined", {"room": "chat|5"}), heard]
        assert await ben.heard_until_fence(sio) == [("joined", {"room": "chat|5"}), heard]
        assert await elsewhere.heard_until_fence(sio) == [("joined", {"room": "chat|6"})]
        assert await nowhere.heard_until_fence(sio) == []
