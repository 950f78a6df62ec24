"""
Which client is in which room, in both directions.

This module knows the clients and the room names of one process, and must not know packets or servers. The room named
like a client's sid is not stored: the client's entry in its namespace stands for it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastsio.state.clients import Client

Members = Mapping[str, "Client"]

_NOBODY: dict[str, Any] = {}


class RoomTable:
    """
    Clients and rooms of every namespace.

    A namespace exists while it has a client, a room while it has a member. Removing a client takes time in proportion
    to the rooms that it is in, not to the number of clients.
    """

    __slots__ = ("_by_eio_sid", "_clients", "_rooms")

    def __init__(self) -> None:
        #: Namespace -> sid -> client, and Engine.IO sid -> client.
        self._clients: dict[str, dict[str, Client]] = {}
        self._by_eio_sid: dict[str, dict[str, Client]] = {}
        self._rooms: dict[str, dict[Hashable, dict[str, Client]]] = {}

    def add(self, client: Client) -> None:
        """Add a client; another of the same sid, or of the same connection, is removed from the namespace."""
        namespace, sid, eio_sid = client.namespace, client.sid, client.connection.eio_sid
        clients = self._clients.get(namespace)
        if clients is None:
            self._clients[namespace], self._by_eio_sid[namespace] = {sid: client}, {eio_sid: client}
            return
        connections = self._by_eio_sid[namespace]
        if sid in clients:
            self._take_out(clients[sid])
        if eio_sid in connections:
            self._take_out(connections[eio_sid])
        clients[sid] = connections[eio_sid] = client

    def remove(self, namespace: str, sid: str) -> None:
        """Remove a client from every room and from *namespace*; an unknown one is ignored."""
        client = self.get(namespace, sid)
        if client is None:
            return
        self._take_out(client)
        if not self._clients[namespace]:
            del self._clients[namespace], self._by_eio_sid[namespace]

    def _take_out(self, client: Client) -> None:
        """Remove a client from every room and from its namespace, which stays even if it is empty."""
        namespace, sid = client.namespace, client.sid
        rooms, client.rooms = client.rooms, None
        for room in rooms or ():
            self._drop(namespace, room, sid)
        del self._clients[namespace][sid], self._by_eio_sid[namespace][client.connection.eio_sid]

    def enter(self, namespace: str, sid: str, room: Hashable) -> None:
        """Put a client, which must be in *namespace*, into *room*."""
        client = self._clients[namespace][sid]
        rooms = self._rooms.setdefault(namespace, {})
        rooms.setdefault(room, {})[sid] = client
        if client.rooms is None:
            client.rooms = {}
        client.rooms.setdefault(room, None)

    def leave(self, namespace: str, sid: str, room: Hashable) -> None:
        """Take a client out of *room*; a client that is not in it is ignored."""
        client = self.get(namespace, sid)
        if client is None or client.rooms is None or room not in client.rooms:
            return
        del client.rooms[room]
        if not client.rooms:
            client.rooms = None
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

    def get(self, namespace: str, sid: Hashable) -> Client | None:
        """Return the client with *sid* in *namespace*, or None."""
        # A value that is not a string is not in the table.
        client: Client | None = self._clients.get(namespace, _NOBODY).get(sid)  # pyright: ignore[reportArgumentType]
        return client

    def has(self, namespace: str, sid: Hashable) -> bool:
        """Whether *sid* is a client of *namespace*."""
        return sid in self._clients.get(namespace, _NOBODY)

    def namespaces(self) -> Iterable[str]:
        """Return the names of the namespaces that have clients."""
        return self._clients.keys()

    def rooms_of(self, namespace: str, sid: str) -> list[Any]:
        """Return the names of the rooms of a client, its own sid first; none for an unknown client."""
        client = self.get(namespace, sid)
        return [] if client is None else [sid, *(client.rooms or ())]

    def is_in(self, namespace: str, sid: str, room: Hashable) -> bool:
        """Whether a client entered *room*."""
        client = self.get(namespace, sid)
        return client is not None and client.rooms is not None and room in client.rooms

    def sid_of(self, namespace: str, eio_sid: str) -> str | None:
        """Return the sid that an Engine.IO connection has in *namespace*."""
        client = self._by_eio_sid.get(namespace, _NOBODY).get(eio_sid)
        return None if client is None else client.sid

    def eio_sid_of(self, namespace: str, sid: str) -> str | None:
        """Return the Engine.IO sid of the connection that the client *sid* belongs to."""
        client = self.get(namespace, sid)
        return None if client is None else client.eio_sid

    def members(self, namespace: str, room: Hashable) -> Members:
        """Return sid -> client of all clients in *room*; None is the whole namespace. Not a copy."""
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
        Return the clients, by sid, in any of *rooms*, each once, without those in *skip*.

        ``(None,)`` is all clients, an empty list no client. Not a copy if there is one room and *skip* is empty.
        """
        tables = [self.members(namespace, room) for room in rooms]
        found = tables[0] if len(tables) == 1 else dict(chain.from_iterable(table.items() for table in tables))
        if skip and found:
            found = {sid: client for sid, client in found.items() if sid not in skip}
        return found

    def view(self) -> RoomsView:
        """Return the table in the form of python-socketio's ``manager.rooms``, read-only."""
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


class NamespaceView(Mapping[Any, Mapping[str, str]]):
    """Room -> {sid: eio_sid} of one namespace, sid rooms and the room None included, read-only."""

    def __init__(self, table: RoomTable, namespace: str) -> None:
        self._table = table
        self._namespace = namespace

    def __getitem__(self, room: Any) -> Mapping[str, str]:
        members = self._table.members(self._namespace, room)
        if not members:
            raise KeyError(room)
        return {sid: client.eio_sid for sid, client in members.items()}

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
