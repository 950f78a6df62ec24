"""python-socketio's ``kombu_manager`` module; written by tools/facades.py from its table."""

from fastsio.sync.backends.kombu import KombuManager

__all__ = ["KombuManager"]
