"""
Which client is in which room, in both directions.

Knows sids, Engine.IO sids and room names of one process; must not know packets or servers. The sid room that each
client has for itself is implied, not stored: it is the client's entry in its namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any

Members = Mapping[str, str]

_NOBODY: dict[str, str] = {}


class RoomTable:
    """
    Clients and rooms of every namespace.

    A namespace exists while it has a client, a room while it has a member. Removing a client costs the number of
    rooms it is in, whatever the number of other clients.
    """

    __slots__ = ("_clients", "_joined", "_rooms", "_sids")

    def __init__(self) -> None:
        #: Namespace -> sid -> eio_sid, and the other way round.
        self._clients: dict[str, dict[str, str]] = {}
        self._sids: dict[str, dict[str, str]] = {}
        self._rooms: dict[str, dict[Hashable, dict[str, str]]] = {}
        self._joined: dict[tuple[str, str], dict[Hashable, None]] = {}

    def add(self, namespace: str, sid: str, eio_sid: str) -> None:
        """Add a client to *namespace*; the client that its connection was there before is removed from it."""
        clients = self._clients.get(namespace)
        if clients is None:
            clients = self._clients[namespace] = {}
            self._sids[namespace] = {}
        sids = self._sids[namespace]
        before = clients.get(sid)
        if before is not None:
            del sids[before]
        other = sids.get(eio_sid)
        if other is not None:
            del clients[other]
        clients[sid] = eio_sid
        sids[eio_sid] = sid

    def remove(self, namespace: str, sid: str) -> None:
        """Take a client out of every room and of *namespace*; an unknown one is ignored."""
        for room in self._joined.pop((namespace, sid), ()):
            self._drop(namespace, room, sid)
        clients = self._clients.get(namespace)
        if clients is None or sid not in clients:
            return
        del self._sids[namespace][clients.pop(sid)]
        if not clients:
            del self._clients[namespace], self._sids[namespace]

    def enter(self, namespace: str, sid: str, room: Hashable) -> None:
        """
        Put a client into *room*.

        Raises:
            KeyError: The client is not in *namespace*.
        """
        eio_sid = self._clients[namespace][sid]
        rooms = self._rooms.setdefault(namespace, {})
        rooms.setdefault(room, {})[sid] = eio_sid
        self._joined.setdefault((namespace, sid), {})[room] = None

    def leave(self, namespace: str, sid: str, room: Hashable) -> None:
        """Take a client out of *room*; a client that is not in it is ignored."""
        joined = self._joined.get((namespace, sid))
        if joined is None or room not in joined:
            return
        del joined[room]
        if not joined:
            del self._joined[namespace, sid]
        self._drop(namespace, room, sid)

    def close(self, namespace: str, room: Hashable) -> None:
        """Take every client out of *room*."""
        for sid in list(self._rooms.get(namespace, {}).get(room, ())):
            self.leave(namespace, sid, room)

    def _drop(self, namespace: str, room: Hashable, sid: str) -> None:
        rooms = self._rooms[namespace]
        members = rooms[room]
        del members[sid]
        if not members:
            del rooms[room]
            if not rooms:
                del self._rooms[namespace]

    def has(self, namespace: str, sid: Hashable) -> bool:
        """Whether *sid* is a client of *namespace*."""
        return sid in self._clients.get(namespace, _NOBODY)

    def namespaces(self) -> Iterable[str]:
        """Names of the namespaces that have clients."""
        return self._clients.keys()

    def rooms_of(self, namespace: str, sid: str) -> list[Any]:
        """Names of the rooms of a client, its own sid first; empty for an unknown client."""
        if not self.has(namespace, sid):
            return []
        return [sid, *self._joined.get((namespace, sid), ())]

    def is_in(self, namespace: str, sid: str, room: Hashable) -> bool:
        """Whether a client entered *room*."""
        return room in self._joined.get((namespace, sid), ())

    def room_count(self, namespace: str, sid: str) -> int:
        """How many rooms a client entered."""
        return len(self._joined.get((namespace, sid), ()))

    def sid_of(self, namespace: str, eio_sid: str) -> str | None:
        """Return the sid that an Engine.IO connection has in *namespace*."""
        return self._sids.get(namespace, _NOBODY).get(eio_sid)

    def eio_sid_of(self, namespace: str, sid: str) -> str | None:
        """Return the Engine.IO sid behind *sid*."""
        return self._clients.get(namespace, _NOBODY).get(sid)

    def members(self, namespace: str, room: Hashable) -> Members:
        """Return sid -> eio_sid of everybody in *room*; None is everybody in the namespace. Not a copy."""
        clients = self._clients.get(namespace)
        if clients is None:
            return _NOBODY
        if room is None:
            return clients
        members = self._rooms.get(namespace, {}).get(room)
        if members is not None:
            return members
        return {room: clients[room]} if isinstance(room, str) and room in clients else _NOBODY

    def recipients(self, namespace: str, rooms: Iterable[Hashable], skip: Collection[str] = ()) -> Members:
        """
        Return everybody in any of *rooms*, each client once, without those in *skip*.

        Args:
            namespace: The namespace.
            rooms: Room names; ``(None,)`` is everybody, empty is nobody.
            skip: sids to leave out.

        Returns:
            sid -> eio_sid; not a copy when there is one room and nobody to skip.
        """
        found: Members = _NOBODY
        for index, room in enumerate(rooms):
            members = self.members(namespace, room)
            found = members if index == 0 else {**found, **members}
        if skip and found:
            found = {sid: eio_sid for sid, eio_sid in found.items() if sid not in skip}
        return found

    def view(self) -> RoomsView:
        """Return the table in the shape of python-socketio's ``manager.rooms``, read-only."""
        return RoomsView(self)


class RoomsView(Mapping[str, "NamespaceView"]):
    """Namespace -> room -> {sid: eio_sid}, read-only."""

    def __init__(self, table: RoomTable) -> None:
        self._table = table

    def __getitem__(self, namespace: str) -> NamespaceView:
        if namespace not in self._table.namespaces():
            raise KeyError(namespace)
        return NamespaceView(self._table, namespace)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.namespaces())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class NamespaceView(Mapping[Any, Members]):
    """Room -> {sid: eio_sid} of one namespace, sid rooms and the room None included, read-only."""

    def __init__(self, table: RoomTable, namespace: str) -> None:
        self._table = table
        self._namespace = namespace

    def __getitem__(self, room: Any) -> Members:
        members = self._table.members(self._namespace, room)
        if not members:
            raise KeyError(room)
        return members

    def __iter__(self) -> Iterator[Any]:
        yield None
        clients = self._table.members(self._namespace, None)
        yield from clients
        seen: dict[Any, None] = {}
        for sid in clients:
            seen.update(dict.fromkeys(self._table.rooms_of(self._namespace, sid)[1:]))
        yield from seen

    def __len__(self) -> int:
        return sum(1 for _ in self)
