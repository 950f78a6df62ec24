# Written by tools/facades.py; change the table there.
"""python-socketio's ``asgi`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.integrations.asgi import ASGIApp

__all__ = ["ASGIApp"]
