"""python-socketio's ``asgi`` module; written by tools/facades.py from its table."""

from fastsio.integrations.asgi import ASGIApp

__all__ = ["ASGIApp"]
