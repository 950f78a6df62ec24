"""python-socketio's ``kafka_manager`` module; written by tools/facades.py from its table."""

from fastsio.sync.backends.kafka import KafkaManager

__all__ = ["KafkaManager"]
