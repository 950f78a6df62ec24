# Written by tools/facades.py; change the table there.
"""python-socketio's ``pubsub_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.pubsub import PubSubManager

__all__ = ["PubSubManager"]
