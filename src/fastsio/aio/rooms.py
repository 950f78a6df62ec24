"""
The keeper of a server's rooms: lets clients in and out, and tells hooks and members of it.

Runs for the objects of :class:`fastsio.Room`; who is in which room is known to the manager, and who was let in by
this keeper, with what its hooks need to know, to a :class:`~fastsio.state.members.MemberTable`.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import ValidationError

from fastsio.aio import concurrency
from fastsio.base.emit_args import unwaited
from fastsio.base.rooms import RoomMember, hooks_of
from fastsio.exceptions import (
    EventError,
    PayloadError,
    RoomAccessError,
    RoomIdentifierError,
    SetupError,
    ValidationFailed,
)
from fastsio.injection import Context
from fastsio.injection.validation import detail_of
from fastsio.routing import Guard, describe
from fastsio.state.members import Join, JoinVerdict, Member, MemberTable
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Iterator
    from types import TracebackType

    from fastsio.base.parts import RoomServer
    from fastsio.base.rooms import Room, RoomHooks
    from fastsio.injection import Endpoint
    from fastsio.state import Client
    from fastsio.state.members import Presence
    from fastsio.state.room_names import NamedRoom

    Step = Callable[[], Coroutine[Any, Any, None]]
    StartTask = Callable[..., Any]
    CloseContext = Callable[[Context, BaseException | None], Awaitable[None]]

#: Where the context of an event keeps the join that it began, or the moment when a leave began.
_ARRIVAL: Final = "arrival"


class RoomKeeper:
    """
    Keeps the rooms of one server.

    Args:
        server: The server.
        start_task: Starts what is not waited for.
        close_context: Closes what the dependencies of an event opened.
    """

    def __init__(self, server: RoomServer, start_task: StartTask, close_context: CloseContext) -> None:
        self._server = server
        self._start_task = start_task
        self._close_context = close_context
        # Who was let in, and who is in the room, are changed together: by threads under the manager's lock.
        self._lock = server.manager.lock
        self._table = MemberTable(self._lock)
        self._join_events: set[str] = set()
        self._leave_events: set[str] = set()
        #: What this keeper itself takes out of a room; the manager tells it of that too.
        self._leaving: set[tuple[str, Hashable, str]] = set()

    def guards(self, hooks: RoomHooks) -> dict[str, Guard]:
        """
        Return what decides about the events of a room class.

        Raises:
            SetupError: Clients cannot join rooms of this class.
        """
        hooks.identifying()
        self._join_events.add(hooks.join_event)
        self._leave_events.add(hooks.leave_event)
        return {
            hooks.join_event: Guard(partial(self._join, hooks), self._join_arrives),
            hooks.leave_event: Guard(partial(self._ask_to_leave, hooks), self._leave_arrives),
        }

    # What clients ask for

    async def decide(self, guard: Guard, context: Context) -> Any:
        """Do what a guard says of an event that has no handler of its own, and has just arrived."""
        with nullcontext() if guard.arrival is None else guard.arrival(context):
            return await guard.decide(context, None)

    def arrived(self, client: Client, event: Any) -> Any:
        """
        Note, where events arrive in their order, that a client asks for something of a room.

        Returns:
            What :data:`concurrency.early` has while the event is handled, and :meth:`done` is given then.
        """
        if event in self._join_events:
            return self._table.begin(client)
        return self._table.moment() if event in self._leave_events else None

    def done(self, begun: Any) -> None:
        """Forget what :meth:`arrived` has returned."""
        if isinstance(begun, Join):
            self._table.end(begun)

    def _early(self) -> Any:
        """Return what was begun before the handler of the running event was, once."""
        begun, concurrency.early.value = concurrency.early.value, None
        return begun

    @contextmanager
    def _join_arrives(self, context: Context) -> Iterator[None]:
        begun = self._early()
        join = begun if isinstance(begun, Join) else self._table.begin(context.client)
        context.values[_ARRIVAL] = join
        try:
            yield
        finally:
            self._table.end(join)

    @contextmanager
    def _leave_arrives(self, context: Context) -> Iterator[None]:
        begun = self._early()
        context.values[_ARRIVAL] = begun if isinstance(begun, int) else self._table.moment()
        yield

    async def _join(self, hooks: RoomHooks, context: Context, own: Any) -> Any:
        """
        Let a client in that asks for it.

        Args:
            hooks: The hooks of the room's class.
            context: The event.
            own: Calls the application's own handler of the event, if there is one.

        Raises:
            EventError: The client may not join, or has been taken out, or has left, since it asked.
        """
        client: Any = context.client
        join: Join = context.values[_ARRIVAL]
        room = self._placed(await identify(hooks, context), client)
        known = await self._decide(join, hooks, context, room)
        if known is None:
            return self._server.not_handled
        try:
            answer = None if own is None else await own(context)
        except BaseException:
            if known.since == join.moment:
                self._departing(await self._take_out(client, room, until=join.moment))
            raise
        if known.has_gone:
            # The one that takes out a member that is not announced yet leaves the rest to this.
            if client.is_active:
                raise RoomAccessError("You are not in this room any more.")
            return self._server.not_handled
        return await self._confirm(context, "joined", room, answer, partial(self._announce, known, context))

    async def _decide(self, join: Join, hooks: RoomHooks, context: Context, room: Room) -> Member | None:
        """
        Ask whether a client may join, and put it into the room.

        What is said of the room by other servers counts from before the question.

        Returns:
            The member; None when the client has gone meanwhile.

        Raises:
            EventError: It may not, or something was said against it since the join began.
        """
        client, manager = cast("Client", context.client), self._server.manager
        self._table.place(join, room.name)
        try:
            if hooks.can_join is not None or hooks.presence_key is not None:
                await manager.begin_join(client.namespace, room.name)
            while True:
                join.must_ask = False
                await admit(hooks, context, room)
                user = await self._user_of(hooks, context, room)
                outcome = await self._let_in(Member(client, room, hooks, context.args, user), join)
                if outcome is JoinVerdict.LEFT:
                    raise EventError("conflict", "You left this room before you had joined it.")
                if outcome is JoinVerdict.TAKEN_OUT:
                    raise RoomAccessError("You were taken out of this room before you had joined it.")
                if outcome is not JoinVerdict.ASK_AGAIN:
                    return outcome
        finally:
            self._table.unplace(join)
            manager.end_join(client.namespace, room.name)

    async def _ask_to_leave(self, hooks: RoomHooks, context: Context, own: Any) -> Any:
        """
        Let a client out that asks for it; one that is not in the room is told the same.

        Raises:
            EventError: It has joined the room again since it asked.
        """
        client: Any = context.client
        moment: int = context.values[_ARRIVAL]
        room = self._placed(await identify(hooks, context), client)
        answer = None if own is None else await own(context)
        has_left = self._departing(await self._take_out(client, room, until=moment, by_client=True))
        if client.sid in self._table.members(client.namespace, room.name):
            raise EventError("conflict", "You have joined this room again.")
        return await self._confirm(context, "left", room, answer, partial(self._dismiss, has_left))

    async def joined(self, hooks: RoomHooks, context: Context) -> Room:
        """
        Return the room an event names, if its client is in it.

        Raises:
            RoomAccessError: It is not.
        """
        client = context.client
        room = self._placed(await identify(hooks, context), client)
        if room.name not in self._server.rooms(client.sid, client.namespace):
            raise RoomAccessError("You are not in this room.")
        return room

    async def _confirm(self, context: Context, event: str, room: Room, answer: Any, then: Step) -> Any:
        """Tell a client of its success and return the acknowledgement; *then* follows that."""
        client, confirmation = context.client, {"room": room.name}
        context.keep(_Afterwards(self._close_context, context, self._start_task, then))
        await self._server.emit(event, confirmation, to=client.sid, namespace=client.namespace, ignore_queue=True)
        return confirmation if answer is None else answer

    # What the application asks for

    async def enter(self, room: Room, sid: str, data: Any) -> None:
        """Let a client in, whatever its class says."""
        server, namespace = room.where()
        client = server.manager.client_of(sid, namespace)
        if client is None:
            raise ValueError(f"there is no client {sid!r} in {namespace!r} of this server")
        hooks = hooks_of(type(room), asynchronous=concurrency.ASYNCHRONOUS)
        context = Context(server, client, hooks.join_event, ({} if data is None else data,))
        placed = self._placed(room, client)
        with self._join_arrives(context):
            await self._enter(hooks, context, placed)

    async def _enter(self, hooks: RoomHooks, context: Context, room: Room) -> None:
        async with _Event(self._close_context, context):
            user = await self._user_of(hooks, context, room)
            member = Member(context.client, room, hooks, context.args, user)
            if await self._let_in(member, context.values[_ARRIVAL], is_asked=False) is member:
                await self._announce(member, context)

    async def leave(self, room: Room, sid: str) -> None:
        """Take a client out."""
        server, namespace = room.where()
        client = server.manager.client_of(sid, namespace)
        if client is not None:
            await self._dismiss(self._departing(await self._take_out(client, room)))
        else:
            await server.manager.leave_room(sid, namespace, room.name)

    async def kick(self, room: Room, sid: str, reason: str | None) -> None:
        """Take a client out and tell it."""
        _, namespace = room.where()
        await self.leave(room, sid)
        await self._tell("kicked", {"room": room.name, "reason": reason}, namespace, to=sid)

    async def close(self, room: Room) -> None:
        """Take everybody out."""
        _, namespace = room.where()
        members = self._table.remove_all(namespace, room.name)
        try:
            await self._server.manager.close_room(room.name, namespace)
        finally:
            await self._dismiss(self._departing(members))

    async def members(self, room: Room, *, cluster: bool, timeout: float) -> list[RoomMember]:  # noqa: ASYNC109 - it is the whole duration
        """Return who is in a room, on this server or on all that answer in time."""
        _, namespace = room.where()
        ask = getattr(self._server.manager, "members_elsewhere", None)
        elsewhere = await ask(room.name, namespace, timeout) if cluster and ask is not None else []
        return [*self.members_here(namespace, room.name), *(RoomMember(sid, user) for sid, user in elsewhere)]

    def members_here(self, namespace: str, room: Hashable) -> list[RoomMember]:
        """Return who of this server's clients is in a room."""
        known = self._table.members(namespace, room)
        participants = self._server.manager.get_participants(namespace, room)
        return [RoomMember(sid, known[sid].user if sid in known else None) for sid, _ in participants]

    async def recheck(self, room: Room) -> list[str]:
        """Ask again for everybody who was let in, on all servers, and kick those that the class refuses now."""
        _, namespace = room.where()
        kicked = await self.recheck_here(namespace, room.name)
        others = getattr(self._server.manager, "recheck_elsewhere", None)
        if others is not None:
            await others(room.name, namespace)
        return kicked

    async def recheck_here(self, namespace: str, room: Hashable) -> list[str]:
        """Ask again for everybody whom this keeper has let into a room; joins under way ask again by themselves."""
        kicked = []
        for sid, member in self._table.recheck(namespace, room).items():
            asked = member.since
            why = await self._objection(member)
            # A client that has joined again meanwhile was asked about then.
            if why is not None and await self._expel(member, why, until=asked):
                kicked.append(sid)
        return kicked

    async def _expel(self, member: Member, why: str, *, until: int) -> bool:
        """Take a member out and tell it; False if it has gone, or has joined again since a moment."""
        removed = await self._take_out(member.client, member.room, until=until)
        if not removed:
            return False
        await self._dismiss(self._departing(removed))
        (namespace, room), sid = member.place, member.client.sid
        await self._tell("kicked", {"room": room, "reason": why}, namespace, to=sid)
        return True

    async def _tell(self, event: str, payload: dict[str, Any], namespace: str, *, to: Hashable) -> None:
        """Emit without waiting for clients that are behind: they must not delay what becomes of others."""
        emit: Any = self._server.emit
        await emit(event, payload, to=to, namespace=namespace, **unwaited(emit))

    async def _objection(self, member: Member) -> str | None:
        """Return why a member may not stay, or None."""
        context = Context(self._server, member.client, member.hooks.join_event, member.args)
        try:
            async with _Event(self._close_context, context):
                await admit(member.hooks, context, member.room)
        except RoomAccessError:
            return "You may not be in this room any more."
        except (EventError, PermissionError, PayloadError) as refusal:
            return describe(refusal, context.event).msg
        return None

    @property
    def is_empty(self) -> bool:
        """Whether nobody who was let in is left."""
        return self._table.is_empty

    # What happens otherwise

    def taken_out(self, namespace: str, room: Hashable, sids: Iterable[str]) -> None:
        """Note that clients leave a room by its name, or that another server told them to."""
        others = [sid for sid in sids if (namespace, room, sid) not in self._leaving]
        self._dismiss_soon(self._table.remove(namespace, room, others))

    def closed(self, namespace: str, room: Hashable) -> None:
        """Note that a room is closed: everybody leaves it."""
        self._dismiss_soon(self._table.remove_all(namespace, room))

    def call_off(self, namespace: str, room: Hashable) -> None:
        """End the joins of a room that are under way."""
        self._table.call_off(namespace, room)

    def is_awaited(self, namespace: str, room: Hashable) -> bool:
        """Whether a client is about to be let into a room, perhaps."""
        return self._table.is_awaited(namespace, room)

    def _dismiss_soon(self, removed: list[Member]) -> None:
        members = self._departing(removed)
        if members:
            self._start_task(self._dismiss, members)

    async def client_left(self, client: Client) -> None:
        """Remove a client that has gone from its rooms, and call ``on_leave`` for each."""
        await self._dismiss(self._departing(self._table.remove_client(client.namespace, client.sid)))

    # Steps

    def _placed(self, room: Room, client: Any) -> Room:
        return room.on(self._server, client.namespace)

    async def _user_of(self, hooks: RoomHooks, context: Context, room: Room) -> str | None:
        user = None if hooks.presence_key is None else await ask(hooks.presence_key, context, room)
        return None if user is None else str(user)

    async def _let_in(self, member: Member, join: Join, *, is_asked: bool = True) -> Member | JoinVerdict | None:
        """
        Put a client into its room, unless something was said against it since the join began.

        Returns:
            The member: the one it was already, if it was. None when the client has gone meanwhile.

        Raises:
            RoomAccessError: The manager does not allow it, and the client asked for it.
            ValueError: The manager does not allow it.
        """
        client, name = member.client, member.room.name
        with self._lock:
            if not client.is_active or not self._has(client):
                return None
            outcome = self._table.add(member, join)
            if outcome is not member:
                return outcome
            try:
                await self._server.manager.enter_room(client.sid, client.namespace, RoomName(name))
            except (KeyError, ValueError) as error:
                self._departing(self._table.remove(client.namespace, name, (client.sid,), until=join.moment))
                if not client.is_active:
                    return None
                if not is_asked:
                    raise
                self._server.logger.warning("%s: cannot enter %s: %s", client.label, name, error)
                raise RoomAccessError("This room cannot be joined.") from error
            except BaseException:
                with suppress(Exception):  # what ended the join is what is raised
                    self._departing(await self._take_out(client, member.room, until=join.moment))
                raise
        if client.is_active:
            return member
        # It has gone meanwhile; of several threads, the one that said so may have been too early to see it here.
        self._departing(self._table.remove(client.namespace, name, (client.sid,)))
        return None

    async def _take_out(
        self, client: Client, room: NamedRoom, *, until: int | None = None, by_client: bool = False
    ) -> list[Member]:
        """
        Take a client out of a room, and end its joins of it that are under way.

        Args:
            client: The client.
            room: The room.
            until: The moment up to which joins are undone; None is this one.
            by_client: Whether the client asked for it.

        Returns:
            The member that was removed, if it was one; :meth:`_departing` says whether that is to be announced.
        """
        namespace, name, sid = client.namespace, room.name, client.sid
        removed: list[Member] = []
        try:
            with self._lock:
                removed = self._table.remove(namespace, name, (sid,), until=until, by_client=by_client)
                if sid not in self._table.members(namespace, name) and self._has(client):
                    self._leaving.add((namespace, name, sid))
                    await self._server.manager.leave_room(sid, namespace, name)
        except BaseException:
            self._dismiss_soon(removed)
            raise
        finally:
            self._leaving.discard((namespace, name, sid))
        return removed

    def _has(self, client: Client) -> bool:
        """Whether the manager knows a client; it does no longer once the client has left."""
        return self._server.manager.client_of(client.sid, client.namespace) is client

    def _departing(self, members: Iterable[Member]) -> list[Member]:
        """Return those of removed members whose leaving is to be announced by the caller."""
        return [member for member in members if self._table.depart(member)]

    async def _announce(self, member: Member, context: Context) -> None:
        """Tell of a new member: the room's members first, then ``on_join``."""
        presence = self._table.arrive(member)
        if presence is None:
            return
        try:
            await self._tell_presence(member, "joined", presence)
            await self._run_hook(member.hooks.on_join, member, context)
        except BaseException:
            if self._table.mark_present(member):
                self._start_task(self._dismiss, [member])
            raise
        if self._table.mark_present(member):
            await self._dismiss([member])

    async def _dismiss(self, members: Iterable[Member]) -> None:
        """Tell of members that have gone: the room's members first, then ``on_leave``."""
        waiting = list(members)
        while waiting:
            member = waiting.pop(0)
            presence = self._table.stop_counting(member)
            context = Context(self._server, member.client, member.hooks.leave_event, member.args)
            try:
                await self._tell_presence(member, "left", presence)
                async with _Event(self._close_context, context):
                    await self._run_hook(member.hooks.on_leave, member, context)
            except BaseException:
                if waiting:
                    self._start_task(self._dismiss, waiting)
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


class _Event:
    """
    Something that happens without a packet of a client: what hooks open for it is closed at its end.

    Args:
        close_context: Closes what the dependencies of an event opened.
        context: The context of the event.
    """

    def __init__(self, close_context: CloseContext, context: Context) -> None:
        self._close_context = close_context
        self._context = context

    async def __aenter__(self) -> None:
        """Begin."""

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close_context(self._context, exc)


class _Afterwards(_Event):
    """
    What follows the acknowledgement of an event: kept by its context, which is closed then.

    Args:
        close_context: Closes what the dependencies of an event opened.
        context: The context.
        start_task: Starts what is not waited for.
        then: What follows, even if the event fails; in the background if it is cancelled.
    """

    def __init__(self, close_context: CloseContext, context: Context, start_task: StartTask, then: Step) -> None:
        super().__init__(close_context, context)
        self._start_task = start_task
        self._then = then

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None or isinstance(exc, Exception):
            await self._finish()
        else:
            self._start_task(self._finish)

    async def _finish(self) -> None:
        await self._then()
        await super().__aexit__(None, None, None)


async def identify(hooks: RoomHooks, context: Context) -> Room:
    """
    Return the room that the payload of an event names.

    Raises:
        RoomIdentifierError: The hook raised a ValueError, or returned what identifies nothing.
        ValidationFailed: The payload is not what the hook's annotations say.
    """
    endpoint = hooks.identifying()
    try:
        identifier = await endpoint.call(context)
    except (PayloadError, RoomIdentifierError, SetupError):
        raise
    except ValidationError as error:
        raise ValidationFailed(detail_of(error, ["args", 0])) from error
    except ValueError as error:
        raise RoomIdentifierError(str(error) or "The room is not valid.") from error
    return hooks.room(identifier)


async def admit(hooks: RoomHooks, context: Context, room: NamedRoom) -> None:
    """
    Ask whether the client of an event may join a room.

    Raises:
        RoomAccessError: It may not.
    """
    if hooks.can_join is None:
        return
    allowed = await concurrency.resolved(await ask(hooks.can_join, context, room))
    if isawaitable(allowed):  # any object is true, and this one has not even been asked
        raise TypeError(f"{hooks.can_join.label} returned something to be awaited; on this server it cannot be")
    if not allowed:
        raise RoomAccessError


async def ask(endpoint: Endpoint, context: Context, room: NamedRoom) -> Any:
    """Call a hook about a room."""
    context.room = room
    return await endpoint.call(context)
