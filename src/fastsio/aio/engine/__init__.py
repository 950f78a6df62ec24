"""
The Engine.IO transport of the asyncio shell: python-engineio's server with a faster, stricter and bounded socket.

Knows sessions, frames and timers; must know nothing of Socket.IO packets, namespaces or rooms.
"""

from __future__ import annotations

from fastsio.aio.engine.server import EngineServer
from fastsio.aio.engine.session import Session
from fastsio.engine.packet import MessagePacket

__all__ = ["EngineServer", "MessagePacket", "Session"]
