"""Rooms as classes; see :mod:`fastsio.base.rooms`."""

from __future__ import annotations

from fastsio.base.rooms import Joined, Room, RoomMember, register_room

__all__ = ["Joined", "Room", "RoomMember", "register_room"]
