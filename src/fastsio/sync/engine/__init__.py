# Written by tools/unasync.py from aio/engine/__init__.py; change that one.
"""
Engine.IO in the sync half: the server, with python-engineio's interface, and the client.

This package has sessions, frames and timers. It imports nothing of Socket.IO's packets, namespaces or rooms.
"""

from __future__ import annotations

from fastsio.engine.packet import MessagePacket
from fastsio.sync.engine.server import EngineServer
from fastsio.sync.engine.session import Session

__all__ = ["EngineServer", "MessagePacket", "Session"]
