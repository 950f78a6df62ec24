# Written by tools/facades.py; change the table there.
"""python-socketio's ``server`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.server import Server

__all__ = ["Server"]
