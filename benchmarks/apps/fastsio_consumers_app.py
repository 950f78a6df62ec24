"""A group broadcast over plain WebSockets on fastsio: what one client sends goes to all."""

from __future__ import annotations

import json
import os
from typing import Any

from starlette.routing import Router, WebSocketRoute

from fastsio.consumers import AsyncWebsocketConsumer
from fastsio.layers import InMemoryChannelLayer, register_channel_layer

redis_url = os.environ.get("REDIS_URL")
if redis_url:
    from fastsio.layers.redis import RedisPubSubChannelLayer

    layer = RedisPubSubChannelLayer(hosts=[redis_url], prefix="bench")
else:
    layer = InMemoryChannelLayer(capacity=10_000)
register_channel_layer("bench", layer)


class Broadcast(AsyncWebsocketConsumer):
    """Everybody is in one group."""

    channel_layer_alias = "bench"

    async def connect(self) -> None:
        """Enter the group."""
        await self.accept()
        await self.channel_layer.group_add("all", self.channel_name)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - the consumer's interface
        """Leave the group."""
        await self.channel_layer.group_discard("all", self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:  # noqa: ARG002 - as above
        """Send on what came."""
        payload = json.loads(text_data)["payload"]
        await self.channel_layer.group_send("all", {"type": "room_message", "message": payload})

    async def room_message(self, event: dict[str, Any]) -> None:
        """Tell the client."""
        await self.send(event["message"])


app = Router([WebSocketRoute("/ws", Broadcast.as_asgi())])
