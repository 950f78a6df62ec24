"""
Room classes for consumers: ``subscribe`` and ``unsubscribe``, with the same hooks as a join in Socket.IO.

The room keeper of servers decides which clients may enter, runs the hooks and tells members. For it,
:class:`ConsumerRooms` has the interface of a server: its clients are the consumers of one class, and its rooms are
groups of their channel layer.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from copy import deepcopy
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, cast

from fastsio.aio.rooms import RoomKeeper
from fastsio.base.history import SINCE
from fastsio.base.rooms import IDENTIFY, hooks_of
from fastsio.cluster.messages import AskMembers, TellMembers, read
from fastsio.cluster.payloads import MessageError
from fastsio.cluster.relay import Recent
from fastsio.consumers.camel import from_wire, merged_keys
from fastsio.consumers.decorators import HandlerMark, Origin, mark
from fastsio.consumers.frames import shown, with_offset
from fastsio.consumers.types import logger
from fastsio.exceptions import BusError, EventError, SetupError
from fastsio.injection import Context
from fastsio.injection.signature import Unresolved, names_of_caller, read_parameters
from fastsio.layers import get_channel_layer
from fastsio.layers.frames import TEXT, fault_of
from fastsio.layers.manager import LayerManager
from fastsio.layers.room_groups import PREFIX, RoomGroups, group_of
from fastsio.messages import (
    SUBSCRIBED,
    UNSUBSCRIBED,
    SubscribedMessage,
    SubscribeMessage,
    UnsubscribedMessage,
    UnsubscribeMessage,
    with_discriminator,
)
from fastsio.protocol import NamespaceState
from fastsio.routing import check_rooms
from fastsio.state.history import Since
from fastsio.state.room_names import key_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from fastsio.base.history import Arrival, Histories
    from fastsio.base.rooms import Room, RoomHooks
    from fastsio.consumers.camel import Keys
    from fastsio.consumers.connection import Peer
    from fastsio.messages import BaseMessage, RoomRequest
    from fastsio.state.history import KeptEvent

#: How many ids of messages to all consumers of a room are remembered, so that each class handles a message once.
REMEMBERED: Final = 100


class _RoomConsumer(Protocol):
    """The attributes and methods of a consumer that its rooms use."""

    rooms: ClassVar[Sequence[type[Room]]]
    room_namespace: ClassVar[str]
    max_rooms: ClassVar[int | None]
    channel_layer_alias: ClassVar[str | None]
    discriminator_field: ClassVar[str]
    camelize: ClassVar[bool]
    dependency_overrides: ClassVar[dict[Any, Any]]
    channel_name: str

    @property
    def peer(self) -> Peer: ...
    async def send_control(self, action: str, payload: Any) -> None: ...
    async def pass_on(self, message: dict[str, Any]) -> None: ...
    def put_message(self, message: dict[str, Any]) -> None: ...
    async def join_group(self, group: str) -> None: ...
    async def leave_group(self, group: str) -> None: ...


class ConsumerRooms:
    """The rooms of one consumer class; for its :class:`RoomKeeper` it is both the server and the manager."""

    def __init__(self, consumer_class: type[_RoomConsumer]) -> None:
        alias, self._class = consumer_class.channel_layer_alias, consumer_class
        name = consumer_class.__qualname__
        if alias is None:
            raise SetupError(f"{name} has rooms, but no channel layer; set channel_layer_alias to the alias of one")
        self._alias = alias
        self._hooks = {
            hooks.room_class.key: hooks
            for hooks in (hooks_of(room, asynchronous=True) for room in check_rooms(consumer_class.rooms))
        }
        self._bus = LayerManager(alias, write_only=True, discriminator=consumer_class.discriminator_field)
        self._members = _Members()
        self._known_orders = Recent(REMEMBERED)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._room_groups: RoomGroups | None = None
        self.histories: Histories | None = None
        self.history_epoch: str | None = None
        #: Namespace, room and sid of the consumers that are sent what they have missed, and which call does so.
        self._catching_up: dict[tuple[str, Hashable, str], object] = {}
        self.lock = nullcontext()
        self.logger = logger
        self.not_handled = object()
        self.manager = self
        self.keeper = self.room_keeper = RoomKeeper(self, self._start_task, self._close_context)
        self._guards = {
            event: guard for hooks in self._hooks.values() for event, guard in self.keeper.guards(hooks).items()
        }
        for hooks in self._hooks.values():
            self.keeper.keep_history(consumer_class.room_namespace, hooks)
        self._keys = {key: _keys_of(hooks) for key, hooks in self._hooks.items()} if consumer_class.camelize else {}

    # Requests of clients

    async def subscribe(self, consumer: _RoomConsumer, request: RoomRequest) -> None:
        """Let a client join a room, and confirm it after ``on_join``; raise EventError if it may not."""
        hooks = self._hooks_for(request)
        await self._run_hooks(consumer, hooks, hooks.join_event, request, SUBSCRIBED)

    async def unsubscribe(self, consumer: _RoomConsumer, request: RoomRequest) -> None:
        """Let a client leave a room and confirm it; raise EventError if there is no such room."""
        hooks = self._hooks_for(request)
        await self._run_hooks(consumer, hooks, hooks.leave_event, request, UNSUBSCRIBED)

    async def enter(self, consumer: _RoomConsumer, room: Room) -> None:
        """Put a client into a room for the application, without calling ``can_join``."""
        self._members.add(consumer)
        await self.keeper.enter(room.on(self, consumer.room_namespace), consumer.channel_name, None)

    async def leave(self, consumer: _RoomConsumer, room: Room) -> None:
        """Take a client out of a room for the application."""
        await self.keeper.leave(room.on(self, consumer.room_namespace), consumer.channel_name)

    async def joined(self, hooks: RoomHooks, context: Context) -> Room:
        """Return the room that a frame names in its payload; raise RoomAccessError if its client is not in it."""
        (content,) = context.args
        payload = content.get("payload") if isinstance(content, dict) else getattr(content, "payload", None)
        inner = Context(self, context.client, context.event, (payload,))
        try:
            return await self.keeper.joined(hooks, inner)
        finally:
            await self._close_context(inner, None)

    def _hooks_for(self, request: RoomRequest) -> RoomHooks:
        try:
            return self._hooks[request.room]
        except KeyError:
            known = ", ".join(map(repr, self._hooks))
            raise EventError("not_found", f"There is no room {shown(request.room)} here; there is {known}.") from None

    async def _run_hooks(
        self,
        consumer: _RoomConsumer,
        hooks: RoomHooks,
        event: str,
        request: RoomRequest,
        confirmation: str,
    ) -> None:
        data = from_wire(request.data, self._keys.get(request.room))
        context = Context(self, consumer.peer, event, () if data is None else (data,))
        if SINCE in request.model_fields_set:
            context.values[SINCE] = Since(request.since or "", request.epoch)
        self._members.add(consumer)
        failure: BaseException | None = None
        try:
            answer = await self.keeper.decide(self._guards[event], context)
            if answer is not self.not_handled:
                await consumer.send_control(confirmation, answer)
        except BaseException as error:
            failure = error
            raise
        finally:
            await self._close_context(context, failure)

    # Called by the connection

    async def handle_server_message(self, consumer: _RoomConsumer, order: dict[str, Any], order_id: Any) -> bool:
        """Carry out a server's message about a room; return True if the consumer has nothing more to do."""
        match order:
            case {"method": "enter_room", "namespace": str(namespace), "room": room}:
                if not self._has_history(namespace, room):
                    return False
                self._members.add(consumer)
                await self._enter_with_history(consumer, namespace, room)
            case {"method": "leave_room" | "close_room", "namespace": str(namespace), "room": room}:
                self._leave(namespace, room, consumer.channel_name)
                self.keeper.remove_members(namespace, room, [consumer.channel_name])
            case {"method": "recheck", "host_id": host_id} if host_id == self._bus.host_id:
                pass  # this process sent the message, after it had done what it says
            case {"method": "recheck", "namespace": str(namespace), "room": room}:
                self._recheck(namespace, room, order_id)
            case _:
                return False
        return self._has_history(order.get("namespace"), order.get("room"))

    def answer_at_once(self, order: dict[str, Any], order_id: Any) -> bool:
        """Start answering, once for all consumers, which of them are in a room; return False for any other message."""
        if order["method"] != "room_members":
            return False
        if not self._known_orders.is_known(order_id):
            self._start_task(self._answer_question, order)
        return True

    def allows(self, consumer: _RoomConsumer, order: dict[str, Any]) -> bool:
        """Whether a consumer carries out a message: the room of a class cannot be entered by its name as plain text."""
        match order:
            case {"method": "enter_room", "of_class": True}:
                return True
            case {"method": "enter_room", "namespace": consumer.room_namespace, "room": str(room)}:
                return key_of_name(room) not in self._hooks
        return True

    async def remove_client(self, consumer: _RoomConsumer) -> None:
        """Remove a client that has left; ``on_leave`` is called for each of its rooms."""
        consumer.peer.state = NamespaceState.LEFT
        for namespace, room in self._members.remove(consumer.channel_name):
            if self._has_history(namespace, room):
                self._follow_if_needed(namespace, room)
        await self.keeper.client_left(cast("Any", consumer.peer))  # of a client it needs what a peer has

    async def _answer_question(self, order: dict[str, Any]) -> None:
        try:
            question = cast("AskMembers", read(order))  # its method says so
        except MessageError as error:
            self.logger.warning("%s: message dropped: %s", self._class.__qualname__, error)
        else:
            await self._send_members(question)

    async def _send_members(self, question: AskMembers) -> None:
        """Send the members of a room, of this class, to the server that has asked."""
        members = tuple(
            (member.sid, member.user) for member in self.keeper.members_here(question.namespace, question.room)
        )
        try:
            await self._bus.publish_members(TellMembers(question.host_id, question.question, members))
        except BusError as error:
            self.logger.warning("%s: a question could not be answered: %s", self._class.__qualname__, error)

    # The interface of a server, for the keeper

    @property
    def dependency_overrides(self) -> dict[Any, Any]:
        """Dependency -> the function that is called in its place, for tests."""
        return self._class.dependency_overrides

    @property
    def host_app(self) -> None:
        """None: each consumer has its own FastAPI application."""

    @property
    def __fastsio__(self) -> ConsumerRooms:
        """The object itself, which has the room keeper, for the methods of rooms that hooks get."""
        return self

    async def emit(self, event: str, data: Any = None, *, ignore_queue: bool = False, **options: Any) -> None:
        """Send an event to clients of both kinds, in all processes."""
        if not ignore_queue:  # which is how the keeper confirms; a consumer does so itself
            await self._bus.emit(event, data, **options)

    def rooms(self, sid: str, namespace: str) -> list[Hashable]:
        """Return the rooms a client is in."""
        return self._members.rooms_of(namespace, sid)

    def _start_task(self, target: Any, *args: Any) -> None:
        """Start a task."""
        task = asyncio.ensure_future(target(*args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def client_of(self, sid: str, namespace: str) -> Peer | None:
        """Return the peer of a channel's consumer; None if there is no such consumer in the namespace."""
        consumer = self._members.consumer(sid)
        return None if consumer is None or consumer.peer.namespace != namespace else consumer.peer

    async def _close_context(self, context: Context, failure: BaseException | None) -> None:
        try:
            await context.aclose(failure)
        except Exception as raised:
            if raised is not failure:
                self.logger.exception("%s: error after %s", self._class.__qualname__, context.event)

    # The interface of a manager, for the keeper

    async def enter_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Put a consumer into a room's group; raise KeyError if it has left, ValueError if it is in too many rooms."""
        consumer = self._members.consumer(sid)
        if consumer is None:
            raise KeyError(sid)
        most = self._class.max_rooms
        if most is not None and len(self._members.rooms_of(namespace, sid)) >= most:
            raise ValueError(f"it is in max_rooms={most} rooms already")
        if self._has_history(namespace, room):
            await self._enter_with_history(consumer, namespace, room)
            return
        self._members.enter(namespace, room, sid)
        group = group_of(namespace, room)
        try:
            await consumer.join_group(group)
        except BaseException:
            self._members.leave(namespace, room, sid)
            raise
        if not self._members.is_in(namespace, room, sid):  # it was taken out meanwhile
            await consumer.leave_group(group)

    async def leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client of Socket.IO or of a consumer, on any node, out of a room."""
        consumer = self._members.consumer(sid)
        if consumer is None:
            await self._bus.leave_room(sid, namespace, room)
            return
        self._leave(namespace, room, sid)
        if not self._has_history(namespace, room):
            await consumer.leave_group(group_of(namespace, room))

    async def close_room(self, room: Hashable, namespace: str) -> None:
        """Take all clients, of Socket.IO and of consumers, on all nodes, out of a room."""
        for sid in self._members.sids(namespace, room):
            await self.leave_room(sid, namespace, room)
        await self._bus.close_room(room, namespace)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Start listening to messages of servers about a room that a client is about to join."""
        groups = self._current_groups()
        group = groups.update((namespace, room), has_members=True)
        await groups.apply(() if group is None else (group,))

    def end_join(self, namespace: str, room: Hashable) -> None:
        """Stop listening to messages about a room after a join, unless another one is under way."""
        self._follow_if_needed(namespace, room)

    def _follow_if_needed(self, namespace: str, room: Hashable) -> None:
        """Stop listening to messages about a room that has neither joins under way nor a history with events."""
        groups, histories = self._room_groups, self.histories
        if groups is None or self.keeper.table.is_awaited(namespace, room):
            return
        if histories is not None and self._has_history(namespace, room):
            if self._members.sids(namespace, room) or histories.has_events(namespace, room):
                return
            histories.forget(namespace, room)
        group = groups.update((namespace, room), has_members=False)
        if group is not None:
            groups.start_change(group)

    # Rooms with a history: this object is in their groups, and passes their messages on to the consumers

    def _has_history(self, namespace: Any, room: Any) -> bool:
        """Whether a room has a history."""
        return self.histories is not None and self.histories.keeps_events_of(namespace, room)

    async def _enter_with_history(self, consumer: _RoomConsumer, namespace: str, room: Hashable) -> None:
        """Put a consumer into a room with a history, and send it the events that it has missed."""
        histories, sid, groups = self.histories, consumer.channel_name, self._current_groups()
        if histories is None or self._members.is_in(namespace, room, sid):
            return
        key, turn = (namespace, room, sid), object()
        self._members.enter(namespace, room, sid)
        self._catching_up[key] = turn
        try:
            group = groups.update((namespace, room), has_members=True)
            await groups.apply(() if group is None else (group,))
            missed = histories.enter(namespace, room, sid, monotonic())
            while missed and self._catching_up.get(key) is turn:
                number = histories.newest(namespace, room)
                await _send_all(consumer, missed)
                missed = histories.after(namespace, room, sid, number)
        except BaseException:
            self._leave(namespace, room, sid)
            raise
        finally:
            if self._catching_up.get(key) is turn:
                del self._catching_up[key]

    def _leave(self, namespace: str, room: Hashable, sid: str) -> None:
        self._members.leave(namespace, room, sid)
        self._catching_up.pop((namespace, room, sid), None)
        if self._has_history(namespace, room):
            self._follow_if_needed(namespace, room)

    async def reach(self, since: Since) -> None:
        """Do nothing: no other process numbers the events of these rooms."""

    async def catch_up(self, sid: str, namespace: str, room: str, arrival: Arrival, entered: int | None) -> None:
        """Send the events that it has missed to a consumer that asks to join a room in which it is already."""
        consumer = self._members.consumer(sid)
        if self.histories is not None and consumer is not None:
            await _send_all(consumer, self.histories.reenter(namespace, room, sid, arrival, entered, monotonic()))

    def _pass_to_members(self, namespace: str, room: str, message: dict[str, Any]) -> None:
        """Pass a message to the members of a room with a history; a frame gets its offset and is kept."""
        if message.get("type") == TEXT and fault_of(message) is not None:
            return
        kept = self._keep_event(namespace, room, message) if message.get("type") == TEXT else None
        for sid in self._members.sids(namespace, room):
            consumer = self._members.consumer(sid)
            if consumer is None:
                continue
            if kept is None:
                consumer.put_message(deepcopy(message))
            elif (namespace, room, sid) not in self._catching_up:
                consumer.put_message(kept)

    def _keep_event(self, namespace: str, room: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """Keep a frame in the history; return its message with the offset in it, or None for one that is not kept."""
        histories, order = self.histories, message.get("socketio") or {}
        if histories is None or order.get("callback") is not None:
            return None
        exclude, text = message.get("exclude") or (), message["text"]
        skip = (exclude,) if isinstance(exclude, str) else tuple(exclude)
        logs = histories.logs_for_event(namespace, (room,), order.get("event") or "").get(room)
        if logs is None:
            return None
        text = with_offset(text, room, logs.next_offset(room))
        for silent in logs.append(room, [text], len(text), monotonic(), skip=skip):
            self._follow_if_needed(namespace, silent)
        return {**message, "text": text}

    def _current_groups(self) -> RoomGroups:
        """Return the groups that this object is in, on the present layer and the running loop."""
        layer, former = get_channel_layer(self._alias), self._room_groups
        loop = asyncio.get_running_loop()
        if former is not None and former.layer is layer and former.loop is loop:
            return former
        groups = self._room_groups = RoomGroups(
            layer, self._on_group_message, self._forget_histories, self.logger, self._bus.publish_timeout
        )
        self._forget_histories()
        if former is not None:
            former.stop_watching()
            if former.loop is loop:
                self._start_task(former.close)
        return groups

    def _forget_histories(self) -> None:
        """Drop the kept frames: frames of other processes may be missing among them."""
        if self.histories is not None:
            self.histories.forget_all()

    def _on_group_message(self, group: str | None, message: dict[str, Any]) -> None:
        """Handle a message to a room that clients are about to join, or that has a history."""
        self._handle_for_joins(message)
        if self.histories is not None and self._room_groups is not None and group is not None:
            for namespace, room in tuple(self._room_groups.rooms.get(group, ())):
                if isinstance(room, str) and self._has_history(namespace, room):
                    self._pass_to_members(namespace, room, message)

    def _handle_for_joins(self, message: dict[str, Any]) -> None:
        match message:
            case {"socketio": {"host_id": host_id}} if host_id == self._bus.host_id:
                pass  # this process sent the message, after it had done what it says
            case {"socketio": {"method": "close_room", "namespace": str(namespace), "room": str(room)}}:
                self.keeper.table.cancel_joins(namespace, room)
            case {"socketio": {"method": "recheck", "namespace": str(namespace), "room": str(room)}, "id": order_id}:
                self._recheck(namespace, room, order_id)

    def _recheck(self, namespace: str, room: Hashable, order_id: Any) -> None:
        if not self._known_orders.is_known(order_id):
            self._start_task(self.keeper.recheck_here, namespace, room)

    def get_participants(self, namespace: str, room: Hashable) -> Iterator[tuple[str, str]]:
        """Yield the consumers of this class and process that are in a room."""
        for sid in self._members.sids(namespace, room):
            yield sid, sid

    async def recheck_elsewhere(self, room: Hashable, namespace: str) -> None:
        """Let servers, and consumers of other processes and classes, call ``can_join`` again for a room."""
        await self._bus.recheck_elsewhere(room, namespace)

    async def members_elsewhere(self, room: Hashable, namespace: str, timeout: float) -> list[tuple[str, str | None]]:  # noqa: ASYNC109 - it is the whole duration
        """Ask all servers, and consumers of other processes and classes, for the members of a room."""
        layer = get_channel_layer(self._alias)
        channel = await layer.new_channel(PREFIX)
        found: list[tuple[str, str | None]] = []

        def on_answer(message: dict[str, Any]) -> None:
            found.extend(cast("TellMembers", read(message["socketio"])).members)

        await layer.open_inbox(channel, on_message=on_answer)
        try:
            await self._bus.publish_members(AskMembers(room, namespace, 0, channel))
            await asyncio.sleep(timeout)
        finally:
            await layer.close_inbox(channel)
        here = set(self._members.sids(namespace, room))
        return [member for member in found if member[0] not in here]


def handlers_for(discriminator: str) -> dict[str, Callable[..., Any]]:
    """Return the handlers of ``subscribe`` and ``unsubscribe``, by their names in a consumer class."""

    async def subscribe(consumer: Any, message: Any) -> None:
        """Enter a room, if its hooks allow it."""
        await consumer.room_keeper.subscribe(consumer, message.payload)

    async def unsubscribe(consumer: Any, message: Any) -> None:
        """Leave a room."""
        await consumer.room_keeper.unsubscribe(consumer, message.payload)

    def marked(handler: Callable[..., Any], takes: type[BaseMessage], sends: type[BaseMessage]) -> Callable[..., Any]:
        taken, sent = with_discriminator(discriminator, takes), with_discriminator(discriminator, sends)
        return mark(handler, HandlerMark(Origin.CLIENT, input_type=taken, output_type=sent))

    return {
        "_subscribe": marked(subscribe, SubscribeMessage, SubscribedMessage),
        "_unsubscribe": marked(unsubscribe, UnsubscribeMessage, UnsubscribedMessage),
    }


class _Members:
    """The consumers in each room, and the rooms of each consumer."""

    def __init__(self) -> None:
        self._consumers: dict[str, _RoomConsumer] = {}
        self._joined: dict[str, dict[tuple[str, Hashable], None]] = {}
        self._rooms: dict[tuple[str, Hashable], dict[str, None]] = {}

    def add(self, consumer: _RoomConsumer) -> None:
        """Add a consumer that may enter rooms."""
        self._consumers[consumer.channel_name] = consumer

    def consumer(self, sid: str) -> _RoomConsumer | None:
        """Return a consumer that has asked for a room."""
        return self._consumers.get(sid)

    def enter(self, namespace: str, room: Hashable, sid: str) -> None:
        """Add a consumer to a room."""
        self._rooms.setdefault((namespace, room), {})[sid] = None
        self._joined.setdefault(sid, {})[namespace, room] = None

    def leave(self, namespace: str, room: Hashable, sid: str) -> None:
        """Remove a consumer from a room."""
        self._joined.get(sid, {}).pop((namespace, room), None)
        members = self._rooms.get((namespace, room))
        if members is not None:
            members.pop(sid, None)
            if not members:
                del self._rooms[namespace, room]

    def remove(self, sid: str) -> list[tuple[str, Hashable]]:
        """Remove a consumer that has gone, from all its rooms too; return these."""
        rooms = list(self._joined.get(sid, ()))
        for namespace, room in rooms:
            self.leave(namespace, room, sid)
        self._joined.pop(sid, None)
        self._consumers.pop(sid, None)
        return rooms

    def is_in(self, namespace: str, room: Hashable, sid: str) -> bool:
        """Whether a consumer is in a room."""
        return sid in self._rooms.get((namespace, room), ())

    def rooms_of(self, namespace: str, sid: str) -> list[Hashable]:
        """Return the rooms of a consumer."""
        return [room for place, room in self._joined.get(sid, ()) if place == namespace]

    def sids(self, namespace: str, room: Hashable) -> list[str]:
        """Return the sids of the consumers in a room."""
        return list(self._rooms.get((namespace, room), ()))


async def _send_all(consumer: _RoomConsumer, events: Iterable[KeptEvent]) -> None:
    """Send a consumer frames of a history."""
    for event in events:
        for text in event.frames:
            await consumer.pass_on({"text": text})


def _keys_of(hooks: RoomHooks) -> Keys | None:
    """Return the camelCase names of the fields in the annotations of a class's hooks."""
    annotations = []
    for name in (IDENTIFY, "can_join", "on_join", "on_leave", "presence_key"):
        function = getattr(hooks.room_class, name, None)
        if function is not None:
            parameters = read_parameters(function, names_of_caller(function), unresolved=Unresolved) or ()
            annotations += [parameter.annotation for parameter in parameters]
    return merged_keys(annotations)
