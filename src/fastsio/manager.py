"""python-socketio's ``manager`` module; written by tools/facades.py from its table."""

from fastsio.sync.manager import Manager

__all__ = ["Manager"]
