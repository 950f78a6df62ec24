"""python-socketio's ``redis_manager`` module; written by tools/facades.py from its table."""

from fastsio.cluster.broker_urls import parse_redis_sentinel_url
from fastsio.sync.backends.redis import RedisManager

__all__ = ["RedisManager", "parse_redis_sentinel_url"]
