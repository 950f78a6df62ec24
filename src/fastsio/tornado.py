"""python-socketio's ``tornado`` module; written by tools/facades.py from its table."""

from fastsio.integrations.tornado import get_tornado_handler

__all__ = ["get_tornado_handler"]
