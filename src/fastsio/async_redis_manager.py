"""python-socketio's ``async_redis_manager`` module; written by tools/facades.py from its table."""

from fastsio.aio.backends.redis import AsyncRedisManager
from fastsio.cluster.broker_urls import parse_redis_sentinel_url

__all__ = ["AsyncRedisManager", "parse_redis_sentinel_url"]
