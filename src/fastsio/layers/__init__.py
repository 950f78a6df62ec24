"""
Channel layers: messages between consumers, in one process or in several.

Layers are made once, at the start of the program, and registered under an alias::

    register_channel_layer("chat", RedisPubSubChannelLayer(hosts=["redis://localhost:6379"], prefix="chat"))
"""

from __future__ import annotations

from fastsio.layers.base import BaseChannelLayer
from fastsio.layers.inbox import ChannelClosedError, ChannelFull, Inbox
from fastsio.layers.local import InMemoryChannelLayer
from fastsio.layers.machine import LocalChannelLayer
from fastsio.layers.names import safe_group_name
from fastsio.layers.registry import (
    ChannelLayerRegistry,
    LayerNotFoundError,
    channel_layers,
    get_channel_layer,
    has_layers,
    override,
    register_channel_layer,
    unregister_channel_layer,
)
from fastsio.layers.room_groups import group_of

__all__ = [
    "BaseChannelLayer",
    "ChannelClosedError",
    "ChannelFull",
    "ChannelLayerRegistry",
    "InMemoryChannelLayer",
    "Inbox",
    "LayerNotFoundError",
    "LocalChannelLayer",
    "channel_layers",
    "get_channel_layer",
    "group_of",
    "has_layers",
    "override",
    "register_channel_layer",
    "safe_group_name",
    "unregister_channel_layer",
]
