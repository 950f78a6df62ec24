# Written by tools/facades.py; change the table there.
"""python-socketio's ``redis_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.cluster.broker_urls import parse_redis_sentinel_url
from fastsio.sync.backends.redis import RedisManager

__all__ = ["RedisManager", "parse_redis_sentinel_url"]
