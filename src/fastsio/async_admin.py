# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_admin`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.admin import InstrumentedAsyncServer

__all__ = ["InstrumentedAsyncServer"]
