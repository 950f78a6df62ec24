"""The tables of connections, clients, rooms and members; no I/O."""

from fastsio.state.clients import Client, Connection, Held
from fastsio.state.rooms import RoomTable

__all__ = ["Client", "Connection", "Held", "RoomTable"]
