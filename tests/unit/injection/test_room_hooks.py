"""What the hooks of room classes are called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from fastsio import Data, Depends, Session, SocketID
from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection import HandlerKind
from fastsio.types import Source


class Chat:
    """A room class, as injection sees it."""

    __fastsio_source__ = Source.ROOM


class Join(BaseModel):
    id: int


@dataclass
class Plain:
    id: int


async def call(harness, hook, *args, kind: HandlerKind = HandlerKind.ROOM, room: Any = "the room") -> Any:
    """Call a hook for an event."""
    context = harness.context(*args)
    context.room = room
    return await harness.compile(hook, kind).call(context)


HOOKS = {
    "in the order of the documentation": lambda session, data: (session, data),
    "other names": lambda s, d: (s, d),
    "by name, turned round": lambda data, session: (session, data),
    "keyword-only": lambda *, data, session: (session, data),
    "with more": lambda session, data, extra=1, *rest, **others: (session, data),
}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
async def test_hooks_get_the_session_and_the_payload(harness, hook):
    """By their names, or in this order."""
    session, data = await call(harness, hook, {"id": 5})

    assert session is harness.client.session
    assert data == {"id": 5}


async def test_both_may_be_left_out(harness):
    """A hook takes what it needs."""
    assert await call(harness, lambda: "nothing", 1, 2) == "nothing"
    assert await call(harness, lambda session: session) is harness.client.session
    assert await call(harness, lambda data: data, {"id": 5}) == {"id": 5}


async def test_markers_take_what_they_claim(harness):
    """What is left goes by position."""

    def depending(sid: SocketID) -> str:
        return sid.upper()

    def hook(mine: Session, payload, sid: SocketID, raw: Data, room: Chat, name: Annotated[str, Depends(depending)]):
        return payload, sid, raw, room, name, mine is harness.client.session

    assert await call(harness, hook, {"id": 5}) == ({"id": 5}, "sid-1", {"id": 5}, "the room", "SID-1", True)


async def test_the_payload_is_what_the_annotation_says(harness):
    """Models, dataclasses, scalars; Any is anything, also nothing."""

    def model(join: Join, session):
        return join.id, session is harness.client.session

    def plain(session: Any, data: Plain):
        return data.id

    def number(data: int):
        return data

    def anything(data: Any):
        return data

    assert await call(harness, model, {"id": "5"}) == (5, True)
    assert await call(harness, plain, {"id": 5}) == 5
    assert await call(harness, number, 5) == 5
    assert await call(harness, anything, [1]) == [1]
    assert await call(harness, anything) is None


@pytest.mark.parametrize("args", [(), (None,), ([],), ("x",), (5,)])
async def test_without_an_annotation_the_payload_is_an_object(harness, args):
    """Whoever writes data["id"] must not be given a list."""
    with pytest.raises(ValidationFailed):
        await call(harness, lambda session, data: data, *args)


def test_what_cannot_be_filled_is_refused(harness):
    """At registration, with the cure."""

    def three(session, data, third): ...

    def early(room: Chat): ...

    with pytest.raises(SignatureError, match=r"'third' has nothing to take: hooks are given \(session, data\)"):
        harness.compile(three, HandlerKind.ROOM)
    with pytest.raises(SignatureError, match="this hook is the one that says which room it is"):
        harness.compile(early, HandlerKind.ROOM_IDENTIFIER)
    with pytest.raises(SignatureError, match=r"write Annotated\[ThatRoom, Joined\(ThatRoom\)\]"):
        harness.compile(early, HandlerKind.EVENT)
