# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_simple_client`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.simple_client import AsyncSimpleClient

__all__ = ["AsyncSimpleClient"]
