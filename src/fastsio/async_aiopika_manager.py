# Written by tools/facades.py; change the table there.
"""python-socketio's ``async_aiopika_manager`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.aio.backends.aiopika import AsyncAioPikaManager

__all__ = ["AsyncAioPikaManager"]
