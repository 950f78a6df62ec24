"""python-socketio's ``base_manager`` module; written by tools/facades.py from its table."""

from fastsio.base.manager import BaseManager

__all__ = ["BaseManager"]
