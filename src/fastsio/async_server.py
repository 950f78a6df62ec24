# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_server`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.server import AsyncServer

__all__ = ["AsyncServer"]
