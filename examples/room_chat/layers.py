"""The channel layers of the application: in memory, or on Redis at REDIS_URL if that is set."""

import os

from fastsio.layers import InMemoryChannelLayer, register_channel_layer
from fastsio.layers.base import BaseChannelLayer

REDIS_URL = os.getenv("REDIS_URL")


def setup_layers() -> None:
    """Register the layers; once in each process, servers and workers alike."""
    register_channel_layer("room-chat", make_layer("room-chat"))


def make_layer(prefix: str) -> BaseChannelLayer:
    """Make a layer: one process needs none but its memory, several need a broker."""
    if REDIS_URL is None:
        return InMemoryChannelLayer()
    from fastsio.layers.redis import RedisPubSubChannelLayer

    return RedisPubSubChannelLayer(hosts=[REDIS_URL], prefix=prefix)
