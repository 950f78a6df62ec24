"""The channel layer for the rooms: in memory, or on Redis at REDIS_URL if that is set."""

import os

from fastsio.layers import InMemoryChannelLayer, register_channel_layer

#: The alias of the layer.
LAYER = "bridge"
REDIS_URL = os.getenv("REDIS_URL")


def setup_layers() -> None:
    """Register the layer; once in each process, servers and workers alike."""
    if REDIS_URL is None:
        register_channel_layer(LAYER, InMemoryChannelLayer())
        return
    from fastsio.layers.redis import RedisPubSubChannelLayer

    register_channel_layer(LAYER, RedisPubSubChannelLayer(hosts=[REDIS_URL], prefix="bridge-example"))
