"""python-socketio's ``simple_client`` module; written by tools/facades.py from its table."""

from fastsio.sync.simple_client import SimpleClient

__all__ = ["SimpleClient"]
