"""python-socketio's ``async_simple_client`` module; written by tools/facades.py from its table."""

from fastsio.aio.simple_client import AsyncSimpleClient

__all__ = ["AsyncSimpleClient"]
