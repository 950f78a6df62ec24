"""python-socketio's ``async_admin`` module; written by tools/facades.py from its table."""

from fastsio.aio.admin import InstrumentedAsyncServer

__all__ = ["InstrumentedAsyncServer"]
