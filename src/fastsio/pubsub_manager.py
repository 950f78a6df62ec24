"""python-socketio's ``pubsub_manager`` module; written by tools/facades.py from its table."""

from fastsio.sync.pubsub import PubSubManager

__all__ = ["PubSubManager"]
