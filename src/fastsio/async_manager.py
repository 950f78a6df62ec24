"""python-socketio's ``async_manager`` module; written by tools/facades.py from its table."""

from fastsio.aio.manager import AsyncManager

__all__ = ["AsyncManager"]
