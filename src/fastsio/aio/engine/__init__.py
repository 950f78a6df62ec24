"""
The Engine.IO transport of the asyncio half: the server, with python-engineio's interface, and the client.

Knows sessions, frames and timers; must know nothing of Socket.IO packets, namespaces or rooms.
"""

from __future__ import annotations

from fastsio.aio.engine.server import EngineServer
from fastsio.aio.engine.session import Session
from fastsio.engine.packet import MessagePacket

__all__ = ["EngineServer", "MessagePacket", "Session"]
