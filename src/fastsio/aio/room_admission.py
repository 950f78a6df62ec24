"""
Asking the hooks of a room class: which room a payload names, and whether the client may join it.

Knows no server: a consumer of raw WebSockets asks in the same way. Every refusal is an error of the one vocabulary.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fastsio.aio import concurrency
from fastsio.exceptions import PayloadError, RoomAccessError, RoomIdentifierError, SetupError, ValidationFailed
from fastsio.injection.validation import detail_of

if TYPE_CHECKING:
    from fastsio.base.room_hooks import RoomHooks
    from fastsio.base.rooms import Room
    from fastsio.injection import Context, Endpoint
    from fastsio.state.room_names import NamedRoom


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
