"""A group broadcast over plain WebSockets on chanx: what one client sends goes to all, typed on both ways."""

# mypy: ignore-errors
# chanx is there for the benchmark only

from __future__ import annotations

import logging
import os
from typing import Literal

import structlog
from chanx.core.decorators import channel, ws_handler
from chanx.fast_channels.websocket import AsyncJsonWebsocketConsumer
from chanx.messages.base import BaseMessage
from fast_channels.layers import InMemoryChannelLayer, register_channel_layer
from starlette.routing import Router, WebSocketRoute

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
redis_url = os.environ.get("REDIS_URL")
if redis_url:
    from fast_channels.layers.redis import RedisPubSubChannelLayer

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
    send_completion = False
    send_message_immediately = True
    log_websocket_message = False
    send_authentication_message = False

    async def post_authentication(self) -> None:
        """Enter the group."""
        await self.channel_layer.group_add("all", self.channel_name)
        self.groups.append("all")

    @ws_handler(output_type=News)
    async def handle_cast(self, message: Cast) -> None:
        """Send on what came."""
        await self.broadcast_message(News(payload=message.payload), groups=["all"])


app = Router([WebSocketRoute("/ws", Broadcast.as_asgi())])
