"""python-socketio's ``base_server`` module; written by tools/facades.py from its table."""

from fastsio.base.server import BaseServer

__all__ = ["BaseServer"]
