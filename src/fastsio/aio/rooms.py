"""
The room keeper of a server carries out the methods of room objects: clients join and leave, hooks are called.

The manager knows which clients are in which room. The :class:`~fastsio.state.members.MemberTable` of the keeper knows
which of them have joined a room of a class, :class:`fastsio.Room`, and with which payload.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, cast

from fastsio.aio import concurrency
from fastsio.aio.room_hooks import Afterwards, HookScope, admit, ask, identify
from fastsio.base.emit_args import unwaited
from fastsio.base.history import SINCE, Arrival, Histories, split_payload
from fastsio.base.rooms import ARRIVAL, RoomMember, RoomRequests, hooks_of
from fastsio.exceptions import EventError, PayloadError, RoomAccessError
from fastsio.injection import Context
from fastsio.routing import Guard, describe
from fastsio.state.members import Join, JoinVerdict, Member, MemberTable
from fastsio.state.room_names import RoomName, parts_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from fastsio.aio.room_hooks import CloseContext, StartTask, Step
    from fastsio.base.parts import RoomServer
    from fastsio.base.rooms import Room, RoomHooks
    from fastsio.injection import Endpoint
    from fastsio.state import Client
    from fastsio.state.members import Presence
    from fastsio.state.recovery import SavedSession
    from fastsio.state.room_names import NamedRoom


#: Why a client was taken out of a room, where ``can_join`` gives no reason.
_REFUSED: Final = "You may not be in this room any more."
#: Bytes in the name of an epoch.
_EPOCH_BYTES: Final = 6


class RoomKeeper:
    """The part of one server that calls the hooks of its room classes, and knows their members."""

    def __init__(self, server: RoomServer, start_task: StartTask, close_context: CloseContext) -> None:
        self._server = server
        self._start_task = start_task
        self._close_context = close_context
        # The table of members and the manager's rooms change together: threads hold the manager's lock meanwhile.
        self._lock = server.manager.lock
        self.table = MemberTable(self._lock)
        self._requests = RoomRequests(self.table, concurrency.early)
        self.begin_request, self.end_request = self._requests.begin, self._requests.end
        #: The clients that this keeper takes out of a room at present; the manager reports these to it too.
        self._leaving: set[tuple[str, Hashable, str]] = set()

    def guards(self, hooks: RoomHooks) -> dict[str, Guard]:
        """Return the guards of the join and leave events of a room class, whose rooms clients must be able to join."""
        return self._requests.guards(hooks, partial(self._join, hooks), partial(self._ask_to_leave, hooks))

    def keep_history(self, namespace: str, hooks: RoomHooks) -> None:
        """
        Keep the events of the rooms of a class in a namespace, if the class says so.

        Raises:
            SetupError: The names of its rooms cannot be told from sids.
        """
        shared = self._server.__fastsio__
        if hooks.room_class.history is not None:
            make_epoch = partial(token_hex, _EPOCH_BYTES)
            shared.histories = shared.histories or Histories(make_epoch, self._server.manager.history_epoch)
            shared.histories.add(namespace, hooks.room_class, is_present=hooks.is_present)

    # Requests of clients

    async def decide(self, guard: Guard, context: Context) -> Any:
        """Run the guard of an event that has just arrived and has no handler of the application."""
        with nullcontext() if guard.arrival is None else guard.arrival(context):
            return await guard.decide(context, None)

    async def _join(self, hooks: RoomHooks, context: Context, own: Any) -> Any:
        """
        Let a client join the room that it asks for; *own* calls the application's own handler of the event, if any.

        Raises:
            EventError: The client may not join; or it was taken out of the room, or has left it, since it asked.
        """
        client: Any = context.client
        join: Join = context.values[ARRIVAL]
        if hooks.room_class.history is not None:
            context.args, since = split_payload(context.args)
            since = context.values.get(SINCE, since)
            join.arrival = Arrival(since)
            if since is not None:
                await self._server.manager.reach(since)
        room = self._in_namespace(await identify(hooks, context), client)
        known = await self._decide(join, hooks, context, room)
        if known is None:
            return self._server.not_handled
        try:
            answer = None if own is None else await own(context)
        except BaseException:
            if known.since == join.moment:
                self.table.departed(await self._remove_member(client, room, until=join.moment))
            raise
        if known.has_gone:
            # The code that has removed this member, which is not announced yet, has announced nothing.
            if client.is_active:
                raise RoomAccessError("You are not in this room any more.")
            return self._server.not_handled
        then = partial(self._announce_member, known, context)
        return await self._confirm(context, "joined", room, answer, then, join.arrival)

    async def _decide(self, join: Join, hooks: RoomHooks, context: Context, room: Room) -> Member | None:
        """
        Ask whether a client may join, and put it into the room; None if the client has disconnected meanwhile.

        Messages of other servers about the room count from before ``can_join`` is called.
        """
        client, manager = cast("Client", context.client), self._server.manager
        self.table.place(join, room.name)
        try:
            if hooks.can_join is not None or hooks.presence_key is not None:
                await manager.begin_join(client.namespace, room.name)
            while True:
                join.must_ask = False
                await admit(hooks, context, room)
                user = await self._user_of(hooks, context, room)
                outcome = await self._add_member(Member(client, room, hooks, context.args, user), join)
                if outcome is JoinVerdict.LEFT:
                    raise EventError("conflict", "You left this room before you had joined it.")
                if outcome is JoinVerdict.TAKEN_OUT:
                    raise RoomAccessError("You were taken out of this room before you had joined it.")
                if outcome is not JoinVerdict.ASK_AGAIN:
                    return outcome
        finally:
            self.table.unplace(join)
            manager.end_join(client.namespace, room.name)

    async def _ask_to_leave(self, hooks: RoomHooks, context: Context, own: Any) -> Any:
        """
        Let a client leave the room that it asks to leave; the answer is the same if it is not in the room.

        Raises:
            EventError: It has joined the room again since it asked.
        """
        client: Any = context.client
        moment: int = context.values[ARRIVAL]
        room = self._in_namespace(await identify(hooks, context), client)
        answer = None if own is None else await own(context)
        has_left = self.table.departed(await self._remove_member(client, room, until=moment, by_client=True))
        if client.sid in self.table.members(client.namespace, room.name):
            raise EventError("conflict", "You have joined this room again.")
        return await self._confirm(context, "left", room, answer, partial(self._announce_leaving, has_left))

    async def joined(self, hooks: RoomHooks, context: Context) -> Room:
        """
        Return the room that an event names, if the client is in it.

        Raises:
            RoomAccessError: The client is not in the room.
        """
        client = context.client
        room = self._in_namespace(await identify(hooks, context), client)
        if room.name not in self._server.rooms(client.sid, client.namespace):
            raise RoomAccessError("You are not in this room.")
        return room

    async def _confirm(
        self, context: Context, event: str, room: Room, answer: Any, then: Step, arrival: Arrival | None = None
    ) -> Any:
        """Send a client the event that confirms its request; return the acknowledgement. *then* is called after it."""
        client, told = context.client, partial(self._told, context.client.namespace, room, arrival)
        context.keep(Afterwards(self._close_context, context, self._start_task, then))
        await self._server.emit(event, told(), to=client.sid, namespace=client.namespace, ignore_queue=True)
        return told() if answer is None else answer

    def _told(self, namespace: str, room: Room, arrival: Arrival | None) -> dict[str, Any]:
        """Return the confirmation of a join or a leave, as of now."""
        histories = self._server.__fastsio__.histories
        if arrival is None or histories is None:
            return {"room": room.name}
        with self._lock:
            return {"room": room.name, **histories.confirmation(namespace, room.name, arrival)}

    # Calls of the application

    async def enter(self, room: Room, sid: str, data: Any) -> None:
        """Let a client join without calling ``can_join``."""
        server, namespace = room.where()
        client = server.manager.client_of(sid, namespace)
        if client is None:
            raise ValueError(f"there is no client {sid!r} in {namespace!r} of this server")
        hooks = hooks_of(type(room), asynchronous=concurrency.ASYNCHRONOUS)
        context = Context(server, client, hooks.join_event, ({} if data is None else data,))
        placed = self._in_namespace(room, client)
        with self._requests.join_arrives(context):
            await self._enter(hooks, context, placed)

    async def _enter(self, hooks: RoomHooks, context: Context, room: Room) -> None:
        async with HookScope(self._close_context, context):
            user = await self._user_of(hooks, context, room)
            member = Member(context.client, room, hooks, context.args, user)
            if await self._add_member(member, context.values[ARRIVAL], is_asked=False) is member:
                await self._announce_member(member, context)

    async def leave(self, room: Room, sid: str) -> None:
        """Take a client out."""
        server, namespace = room.where()
        client = server.manager.client_of(sid, namespace)
        if client is not None:
            await self.announce_leaving(await self._remove_member(client, room))
        else:
            await server.manager.leave_room(sid, namespace, room.name)

    async def kick(self, room: Room, sid: str, reason: str | None) -> None:
        """Take a client out and send it the event ``kicked``."""
        _, namespace = room.where()
        await self.leave(room, sid)
        await self._tell("kicked", {"room": room.name, "reason": reason}, namespace, to=sid)

    async def close(self, room: Room) -> None:
        """Take all clients out."""
        _, namespace = room.where()
        members = self.table.remove_all(namespace, room.name)
        try:
            await self._server.manager.close_room(room.name, namespace)
        finally:
            await self.announce_leaving(members)

    async def members(self, room: Room, *, cluster: bool, timeout: float) -> list[RoomMember]:  # noqa: ASYNC109 - it is the whole duration
        """Return the clients in a room: those of this server, or of all servers that answer in time."""
        _, namespace = room.where()
        ask = getattr(self._server.manager, "members_elsewhere", None)
        elsewhere = await ask(room.name, namespace, timeout) if cluster and ask is not None else []
        return [*self.members_here(namespace, room.name), *(RoomMember(sid, user) for sid, user in elsewhere)]

    def members_here(self, namespace: str, room: Hashable) -> list[RoomMember]:
        """Return the clients of this server that are in a room."""
        known = self.table.members(namespace, room)
        participants = self._server.manager.get_participants(namespace, room)
        away = [RoomMember(sid, known[sid].user) for sid in known if self.table.is_away(namespace, sid)]
        return [*(RoomMember(sid, known[sid].user if sid in known else None) for sid, _ in participants), *away]

    async def recheck(self, room: Room) -> list[str]:
        """Call ``can_join`` again for all members, on all servers, and kick those that it refuses now."""
        _, namespace = room.where()
        kicked = await self.recheck_here(namespace, room.name)
        others = getattr(self._server.manager, "recheck_elsewhere", None)
        if others is not None:
            await others(room.name, namespace)
        return kicked

    async def recheck_here(self, namespace: str, room: Hashable) -> list[str]:
        """Call ``can_join`` again for the members of this server, and after that for clients that are about to join."""
        kicked = []
        for sid, member in self.table.recheck(namespace, room).items():
            asked = member.since
            why = await self._refusal_of(member)
            # For a client that has joined again meanwhile, can_join was called then.
            if why is not None and await self._kick_refused(member, why, until=asked):
                kicked.append(sid)
        return kicked

    async def _kick_refused(self, member: Member, why: str, *, until: int) -> bool:
        """Take a member out and send it ``kicked``; False if it has left, or has joined after the moment *until*."""
        removed = await self._remove_member(member.client, member.room, until=until)
        if not removed:
            return False
        await self.announce_leaving(removed)
        (namespace, room), sid = member.place, member.client.sid
        await self._tell("kicked", {"room": room, "reason": why}, namespace, to=sid)
        return True

    async def _tell(self, event: str, payload: dict[str, Any], namespace: str, *, to: Hashable) -> None:
        """Emit an event without waiting for clients that are behind, because they must not delay others."""
        emit: Any = self._server.emit
        await emit(event, payload, to=to, namespace=namespace, **unwaited(emit))

    async def _refusal_of(self, member: Member) -> str | None:
        """Return why a member may not be in its room, or None; a hook that raises keeps it out, as at a join."""
        context = Context(self._server, member.client, member.hooks.join_event, member.args)
        try:
            async with HookScope(self._close_context, context):
                await admit(member.hooks, context, member.room)
        except RoomAccessError:
            return _REFUSED
        except (EventError, PermissionError, PayloadError) as refusal:
            return describe(refusal, context.event).msg
        except Exception:
            self._server.logger.exception("%s: cannot be asked for %s", member.room.name, member.client.label)
            return _REFUSED
        return None

    # Calls of the manager and the lifecycle

    def remove_members(self, namespace: str, room: Hashable, sids: Iterable[str]) -> None:
        """Remove clients that the manager takes out of a room, and announce that they leave."""
        others = [sid for sid in sids if (namespace, room, sid) not in self._leaving]
        self._announce_leaving_soon(self.table.remove(namespace, room, others))

    def remove_all_members(self, namespace: str, room: Hashable) -> None:
        """Remove all members of a room that the manager closes, and announce that they leave."""
        self._announce_leaving_soon(self.table.remove_all(namespace, room))

    def _announce_leaving_soon(self, removed: list[Member]) -> None:
        members = self.table.departed(removed)
        if members:
            self._start_task(self._announce_leaving, members)

    async def client_left(self, client: Client | SavedSession) -> None:
        """Remove a client that has gone from its rooms, and call ``on_leave`` for each."""
        await self.announce_leaving(self.table.remove_client(client.namespace, client.sid))

    async def announce_leaving(self, removed: list[Member]) -> None:
        """Call ``on_leave`` of members that were removed."""
        await self._announce_leaving(self.table.departed(removed))

    async def let_back_in(self, client: Client, members: Iterable[Member]) -> list[Member]:
        """
        Ask whether a client may become a member again of rooms that it is in; return the members it may become again.

        Their classes are asked with the payloads that it joined with; where it may not, it is kicked. The client has
        not been told yet that it is connected, and ``on_leave`` has run for the members that it was before it was lost.
        """
        allowed = []
        for old in members:
            room = old.room
            if room.name not in self._server.rooms(client.sid, client.namespace):
                continue
            why = await self._refusal_of(Member(client, room, old.hooks, old.args))
            if why is None:
                allowed.append(old)
                continue
            await self._remove_member(client, room)
            await self._tell("kicked", {"room": room.name, "reason": why}, client.namespace, to=client.sid)
        return allowed

    async def join_again(self, client: Client, members: Iterable[Member]) -> None:
        """Make a client that is back a member of rooms that :meth:`let_back_in` has returned."""
        for old in members:
            if old.room.name in self._server.rooms(client.sid, client.namespace):
                context = Context(self._server, client, old.hooks.join_event, old.args)
                with self._requests.join_arrives(context):
                    await self._enter(old.hooks, context, cast("Room", old.room))

    async def members_elsewhere(
        self, client: Client, joined: Mapping[Hashable, tuple[Any, ...]], class_of: Callable[[str, Hashable], Any]
    ) -> list[Member]:
        """
        Return the members that a client, which has come back to this node, was on another one.

        *joined* has the names of the rooms, each with the payload that it joined with; *class_of* returns the room
        class of a namespace and a name, or None.
        """
        members = []
        for name, args in joined.items():
            room_class = class_of(client.namespace, name)
            if room_class is None:
                continue
            hooks = hooks_of(room_class, asynchronous=concurrency.ASYNCHRONOUS)
            context = Context(self._server, client, hooks.join_event, args)
            try:
                async with HookScope(self._close_context, context):
                    room = await identify(hooks, context) if hooks.found_by else room_class(*parts_of_name(str(name)))
            except Exception:
                self._server.logger.exception("%s: %s cannot join it again", name, client.label)
                continue
            if room.name == name:
                members.append(Member(client, self._in_namespace(room, client), hooks, args))
        return members

    # Steps

    def _in_namespace(self, room: Room, client: Any) -> Room:
        return room.on(self._server, client.namespace)

    async def _user_of(self, hooks: RoomHooks, context: Context, room: Room) -> str | None:
        user = None if hooks.presence_key is None else await ask(hooks.presence_key, context, room)
        return None if user is None else str(user)

    async def _add_member(self, member: Member, join: Join, *, is_asked: bool = True) -> Member | JoinVerdict | None:
        """
        Put a client into its room, unless it was taken out of the room or has left it since the join began.

        Returns:
            The member, which is not *member* if the client was in the room already; or why the client does not join.
            None if the client has disconnected meanwhile.

        Raises:
            RoomAccessError: The manager does not allow it, and the client asked for it.
            ValueError: The manager does not allow it.
        """
        client, name = member.client, member.room.name
        with self._lock:
            if not client.is_active or not self._has(client):
                return None
            outcome = self.table.add(member, join)
            if outcome is not member:
                if isinstance(outcome, Member) and join.arrival is not None:
                    manager = self._server.manager
                    await manager.catch_up(client.sid, client.namespace, name, join.arrival, outcome.entered)
                return outcome
            try:
                await self._put_in(member, join.arrival)
            except (KeyError, ValueError) as error:
                self.table.departed(self.table.remove(client.namespace, name, (client.sid,), until=join.moment))
                if not client.is_active:
                    return None
                if not is_asked:
                    raise
                self._server.logger.warning("%s: cannot enter %s: %s", client.label, name, error)
                raise RoomAccessError("This room cannot be joined.") from error
            except BaseException:
                with suppress(Exception):  # what ended the join is what is raised
                    self.table.departed(await self._remove_member(client, member.room, until=join.moment))
                raise
        if client.is_active:
            return member
        # The client has left meanwhile, and the thread that removed it may have found no member yet.
        self.table.departed(self.table.remove(client.namespace, name, (client.sid,)))
        return None

    async def _put_in(self, member: Member, arrival: Arrival | None) -> None:
        """Let the manager put a new member into its room, and send it what it asks for of the room's history."""
        client, name, manager = member.client, member.room.name, self._server.manager
        histories = None if member.hooks.room_class.history is None else self._server.__fastsio__.histories
        if histories is None:
            await manager.enter_room(client.sid, client.namespace, RoomName(name))
            return
        arrival = arrival or Arrival(None)
        histories.begin_arrival(client.namespace, name, client.sid, arrival)
        try:
            await manager.enter_room(client.sid, client.namespace, RoomName(name))
        finally:
            histories.end_arrival(client.namespace, name, client.sid)
        member.entered = arrival.number
        if arrival.history_state is None:  # it was in the room before it became a member
            await manager.catch_up(client.sid, client.namespace, name, arrival, None)

    async def _remove_member(
        self, client: Client, room: NamedRoom, *, until: int | None = None, by_client: bool = False
    ) -> list[Member]:
        """
        Take a client out of a room, and cancel its joins of that room that began before *until*; None is now.

        Return the member that was removed, if the client was one, and the caller has to announce it.
        """
        namespace, name, sid = client.namespace, room.name, client.sid
        removed: list[Member] = []
        try:
            with self._lock:
                removed = self.table.remove(namespace, name, (sid,), until=until, by_client=by_client)
                is_known = self._has(client) or self.table.is_away(namespace, sid)
                if sid not in self.table.members(namespace, name) and is_known:
                    self._leaving.add((namespace, name, sid))
                    await self._server.manager.leave_room(sid, namespace, name)
        except BaseException:
            self._announce_leaving_soon(removed)
            raise
        finally:
            self._leaving.discard((namespace, name, sid))
        return removed

    def _has(self, client: Client) -> bool:
        """Whether the manager has a client, which it has until the client has left."""
        return self._server.manager.client_of(client.sid, client.namespace) is client

    async def _announce_member(self, member: Member, context: Context) -> None:
        """Announce a new member: send ``presence`` to the members of the room, then call ``on_join``."""
        presence = self.table.arrive(member)
        if presence is None:
            return
        try:
            await self._tell_presence(member, "joined", presence)
            await self._run_hook(member.hooks.on_join, member, context)
        except BaseException:
            if self.table.mark_present(member):
                self._start_task(self._announce_leaving, [member])
            raise
        if self.table.mark_present(member):
            await self._announce_leaving([member])

    async def _announce_leaving(self, members: Iterable[Member]) -> None:
        """Announce that members have left: for each, send ``presence`` to the others, then call ``on_leave``."""
        waiting = list(members)
        while waiting:
            member = waiting.pop(0)
            presence = self.table.stop_counting(member)
            context = Context(self._server, member.client, member.hooks.leave_event, member.args)
            try:
                await self._tell_presence(member, "left", presence)
                async with HookScope(self._close_context, context):
                    await self._run_hook(member.hooks.on_leave, member, context)
            except BaseException:
                if waiting:
                    self._start_task(self._announce_leaving, waiting)
                raise

    async def _run_hook(self, hook: Endpoint | None, member: Member, context: Context) -> None:
        """Call a hook; what it raises is logged."""
        if hook is None:
            return
        try:
            await concurrency.answered(ask(hook, context, member.room))
        except Exception:
            self._server.logger.exception("%s: error in %s", member.client.label, hook.label)

    async def _tell_presence(self, member: Member, state: str, presence: Presence) -> None:
        if not (member.hooks.is_present and presence.changed):
            return
        namespace, room = member.place
        # The sid of an old client is a secret.
        user = member.client.label if member.hooks.presence_key is None else member.user
        payload = {"room": room, "user": user, "state": state, "count": presence.count}
        try:
            await self._tell("presence", payload, namespace, to=room)
        except Exception:
            self._server.logger.exception("%s: the presence in %s could not be told", member.client.label, room)
