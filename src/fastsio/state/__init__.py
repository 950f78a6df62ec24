"""Who is connected, and where: plain tables, no I/O."""

from fastsio.state.clients import Client, Connection
from fastsio.state.rooms import RoomTable

__all__ = ["Client", "Connection", "RoomTable"]
