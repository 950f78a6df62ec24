# Written by tools/facades.py; change the table there.
"""python-socketio's ``kafka_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.backends.kafka import KafkaManager

__all__ = ["KafkaManager"]
