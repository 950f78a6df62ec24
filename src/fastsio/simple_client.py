# Written by tools/facades.py; change the table there.
"""python-socketio's ``simple_client`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.simple_client import SimpleClient

__all__ = ["SimpleClient"]
