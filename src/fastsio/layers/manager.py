"""
The client manager that runs Socket.IO rooms over a channel layer.

A room is a group of the layer, so consumers in the group and Socket.IO clients in the room get the same broadcasts, in
every process. What servers say to each other is that of :mod:`fastsio.cluster`; this module says where it goes, and
:mod:`following` keeps the process in the groups of its clients' rooms.

**Once each.** What is for several groups is one message in each, with an id: a process in two of them handles it once.

**Clients.** A sid is the name of a channel, as consumers have one: a message to it reaches that client or consumer
directly, in whichever process it is. What is said of a room reaches the consumers in its group too.
"""

from __future__ import annotations

import asyncio
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.aio.backends.room_following import RoomFollowingManager
from fastsio.cluster.messages import ANSWERS
from fastsio.cluster.payloads import unpack_event
from fastsio.cluster.relay import Recent
from fastsio.layers.following import Following, address_of
from fastsio.layers.frames import ORDER, TEXT, event_of, fault_of, frame_of
from fastsio.layers.names import node_of
from fastsio.layers.registry import get_channel_layer
from fastsio.protocol import DEFAULT_CODEC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterable, Iterator

    from fastsio.aio.bus import BusSubscriber
    from fastsio.cluster.messages import AskMembers, TellMembers
    from fastsio.layers.base import BaseChannelLayer

    Heard = tuple[str | None, dict[str, Any]]

#: More messages at once than a process keeps up with are dropped, and logged by the layer.
CAPACITY: Final = 10_000
#: How many messages to several rooms are remembered, so that none is taken twice.
REMEMBERED: Final = 1_000
_ID_BYTES: Final = 12
#: What is said of a room, rather than of a client.
_OF_ROOMS: Final = ("emit", "close_room", "room_members", "recheck")
#: What reaches a consumer once, or may reach it twice without harm.
_NEEDS_NO_ID: Final = ("emit", "close_room", "enter_room", "leave_room", "disconnect")
#: How an event with a single None is packed: as binary without attachments.
_NULL: Final = [[None]]


class LayerManager(RoomFollowingManager):
    """
    Connects servers, and consumers of raw WebSockets, over a channel layer.

    ``emit(room=R)`` is one message to one group: it reaches the Socket.IO clients in the room and the consumers in the
    group of that name, whichever process has them, each once. A process without a member gets nothing. To a consumer's
    client an event is the frame ``{"action": event, "payload": data}``; a consumer's broadcast is the event
    ``action`` with the payload as its data. Attachments reach Socket.IO clients only.

    A consumer's ``channel_name`` stands where a sid does: in ``to=`` and ``skip_sid=``, for ``enter_room()``,
    ``leave_room()`` and ``disconnect()``. And a sid stands where a channel's name does: what a program sends to it over
    the layer, ``{"type": "job.done", ...}``, is an event for its client.

    While the layer is away clients connect and enter rooms all the same, but hear their own server only; what is
    emitted to others raises :class:`BusError`. Once it is back they hear the others again.

    Args:
        alias: Of the layer. It is looked up when a client connects and for each message, so that a test may put
            another layer in its place.
        write_only: Whether this process only emits and has no clients of its own.
        discriminator: The member of a frame that names the event.
        options: As :class:`fastsio.AsyncPubSubManager` has them.
    """

    name: ClassVar[str] = "layer"

    def __init__(self, alias: str, write_only: bool = False, *, discriminator: str = "action", **options: Any) -> None:
        super().__init__(channel=alias, write_only=write_only, **options)
        self._discriminator = discriminator
        self._heard: asyncio.Queue[Heard] = asyncio.Queue(CAPACITY)
        self._following: Following | None = None
        self._recent = Recent(REMEMBERED)
        #: What this server was called before it had a channel; what it said then comes back too.
        self._former_names: set[str] = set()

    @property
    def layer(self) -> BaseChannelLayer:
        """
        The layer.

        Raises:
            LayerNotFoundError: None is registered under the alias.
        """
        return get_channel_layer(self.channel)

    @property
    def groups(self) -> set[str]:
        """The groups that this server is in."""
        return set() if self._following is None else self._following.groups

    # Membership: this process is in a group while a client of it is in the room

    async def pre_connect(self, eio_sid: str, namespace: str) -> str:
        """Add a client whose connect handler is about to run; return its sid."""
        await self._here().settle()
        sid = await super().pre_connect(eio_sid, namespace)
        await self._follow(namespace, None, sid)
        return sid

    def _make_sid(self) -> str:
        return self._here().name_client(super()._make_sid())

    async def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room; once this returns, broadcasts of other processes reach it, unless the layer is away.

        Args:
            sid: The client, or the ``channel_name`` of a consumer.
            namespace: The namespace.
            room: The room.
            eio_sid: Not used.

        Raises:
            ValueError: The room is another client's own, or the client is in too many.
            BusError: The client is another server's, and the broker did not take the message.
        """
        await super().enter_room(sid, namespace, room, eio_sid)
        await self._follow(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Hear from now on what other servers say of a room that a client may be let into."""
        await self._follow(namespace, room)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Forget a client: its rooms, its callbacks, what was held for it."""
        super().basic_disconnect(sid, namespace, **kwargs)
        self._tell_of(namespace, None)

    async def _follow(self, namespace: str, *rooms: Hashable) -> None:
        """Follow rooms, and wait until that is done or the layer has taken too long."""
        if not self.write_only:
            here = self._here()
            noted = [here.note((namespace, room), has_members=self._concerns_us(namespace, room)) for room in rooms]
            await here.follow(group for group in noted if group is not None)

    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        following = self._following
        if following is not None and not self.is_stopping:
            group = following.note((namespace, room), has_members=has_members)
            if group is not None:
                following.start(group)

    def _here(self) -> Following:
        """Return the groups of this server on the layer, and the loop, of the moment."""
        layer, before = self.layer, self._following
        loop = asyncio.get_running_loop()
        if before is not None and before.layer is layer and before.loop is loop:
            return before
        self._heard = asyncio.Queue(CAPACITY)
        following = self._following = Following(layer, self._hear, self._get_logger(), self.publish_timeout)
        if before is not None:
            self._move(before, following)
        return following

    def _move(self, before: Following, following: Following) -> None:
        """Follow the same rooms on the layer, or in the loop, that a test has put in place of the one before."""
        for namespace in list(self.get_namespaces()):
            for room in (None, *self.rooms[namespace]):
                self._tell_of(namespace, room)
        subscriber, self._subscriber = self._subscriber, self._new_subscriber()
        self._start_listening()
        if before.loop is following.loop:
            self.server.start_background_task(self._end, subscriber, before)

    @staticmethod
    async def _end(subscriber: BusSubscriber, following: Following) -> None:
        await subscriber.stop()
        await following.close()

    # Hearing

    def _hear(self, group: str | None, message: dict[str, Any]) -> bool:
        """Keep a message until it is taken from the bus; False when too many wait."""
        try:
            self._heard.put_nowait((group, message))
        except asyncio.QueueFull:
            return False
        return True

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what other servers, and consumers, have sent to rooms of this server."""
        following, heard = self._here(), self._heard
        channel = await following.open_channel()
        self._former_names.add(self.host_id)
        self.host_id = channel
        self._on_listening()
        try:
            while True:
                group, message = await heard.get()
                fault = fault_of(message)
                if fault is not None:
                    self._get_logger().warning("%s: message in %r dropped: %s", self.name, group or channel, fault)
                    continue
                for meaning in self._meanings(following, group, message):
                    yield meaning
        finally:
            await following.close_channel(channel)

    async def _listen_for_answers(self) -> None:
        await super()._listen_for_answers()
        if not self.write_only and not self.listening:
            await self._subscriber.wait(self.publish_timeout)

    def _meanings(self, following: Following, group: str | None, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what a message of the layer is in the words of the cluster: nothing, if it is nothing, or known."""
        said = message.get("socketio") if message.get("type") in (TEXT, ORDER) else None
        if said is not None:
            host_id = said.get("host_id")
            is_ours = isinstance(host_id, str) and host_id in self._former_names
            if not is_ours and not self._recent.is_known(message.get("id")):
                yield said
            return
        found = event_of(message, self._discriminator, DEFAULT_CODEC.loads)
        if found is None or group is None:
            return
        groups, exclude = [group], None
        if message.get("type") == TEXT:
            if self._recent.is_known(message.get("id")):
                return
            groups, exclude = message.get("groups") or groups, message.get("exclude")
        yield from _broadcast(*found, exclude, (place for each in groups for place in following.rooms.get(each, ())))

    # Saying

    async def tell(self, message: AskMembers | TellMembers) -> None:
        """
        Ask all servers, and all consumers, who is in a room, or answer who asked.

        Raises:
            BusError: The broker did not take the message.
        """
        await self._tell_others(message)

    async def _let_guests_read(self, namespace: str, rooms: tuple[Any, ...]) -> None:
        """Wait while clients of consumers in this process are behind and read."""
        await self.layer.let_read([address_of(namespace, room) for room in rooms])

    async def _publish(self, data: dict[str, Any]) -> None:
        """Send what concerns a room to its group, and what concerns a server or a consumer to its channel."""
        layer = self.layer
        if data["method"] in ANSWERS:
            await layer.send(data["host_id"], {"type": ORDER, "socketio": data}, wait=False)
            return
        whom = data["room"] if data["method"] in _OF_ROOMS else data["sid"]
        rooms = whom if isinstance(whom, list) else [whom]
        addresses = dict.fromkeys(address_of(data["namespace"], room) for room in rooms)
        message = self._message(data)
        if len(addresses) > 1 or data["method"] not in _NEEDS_NO_ID:
            message["id"] = token_hex(_ID_BYTES)
        await asyncio.gather(*(_send(layer, address, message) for address in addresses))

    def _message(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what travels: the words of the cluster, and a frame for consumers if there can be one."""
        if data["method"] != "emit":
            return {"type": ORDER, "socketio": data}
        if data["binary"] and data["data"] != _NULL:
            return {"type": ORDER, "socketio": data}
        exclude = {} if data["skip_sid"] is None else {"exclude": data["skip_sid"]}
        arguments = unpack_event(data["data"], binary=data["binary"])
        frame = DEFAULT_CODEC.dumps(frame_of(data["event"], arguments, self._discriminator))
        return {"type": TEXT, "text": frame, "socketio": data, **exclude}

    # Life

    async def shutdown(self) -> None:
        """Leave the layer; it is not closed, for others may use it."""
        await super().shutdown()
        following, self._following = self._following, None
        if following is not None:
            await following.close()


async def _send(layer: BaseChannelLayer, address: str, message: dict[str, Any]) -> None:
    await (layer.group_send if node_of(address) is None else layer.send)(address, message, wait=False)


def _broadcast(event: str, data: Any, exclude: Any, places: Iterable[tuple[str, Hashable]]) -> Iterator[dict[str, Any]]:
    """Yield what a consumer's broadcast is in the words of the cluster: an event for each namespace."""
    found: dict[str, list[Hashable]] = {}
    for namespace, room in places:
        found.setdefault(namespace, []).append(room)
    for namespace, rooms in found.items():
        message = {"method": "emit", "event": event, "data": [data], "binary": False, "host_id": ""}
        yield {**message, "namespace": namespace, "room": rooms, "skip_sid": exclude}
