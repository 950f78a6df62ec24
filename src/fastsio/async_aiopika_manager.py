"""python-socketio's ``async_aiopika_manager`` module; written by tools/facades.py from its table."""

from fastsio.aio.backends.aiopika import AsyncAioPikaManager

__all__ = ["AsyncAioPikaManager"]
