"""
The client manager that runs Socket.IO rooms over a channel layer.

A room is a group of the layer, so consumers in the group and Socket.IO clients in the room get the same broadcasts, in
every process. The messages of servers are those of :mod:`fastsio.cluster`; this module decides to which groups and
channels they go, and :mod:`room_groups` keeps the process in the groups of its clients' rooms.

**Once each.** A message for several groups is sent to each, with an id: a process in two of them handles it once.

**Clients.** A sid is the name of a channel, like that of a consumer: a message to it reaches that client or consumer
directly, in any process. A message about a room reaches the consumers in its group too.
"""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.aio.backends.room_following import RoomFollowingManager
from fastsio.cluster.messages import ANSWERS
from fastsio.cluster.payloads import unpack_event
from fastsio.cluster.relay import Recent
from fastsio.layers.frames import ORDER, TEXT, event_of, fault_of, frame_of
from fastsio.layers.names import node_of
from fastsio.layers.registry import get_channel_layer
from fastsio.layers.room_groups import RoomGroups, address_of
from fastsio.protocol import DEFAULT_CODEC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterable, Iterator

    from fastsio.aio.bus import BusSubscriber
    from fastsio.cluster.messages import AskMembers, TellMembers
    from fastsio.layers.base import BaseChannelLayer

    Arrived = tuple[str | None, dict[str, Any]]

#: How many messages may wait for this process. Beyond that they are dropped, and the layer logs it.
CAPACITY: Final = 10_000
#: How many ids of messages to several rooms are remembered, so that none is handled twice.
REMEMBERED: Final = 1_000
_ID_BYTES: Final = 12
#: The methods of messages about a room, rather than about a client.
_OF_ROOMS: Final = ("emit", "close_room", "room_members", "recheck")
#: The methods of messages that a consumer gets once, or may handle twice without harm.
_NEEDS_NO_ID: Final = ("emit", "close_room", "enter_room", "leave_room", "disconnect")
#: How an event with a single None is packed: as binary without attachments.
_NULL: Final = [[None]]


class LayerManager(RoomFollowingManager):
    """
    Connects servers, and consumers of raw WebSockets, over a channel layer.

    ``emit(room=R)`` is one message to one group: it reaches the Socket.IO clients in the room and the consumers in the
    group of that name, in all processes, each once. A process without a member gets nothing. The client of a consumer
    gets an event as the frame ``{"action": event, "payload": data}``; Socket.IO clients get a consumer's broadcast as
    the event ``action`` with the payload as its data. Attachments reach Socket.IO clients only.

    A consumer's ``channel_name`` can be used as a sid: in ``to=`` and ``skip_sid=``, for ``enter_room()``,
    ``leave_room()`` and ``disconnect()``. And a sid can be used as the name of a channel: a message that a program
    sends to it over the layer, ``{"type": "job.done", ...}``, is an event for its client.

    While the layer does not answer, clients can connect and enter rooms, but get only the messages of their own server;
    emitting to other processes raises :class:`BusError`. When the layer answers again, they get all messages.

    Args:
        alias: The alias of the layer. It is looked up when a client connects and for each message, so that a test may
            put another layer in its place.
        write_only: Whether this process only emits and has no clients of its own.
        discriminator: The key of a frame that names the event.
        options: The options of :class:`fastsio.AsyncPubSubManager`.
    """

    name: ClassVar[str] = "layer"

    def __init__(self, alias: str, write_only: bool = False, *, discriminator: str = "action", **options: Any) -> None:
        super().__init__(channel=alias, write_only=write_only, **options)
        self._discriminator = discriminator
        #: The messages that wait to be handled; None stands for messages that were lost.
        self._arrived: asyncio.Queue[Arrived | None] = asyncio.Queue()
        self._is_gap_last = False
        self._room_groups: RoomGroups | None = None
        self._recent = Recent(REMEMBERED)
        #: The ids of this server before it had its channel, by which it recognises messages of its own.
        self._former_names: set[str] = set()

    @property
    def layer(self) -> BaseChannelLayer:
        """The layer; LayerNotFoundError if none is registered under the alias."""
        return get_channel_layer(self.channel)

    @property
    def groups(self) -> set[str]:
        """The groups that this server is in."""
        return set() if self._room_groups is None else self._room_groups.groups

    # Membership: this process is in a group while a client of it is in the room

    async def pre_connect(self, eio_sid: str, namespace: str) -> str:
        """Add a client whose connect handler is about to run; return its sid."""
        await self._current_groups().learn_name()
        sid = await super().pre_connect(eio_sid, namespace)
        await self._follow(namespace, None, sid)
        return sid

    def _make_sid(self) -> str:
        return self._current_groups().name_client(super()._make_sid())

    async def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room; after the return it gets broadcasts of other processes, if the layer answers.

        Args:
            sid: The client, or the ``channel_name`` of a consumer.
            namespace: The namespace.
            room: The room.
            eio_sid: Not used.

        Raises:
            ValueError: The room is named like another client's sid, or the client is in ``max_rooms`` rooms already.
            BusError: The client is on another node, and the broker did not accept the message.
        """
        await super().enter_room(sid, namespace, room, eio_sid)
        await self._follow(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Start listening to messages of other servers about a room that a client is about to join."""
        await self._follow(namespace, room)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Remove a client with its rooms and its callbacks."""
        super().basic_disconnect(sid, namespace, **kwargs)
        self._tell_of(namespace, None)

    def abandon_rooms(self, namespace: str, rooms: Iterable[Hashable]) -> None:
        """Leave the groups of the rooms of a client that will not come back, unless others are in the rooms."""
        super().abandon_rooms(namespace, (None, *rooms))

    async def _follow(self, namespace: str, *rooms: Hashable) -> None:
        """Join or leave the groups of rooms, and wait until that is done or the layer has taken too long."""
        if not self.write_only:
            groups_here = self._current_groups()
            changes = [
                groups_here.update((namespace, room), has_members=self._concerns_us(namespace, room)) for room in rooms
            ]
            await groups_here.apply(group for group in changes if group is not None)

    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        groups_here = self._room_groups
        if groups_here is not None and not self.is_stopping:
            group = groups_here.update((namespace, room), has_members=has_members)
            if group is not None:
                groups_here.start_change(group)

    def _current_groups(self) -> RoomGroups:
        """Return the groups of this server on the layer that is registered now, and on the running loop."""
        layer, former = self.layer, self._room_groups
        loop = asyncio.get_running_loop()
        if former is not None and former.layer is layer and former.loop is loop:
            return former
        self._arrived, self._is_gap_last = asyncio.Queue(), False
        groups_here = self._room_groups = RoomGroups(
            layer, self._enqueue, self._mark_gap, self._get_logger(), self.publish_timeout
        )
        if former is not None:
            self._move_rooms(former, groups_here)
        return groups_here

    def _move_rooms(self, former: RoomGroups, groups_here: RoomGroups) -> None:
        """Join the groups of the same rooms on another layer or loop; tests replace the layer of *former*."""
        for namespace in list(self.get_namespaces()):
            for room in (None, *self.rooms[namespace]):
                self._tell_of(namespace, room)
        former.stop_watching()
        subscriber, self._subscriber = self._subscriber, self._new_subscriber()
        self._start_listening()
        if former.loop is groups_here.loop:
            self.server.start_background_task(self._stop_listening, subscriber, former)

    @staticmethod
    async def _stop_listening(subscriber: BusSubscriber, groups_here: RoomGroups) -> None:
        await subscriber.stop()
        await groups_here.close()

    # Listening

    def _enqueue(self, group: str | None, message: dict[str, Any]) -> bool:
        """Add a message to the queue of :meth:`_listen`; return False if it is full, and the message is lost."""
        if self._arrived.qsize() >= CAPACITY:
            self._mark_gap()
            return False
        self._arrived.put_nowait((group, message))
        self._is_gap_last = False
        return True

    def _mark_gap(self) -> None:
        """Add to the queue of :meth:`_listen` that messages were lost after those that are in it."""
        if not self._is_gap_last:
            self._is_gap_last = True
            self._arrived.put_nowait(None)

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of other servers, and of consumers, to rooms of this server."""
        groups_here, arrived = self._current_groups(), self._arrived
        channel = await groups_here.open_channel()
        self._former_names.add(self.host_id)
        self.host_id = channel
        self._on_listening()
        try:
            while True:
                found = await arrived.get()
                if found is None:
                    self._forget_kept()
                    continue
                group, message = found
                fault = fault_of(message)
                if fault is not None:
                    self._get_logger().warning("%s: message in %r dropped: %s", self.name, group or channel, fault)
                    continue
                for decoded in self._cluster_messages(groups_here, group, message):
                    yield decoded
        finally:
            await groups_here.close_channel(channel)

    async def _listen_for_answers(self) -> None:
        await super()._listen_for_answers()
        if not self.write_only and not self.listening:
            await self._subscriber.wait(self.publish_timeout)

    def _cluster_messages(
        self, groups_here: RoomGroups, group: str | None, message: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Convert a message of the layer to messages of the cluster; yield none if it was handled before."""
        order = message.get("socketio") if message.get("type") in (TEXT, ORDER) else None
        if order is not None:
            host_id = order.get("host_id")
            is_ours = isinstance(host_id, str) and host_id in self._former_names
            if not is_ours and not self._recent.is_known(message.get("id")):
                yield order
            return
        found = event_of(message, self._discriminator, DEFAULT_CODEC.loads)
        if found is None or group is None:
            return
        groups, exclude = [group], None
        if message.get("type") == TEXT:
            if self._recent.is_known(message.get("id")):
                return
            groups, exclude = message.get("groups") or groups, message.get("exclude")
        yield from _broadcast(*found, exclude, (place for each in groups for place in groups_here.rooms.get(each, ())))

    # Sending

    async def publish_members(self, message: AskMembers | TellMembers) -> None:
        """Publish a question for a room's members, or an answer; raise BusError if the broker did not accept it."""
        await self._tell_others(message)

    async def _let_guests_read(self, namespace: str, rooms: tuple[Any, ...]) -> None:
        """Wait while clients of consumers in this process have much to read."""
        await self.layer.let_read([address_of(namespace, room) for room in rooms])

    async def _publish(self, data: dict[str, Any]) -> None:
        """Send a message about a room to its group, and one for a server or a client to its channel."""
        layer = self.layer
        if data["method"] in ANSWERS:
            await layer.send(data["host_id"], {"type": ORDER, "socketio": data}, wait=False)
            return
        target = data["room"] if data["method"] in _OF_ROOMS else data["sid"]
        rooms = target if isinstance(target, list) else [target]
        addresses = dict.fromkeys(address_of(data["namespace"], room) for room in rooms)
        message = self._message(data)
        if len(addresses) > 1 or data["method"] not in _NEEDS_NO_ID:
            message["id"] = token_hex(_ID_BYTES)
        await asyncio.gather(*(_send(layer, address, message) for address in addresses))

    def _message(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the message for the layer: the cluster's message, with a frame for consumers if it is a text event."""
        if data["method"] != "emit":
            return {"type": ORDER, "socketio": data}
        if data["binary"] and data["data"] != _NULL:
            return {"type": ORDER, "socketio": data}
        exclude = {} if data["skip_sid"] is None else {"exclude": data["skip_sid"]}
        arguments = unpack_event(data["data"], binary=data["binary"])
        frame = DEFAULT_CODEC.dumps(frame_of(data["event"], arguments, self._discriminator))
        return {"type": TEXT, "text": frame, "socketio": data, **exclude}

    # Shutdown

    async def shutdown(self) -> None:
        """Leave the layer; it is not closed, because others may use it."""
        await super().shutdown()
        groups_here, self._room_groups = self._room_groups, None
        if groups_here is not None:
            await groups_here.close()


async def _send(layer: BaseChannelLayer, address: str, message: dict[str, Any]) -> None:
    await (layer.group_send if node_of(address) is None else layer.send)(address, message, wait=False)


def _broadcast(event: str, data: Any, exclude: Any, places: Iterable[tuple[str, Hashable]]) -> Iterator[dict[str, Any]]:
    """Yield a consumer's broadcast as messages of the cluster: one event for each namespace."""
    found: dict[str, list[Hashable]] = {}
    for namespace, room in places:
        found.setdefault(namespace, []).append(room)
    for namespace, rooms in found.items():
        message = {"method": "emit", "event": event, "data": [data], "binary": False, "host_id": ""}
        yield {**message, "namespace": namespace, "room": rooms, "skip_sid": exclude}
