# Written by tools/unasync.py from aio/room_hooks.py; change that one.
"""How the hooks of room classes are called: in which context, and what becomes of what they return and raise."""

from __future__ import annotations

from contextlib import AbstractContextManager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fastsio.exceptions import PayloadError, RoomAccessError, RoomIdentifierError, SetupError, ValidationFailed
from fastsio.injection.validation import detail_of
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.base.rooms import Room, RoomHooks
    from fastsio.injection import Context, Endpoint
    from fastsio.state.room_names import NamedRoom

    Step = Callable[[], None]
    StartTask = Callable[..., Any]
    CloseContext = Callable[[Context, BaseException | None], None]


class HookScope(AbstractContextManager[None]):
    """A context manager that closes, at its end, what the dependencies of hooks have opened."""

    def __init__(self, close_context: CloseContext, context: Context) -> None:
        self._close_context = close_context
        self._context = context

    def __exit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> None:
        self._close_context(self._context, exc)


class Afterwards(HookScope):
    """
    Calls *then* after the acknowledgement of an event; the context of the event runs it when it is closed.

    It is called even if the event fails; in the background if the event is cancelled.
    """

    def __init__(self, close_context: CloseContext, context: Context, start_task: StartTask, then: Step) -> None:
        super().__init__(close_context, context)
        self._start_task = start_task
        self._then = then

    def __exit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> None:
        if exc is None or isinstance(exc, Exception):
            self._finish()
        else:
            self._start_task(self._finish)

    def _finish(self) -> None:
        self._then()
        super().__exit__(None, None, None)


def identify(hooks: RoomHooks, context: Context) -> Room:
    """
    Return the room that the payload of an event names.

    Raises:
        RoomIdentifierError: The hook raised a ValueError, or returned a value that cannot identify a room.
        ValidationFailed: The payload does not match the annotations of the hook.
    """
    endpoint = hooks.identifying()
    try:
        identifier = endpoint.call_sync(context)
    except (PayloadError, RoomIdentifierError, SetupError):
        raise
    except ValidationError as error:
        raise ValidationFailed(detail_of(error, ["args", 0])) from error
    except ValueError as error:
        raise RoomIdentifierError(str(error) or "The room is not valid.") from error
    return hooks.room(identifier)


def admit(hooks: RoomHooks, context: Context, room: NamedRoom) -> None:
    """
    Call ``can_join`` for the client of an event.

    Raises:
        RoomAccessError: The client may not join the room.
    """
    if hooks.can_join is None:
        return
    allowed = concurrency.resolved(ask(hooks.can_join, context, room))
    if isawaitable(allowed):  # it counts as true, although the hook has not run
        raise TypeError(f"{hooks.can_join.label} returned something to be awaited; on this server it cannot be")
    if not allowed:
        raise RoomAccessError


def ask(endpoint: Endpoint, context: Context, room: NamedRoom) -> Any:
    """Call a hook of a room."""
    context.room = room
    return endpoint.call_sync(context)
