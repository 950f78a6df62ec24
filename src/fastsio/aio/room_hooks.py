"""How the hooks of room classes are called: in which context, and what becomes of what they return and raise."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fastsio.aio import concurrency
from fastsio.exceptions import PayloadError, RoomAccessError, RoomIdentifierError, SetupError, ValidationFailed
from fastsio.injection.validation import detail_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fastsio.base.rooms import Room, RoomHooks
    from fastsio.injection import Context, Endpoint
    from fastsio.state.room_names import NamedRoom

    Step = Callable[[], Coroutine[Any, Any, None]]
    StartTask = Callable[..., Any]
    CloseContext = Callable[[Context, BaseException | None], Awaitable[None]]


class HookScope(AbstractAsyncContextManager[None]):
    """A context manager that closes, at its end, what the dependencies of hooks have opened."""

    def __init__(self, close_context: CloseContext, context: Context) -> None:
        self._close_context = close_context
        self._context = context

    async def __aexit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> None:
        await self._close_context(self._context, exc)


class Afterwards(HookScope):
    """
    Calls *then* after the acknowledgement of an event; the context of the event runs it when it is closed.

    It is called even if the event fails; in the background if the event is cancelled.
    """

    def __init__(self, close_context: CloseContext, context: Context, start_task: StartTask, then: Step) -> None:
        super().__init__(close_context, context)
        self._start_task = start_task
        self._then = then

    async def __aexit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> None:
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
        RoomIdentifierError: The hook raised a ValueError, or returned a value that cannot identify a room.
        ValidationFailed: The payload does not match the annotations of the hook.
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
    Call ``can_join`` for the client of an event.

    Raises:
        RoomAccessError: The client may not join the room.
    """
    if hooks.can_join is None:
        return
    allowed = await concurrency.resolved(await ask(hooks.can_join, context, room))
    if isawaitable(allowed):  # it counts as true, although the hook has not run
        raise TypeError(f"{hooks.can_join.label} returned something to be awaited; on this server it cannot be")
    if not allowed:
        raise RoomAccessError


async def ask(endpoint: Endpoint, context: Context, room: NamedRoom) -> Any:
    """Call a hook of a room."""
    context.room = room
    return await endpoint.call(context)
