"""python-socketio's ``admin`` module; written by tools/facades.py from its table."""

from fastsio.sync.admin import EventBuffer, InstrumentedServer

__all__ = ["EventBuffer", "InstrumentedServer"]
