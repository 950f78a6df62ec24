"""A consumer for each browser tab: messages are pydantic models, rooms are groups of the channel layer."""

from __future__ import annotations

from typing import Any, Literal

from fastsio.consumers import WebSocketDisconnectEvent, channel, ws_handler
from fastsio.layers import safe_group_name
from fastsio.messages import PingMessage, PongMessage

from .base_consumer import BaseConsumer
from .messages import RoomChatMessage, RoomNotificationMessage, RoomNotificationPayload


@channel(name="room_chat", description="Rooms that anybody may open and join", tags=["chat", "rooms"])
class RoomChatConsumer(BaseConsumer):
    """Consumer for room-based chat."""

    channel_layer_alias = "typed-chat"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room_name: str | None = None
        self.room_group_name: str | None = None

    @ws_handler(summary="Handle ping requests", description="Simple ping-pong for connectivity testing")
    async def handle_ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(
        summary="Handle room chat messages",
        description="Pass on what is said to everybody in the room",
        output_type=RoomNotificationMessage,
    )
    async def handle_room_chat(self, message: RoomChatMessage) -> None:
        await self.tell_room("said", message.payload.message)

    async def post_authentication(self) -> None:
        self.room_name = self.scope["path_params"]["room_name"]
        self.room_group_name = safe_group_name("room", self.room_name)
        await self.join_group(self.room_group_name)
        await self.tell_room("notice", f"Someone joined room '{self.room_name}'", exclude_current=True)

    async def websocket_disconnect(self, message: WebSocketDisconnectEvent) -> None:
        # The consumer leaves the groups afterwards.
        if self.room_group_name:
            await self.tell_room("notice", f"Someone left room '{self.room_name}'", exclude_current=True)
        await super().websocket_disconnect(message)

    async def tell_room(self, kind: Literal["said", "notice"], text: str, *, exclude_current: bool = False) -> None:
        payload = RoomNotificationPayload(kind=kind, message=text, room_name=self.room_name or "")
        await self.broadcast_message(
            RoomNotificationMessage(payload=payload),
            groups=[self.room_group_name or ""],
            exclude_current=exclude_current,
        )
