"""python-socketio's ``server`` module; written by tools/facades.py from its table."""

from fastsio.sync.server import Server

__all__ = ["Server"]
