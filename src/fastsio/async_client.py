# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_client`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.client.client import AsyncClient

__all__ = ["AsyncClient"]
