"""Channel layers on Redis or Valkey: one that is fast and keeps nothing, one that keeps messages for later."""

from __future__ import annotations

from fastsio.layers.redis.pubsub import RedisPubSubChannelLayer
from fastsio.layers.redis.queue import RedisChannelLayer

__all__ = ["RedisChannelLayer", "RedisPubSubChannelLayer"]
