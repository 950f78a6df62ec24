# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_pubsub_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.pubsub import AsyncPubSubManager

__all__ = ["AsyncPubSubManager"]
