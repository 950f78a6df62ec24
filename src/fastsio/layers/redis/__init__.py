"""Channel layers on Redis or Valkey: one on pub/sub, which stores no messages, and one on streams, which does."""

from __future__ import annotations

from fastsio.layers.redis.pubsub import RedisPubSubChannelLayer
from fastsio.layers.redis.queue import RedisChannelLayer

__all__ = ["RedisChannelLayer", "RedisPubSubChannelLayer"]
