"""python-socketio's ``async_pubsub_manager`` module; written by tools/facades.py from its table."""

from fastsio.aio.pubsub import AsyncPubSubManager

__all__ = ["AsyncPubSubManager"]
