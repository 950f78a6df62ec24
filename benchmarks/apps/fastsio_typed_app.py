"""A group broadcast over plain WebSockets on fastsio: what one client sends goes to all, typed on both ways."""

from __future__ import annotations

import os
from typing import Literal

from starlette.routing import Router, WebSocketRoute

from fastsio.consumers import AsyncJsonWebsocketConsumer, channel, ws_handler
from fastsio.layers import InMemoryChannelLayer, register_channel_layer
from fastsio.messages import BaseMessage

redis_url = os.environ.get("REDIS_URL")
if redis_url:
    from fastsio.layers.redis import RedisPubSubChannelLayer

    layer = RedisPubSubChannelLayer(hosts=[redis_url], prefix="bench")
else:
    layer = InMemoryChannelLayer(capacity=10_000)
register_channel_layer("bench", layer)


class Cast(BaseMessage):
    """What a client sends."""

    action: Literal["cast"] = "cast"
    payload: str


class News(BaseMessage):
    """What all get."""

    action: Literal["news"] = "news"
    payload: str


@channel(name="broadcast", description="Everybody is in one group")
class Broadcast(AsyncJsonWebsocketConsumer):
    """Everybody is in one group."""

    channel_layer_alias = "bench"

    async def post_authentication(self) -> None:
        """Enter the group."""
        await self.channel_layer.group_add("all", self.channel_name)
        self.groups.append("all")

    @ws_handler(output_type=News)
    async def handle_cast(self, message: Cast) -> None:
        """Send on what came."""
        await self.broadcast_message(News(payload=message.payload), groups=["all"])


app = Router([WebSocketRoute("/ws", Broadcast.as_asgi())])
