"""What a client keeps of its sessions, and of which events it takes the offsets off."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio.base.client_recovery import RecoverableSessions
from fastsio.protocol.offset import MAX_OFFSET_CHARS

NOW_S = 1_796_000_000.0
#: Offsets of that moment: in memory, and in a stream.
IN_MEMORY, IN_STREAM = "Q8fyIW0", "1796000000000-0"


def make(*, is_wanted: bool = True, packets: int = 10, size: int = 1000) -> RecoverableSessions:
    """Make the sessions of a client."""
    return RecoverableSessions(is_wanted=is_wanted, max_held_packets=packets, max_held_bytes=size)


def joined(*, offset: str | None = None, **options: Any) -> RecoverableSessions:
    """Make them, with one in the root that has had an event with an offset."""
    recovery = make(**options)
    recovery.answer("/", {"sid": "s", "pid": "p"})
    if offset is not None:
        recovery.arguments_of("/", ["news", offset], NOW_S, None)
    return recovery


def asked(recovery: RecoverableSessions, auth: Any = None) -> Any:
    """Lose the connection and return the next CONNECT's payload."""
    recovery.reset()
    return recovery.ask("/", auth)


@pytest.mark.parametrize("auth", [None, {}, {"token": "t"}, "text", ["list"]])
def test_without_a_session_the_payload_is_auth_alone(auth):
    """As in python-socketio."""
    recovery = make()
    recovery.answer("/", {"sid": "s"})

    assert asked(recovery, auth) == (auth or {})
    assert not recovery.is_active
    assert not recovery.is_asking


@pytest.mark.parametrize("payload", [None, {}, {"pid": ""}, {"pid": 1}, "text"])
def test_an_answer_without_a_pid_ends_the_session(payload):
    """The server does not recover connections, or not any more."""
    recovery = joined(offset=IN_MEMORY)

    assert not recovery.answer("/", payload)
    assert not recovery.is_active


def test_a_session_is_asked_for_with_its_pid():
    """And the last offset, if there is one; the application's keys win."""
    assert asked(joined()) == {"pid": "p"}
    assert asked(joined(offset=IN_MEMORY)) == {"pid": "p", "offset": IN_MEMORY}
    assert asked(joined(), {"token": "t", "pid": "mine"}) == {"pid": "mine", "token": "t"}


def test_auth_that_is_no_object_has_no_place_for_a_session():
    """It is sent alone, and nothing is held."""
    recovery = joined(offset=IN_MEMORY)

    assert asked(recovery, "text") == "text"
    assert not recovery.is_asking


def test_a_client_that_does_not_want_it_has_no_sessions():
    """Not even when the server offers them."""
    assert not joined(is_wanted=False).is_active


def test_the_same_pid_says_that_the_session_was_recovered():
    """Another says that it is new, without an offset."""
    recovery = joined(offset=IN_MEMORY)
    asked(recovery)

    assert recovery.answer("/", {"pid": "p"})
    assert asked(recovery) == {"pid": "p", "offset": IN_MEMORY}
    assert not recovery.answer("/", {"pid": "q"})
    assert asked(recovery) == {"pid": "q"}


def test_a_session_that_was_left_is_not_asked_for():
    """Its last events still have offsets."""
    recovery = joined()
    recovery.forget("/")
    recovery.forget("/chat")

    assert recovery.arguments_of("/", ["news", 1, IN_MEMORY], NOW_S, None) == ["news", 1]
    assert asked(recovery) == {}
    assert not recovery.is_active


def test_connecting_elsewhere_forgets_the_sessions():
    """Or as somebody else, also if the dict of the last time was changed."""
    recovery, auth = joined(), {"user": 1}
    recovery.set_target("http://a", auth)
    recovery.answer("/", {"pid": "p"})
    recovery.set_target("http://a", {"user": 1})
    assert recovery.ask("/", auth) == {"pid": "p", "user": 1}

    auth["user"] = 2
    recovery.set_target("http://a", auth)

    assert asked(recovery, auth) == {"user": 2}


def test_events_are_held_until_the_answer():
    """In order, for the namespace that waits alone."""
    recovery = joined()
    asked(recovery)
    first, second, elsewhere = ("/", None, ["a"]), ("/", 7, ["b"]), ("/chat", None, ["c"])

    assert [recovery.hold(event, 5) for event in (first, elsewhere, second)] == [[], [elsewhere], []]
    assert recovery.is_asking
    assert recovery.is_awaited("/")
    assert not recovery.is_awaited("/chat")
    assert recovery.release("/") == [first, second]
    assert recovery.release("/") == []
    assert recovery.hold(first, 5) == [first]


@pytest.mark.parametrize("bound", [{"packets": 2}, {"size": 10}])
def test_more_than_may_be_held_is_handled_at_once(bound):
    """With what was held before it; later events do not wait either."""
    recovery = joined(**bound)
    asked(recovery)
    events = [("/", None, [number]) for number in range(4)]

    assert [recovery.hold(event, 5) for event in events] == [[], [], events[:3], events[3:]]
    assert recovery.is_awaited("/")
    assert recovery.release("/") == []


def test_what_is_held_does_not_outlive_the_connection():
    """The server sends it again."""
    recovery = joined()
    asked(recovery)
    recovery.hold(("/", None, ["a"]), 5)

    recovery.reset()

    assert recovery.release("/") == []


def test_a_known_offset_is_taken_off():
    """From then on no other text is one."""
    recovery = joined()

    assert recovery.arguments_of("/", ["news", "Ada", IN_MEMORY], NOW_S, None) == ["news", "Ada"]
    assert recovery.arguments_of("/", ["news", IN_STREAM], NOW_S, None) == ["news"]
    assert recovery.arguments_of("/", ["news", "Ada"], NOW_S, lambda count: count == 0) == ["news", "Ada"]
    assert asked(recovery) == {"pid": "p", "offset": IN_STREAM}


@pytest.mark.parametrize(
    ("data", "namespace"),
    [(["news"], "/"), (["news", 1], "/"), (["news", "x" * (MAX_OFFSET_CHARS + 1)], "/"), (["news", IN_MEMORY], "/a")],
)
def test_events_without_an_offset_stay_as_they_are(data, namespace):
    """No argument, no text, too long a text, no session."""
    recovery = joined()

    assert recovery.arguments_of(namespace, data, NOW_S, None) is data
    assert asked(recovery) == {"pid": "p"}


@pytest.mark.parametrize(("accepted", "expected"), [((0, 1), 1), ((1,), 1), ((2,), 2), ((1, 2), 1), ((), 1)])
def test_a_handler_that_needs_a_known_offset_gets_it(accepted, expected):
    """Others do not, also those that can be called with it."""
    data = joined().arguments_of("/", ["news", 1, IN_MEMORY], NOW_S, accepted.__contains__)

    assert len(data) - 1 == expected


@pytest.mark.parametrize(("accepted", "expected"), [((0, 1), 1), ((1,), 1), ((2,), 2), ((1, 2), 2), ((), 2)])
def test_a_handler_that_cannot_take_a_text_does_not_get_it(accepted, expected):
    """It may be an offset of a form that is not known, and is kept as one; others get it."""
    recovery = joined()

    data = recovery.arguments_of("/", ["news", 1, "65f0c0ffee"], NOW_S, accepted.__contains__)

    assert len(data) - 1 == expected
    assert asked(recovery) == {"pid": "p", "offset": "65f0c0ffee"}
