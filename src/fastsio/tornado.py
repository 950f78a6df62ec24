# Written by tools/facades.py; change the table there.
"""python-socketio's ``tornado`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.integrations.tornado import get_tornado_handler

__all__ = ["get_tornado_handler"]
