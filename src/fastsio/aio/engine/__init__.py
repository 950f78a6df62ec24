"""
Engine.IO in the asyncio half: the server, with python-engineio's interface, and the client.

This package has sessions, frames and timers. It imports nothing of Socket.IO's packets, namespaces or rooms.
"""

from __future__ import annotations

from fastsio.aio.engine.server import EngineServer
from fastsio.aio.engine.session import Session
from fastsio.engine.packet import MessagePacket

__all__ = ["EngineServer", "MessagePacket", "Session"]
