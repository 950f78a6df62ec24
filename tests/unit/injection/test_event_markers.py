# ruff: noqa: B008 - a marker as a default is what is tested
"""Markers whose values are made of the whole event."""

from __future__ import annotations

from typing import Annotated

import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import Depends, EventMarker, HandlerKind


class Letter(EventMarker):
    """Takes one character of the payload; each time it is asked, the value is made again."""

    word = "Letter"

    def __init__(self, index: int) -> None:
        self.index = index
        self.made = 0

    def _make(self, context):
        self.made += 1
        return context.args[0][self.index]

    def maker(self, *, asynchronous):
        """Return a coroutine function where the server awaits."""

        async def make(context):
            return self._make(context)

        return make if asynchronous else self._make


async def test_a_marker_is_given_the_event(harness):
    """As an annotation or as a default, in handlers and in what they depend on."""
    first = Letter(0)

    def inner(letter: Annotated[str, first]) -> str:
        return letter.upper()

    def handler(one: Annotated[str, first], two=Letter(1), three: str = Depends(inner)):
        return one, two, three

    assert await harness.call(handler, "ab") == ("a", "b", "A")
    assert first.made == 2


def test_a_server_without_an_event_loop_does_not_await(harness):
    """The maker is a plain function then."""
    harness.use_threads()

    assert harness.call_sync(lambda letter=Letter(0): letter, "ab") == "a"


async def test_handlers_of_consumers_have_events_too(harness):
    """What they are called with is made the same way."""
    assert await harness.call(lambda letter=Letter(0): letter, "ab", kind=HandlerKind.CONSUMER) == "a"


@pytest.mark.parametrize("kind", [HandlerKind.CONNECT, HandlerKind.ROOM, HandlerKind.CLIENT_EVENT])
def test_other_handlers_cannot_have_it(harness, kind):
    """There is no event of a server's client."""
    with pytest.raises(SignatureError, match="'letter' asks for Letter, which only handlers of a server's events have"):
        harness.compile(lambda letter=Letter(0): letter, kind)


def test_what_lives_longer_than_the_event_cannot_have_it(harness):
    """It would be the first event's for ever."""

    def kept(letter=Letter(0)):
        return letter

    with pytest.raises(SignatureError, match="asks for Letter, which a dependency with scope='connection' outlives"):
        harness.compile(lambda value=Depends(kept, scope="connection"): value)
