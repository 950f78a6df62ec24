# Written by tools/facades.py; change the table there.
"""python-socketio's ``base_server`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.server import BaseServer

__all__ = ["BaseServer"]
