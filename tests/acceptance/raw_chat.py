"""The consumer of the channel layers tutorial, as it stands there."""

from __future__ import annotations

from typing import Any

from fastsio.consumers import AsyncWebsocketConsumer


class RoomChatConsumer(AsyncWebsocketConsumer):
    """Consumer for room-based chat where users can join specific rooms."""

    channel_layer_alias = "chat"

    async def connect(self):
        assert self.channel_layer
        self.room_name = self.scope["path_params"]["room_name"]
        self.room_group_name = f"room_{self.room_name}"
        await self.accept()
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.channel_layer.group_send(
            self.room_group_name,
            {"type": "room_message", "message": f"🚪 Someone joined room '{self.room_name}'"},
        )

    async def disconnect(self, code: int) -> None:
        assert self.channel_layer
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
        await self.channel_layer.group_send(
            self.room_group_name,
            {"type": "room_message", "message": f"👋 Someone left room '{self.room_name}'"},
        )

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        assert self.channel_layer
        await self.channel_layer.group_send(
            self.room_group_name, {"type": "room_message", "message": f"💬 {text_data}"}
        )

    async def room_message(self, event: dict[str, Any]) -> None:
        """Called when someone has messaged our room."""
        await self.send(event["message"])
