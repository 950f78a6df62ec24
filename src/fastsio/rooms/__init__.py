"""Rooms as classes, and events that know the rooms they are for."""

from __future__ import annotations

from fastsio.base.rooms import Joined, Room, RoomMember, register_room
from fastsio.rooms.broadcasting import BroadcastEvent, broadcast, broadcast_sync, configure_broadcasting

__all__ = [
    "BroadcastEvent",
    "Joined",
    "Room",
    "RoomMember",
    "broadcast",
    "broadcast_sync",
    "configure_broadcasting",
    "register_room",
]
