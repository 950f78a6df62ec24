"""python-socketio's ``async_client`` module; written by tools/facades.py from its table."""

from fastsio.aio.client.client import AsyncClient

__all__ = ["AsyncClient"]
