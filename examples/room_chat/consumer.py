"""A consumer for each browser tab; rooms are groups of the channel layer."""

from __future__ import annotations

from typing import Any

from fastsio.consumers import AsyncWebsocketConsumer
from fastsio.layers import safe_group_name


class RoomChatConsumer(AsyncWebsocketConsumer):
    """
    Send the text of each client to all clients in the room.

    What a client says begins with "> ", so that a page can tell it from what the server says.
    """

    channel_layer_alias = "room-chat"

    async def connect(self) -> None:
        # The parameter room_name of the route's path; safe_group_name makes a group name of any text.
        self.room_name = self.scope["path_params"]["room_name"]
        self.room_group_name = safe_group_name("room", self.room_name)

        await self.accept()

        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.say(f"Someone joined room '{self.room_name}'")

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
        await self.say(f"Someone left room '{self.room_name}'")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        if text_data and text_data.strip():
            await self.say(f"> {text_data}")

    async def room_message(self, event: dict[str, Any]) -> None:
        """Called for each message of the group: ``"type": "room_message"`` is this method's name."""
        await self.send(event["message"])

    async def say(self, text: str) -> None:
        message = {"type": "room_message", "message": text}
        await self.channel_layer.group_send(self.room_group_name, message)
