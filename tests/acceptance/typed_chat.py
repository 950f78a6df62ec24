"""The messages and the consumer of the typed messages tutorial, as they stand there."""

from typing import Any, Literal

from pydantic import BaseModel

from fastsio.consumers import AsyncJsonWebsocketConsumer, channel, ws_handler
from fastsio.consumers.types import WebSocketDisconnectEvent
from fastsio.messages import BaseMessage, PingMessage, PongMessage


class RoomMessagePayload(BaseModel):
    message: str
    room_name: str | None = None


class RoomChatMessage(BaseMessage):
    """Room chat message."""

    action: Literal["room_chat"] = "room_chat"
    payload: RoomMessagePayload


class RoomNotificationMessage(BaseMessage):
    """Room notification message."""

    action: Literal["room_notification"] = "room_notification"
    payload: RoomMessagePayload


class BaseConsumer(AsyncJsonWebsocketConsumer):
    """What the tutorial has in src/base_consumer.py."""


@channel(
    name="room_chat",
    description="Room Chat Consumer - Dynamic room-based messaging",
    tags=["chat", "rooms"],
)
class RoomChatConsumer(BaseConsumer):
    """Consumer for room-based chat where users can join specific rooms."""

    channel_layer_alias = "chat"

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.room_name: str | None = None
        self.room_group_name: str | None = None

    @ws_handler(summary="Handle ping requests", description="Simple ping-pong for connectivity testing")
    async def handle_ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(
        summary="Handle room chat messages",
        description="Process room chat messages and broadcast to room members",
        output_type=RoomNotificationMessage,
    )
    async def handle_room_chat(self, message: RoomChatMessage) -> None:
        """Handle incoming room chat messages."""
        assert self.room_group_name
        await self.broadcast_message(
            RoomNotificationMessage(
                payload=RoomMessagePayload(message=f"💬 {message.payload.message}", room_name=self.room_name)
            ),
            groups=[self.room_group_name],
        )

    async def post_authentication(self) -> None:
        """Join room and send join notification."""
        self.room_name = self.scope["path_params"]["room_name"]
        self.room_group_name = f"room_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        if self.room_group_name not in self.groups:
            self.groups.append(self.room_group_name)
        await self.broadcast_message(
            RoomNotificationMessage(
                payload=RoomMessagePayload(
                    message=f"🚪 Someone joined room '{self.room_name}'", room_name=self.room_name
                )
            ),
            groups=[self.room_group_name],
            exclude_current=True,
        )

    async def websocket_disconnect(self, message: WebSocketDisconnectEvent) -> None:
        """Send leave notification when user disconnects."""
        if self.room_group_name:
            await self.broadcast_message(
                RoomNotificationMessage(
                    payload=RoomMessagePayload(
                        message=f"👋 Someone left room '{self.room_name}'", room_name=self.room_name
                    )
                ),
                groups=[self.room_group_name],
                exclude_current=True,
            )
            await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
        await super().websocket_disconnect(message)
