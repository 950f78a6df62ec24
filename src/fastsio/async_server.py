"""python-socketio's ``async_server`` module; written by tools/facades.py from its table."""

from fastsio.aio.server import AsyncServer

__all__ = ["AsyncServer"]
