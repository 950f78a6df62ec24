"""The layers of servers in processes of their own, by the name that LAYER gives."""

from __future__ import annotations

from typing import Any

from fastsio.layers.nats import NatsChannelLayer
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer

LAYERS: dict[str, Any] = {"pubsub": RedisPubSubChannelLayer, "queue": RedisChannelLayer, "nats": NatsChannelLayer}
