# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_redis_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.backends.redis import AsyncRedisManager
from fastsio.cluster.broker_urls import parse_redis_sentinel_url

__all__ = ["AsyncRedisManager", "parse_redis_sentinel_url"]
