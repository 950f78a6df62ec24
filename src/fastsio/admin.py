# Written by tools/facades.py; change the table there.
"""python-socketio's ``admin`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.sync.admin import EventBuffer, InstrumentedServer

__all__ = ["EventBuffer", "InstrumentedServer"]
