"""The commands that store sessions in Redis: whose values they replace and delete."""

from __future__ import annotations

from contextlib import nullcontext

from fastsio.cluster.session_values import NOTHING, REMOVE, REPLACE, TAKE, SessionValues, digest

VALUES = SessionValues("session:", nullcontext())


def test_a_session_replaces_only_values_of_this_node() -> None:
    """The first value replaces any; of the later ones it is known which may be there."""
    stored: list[str] = []

    first = VALUES.store(stored, "pid", b"one", 9)
    second = VALUES.store(stored, "pid", b"two", "", "other")
    third = VALUES.store(stored, "pid", b"three", 9)

    assert first == ("SET", "session:pid", b"one", "PX", 9)
    assert second == ("EVAL", REPLACE, 1, "session:pid", b"two", "", digest(b"one"), NOTHING, "other")
    assert third == ("EVAL", REPLACE, 1, "session:pid", b"three", 9, digest(b"two"), digest(b"one"))
    assert stored == [digest(b"three"), digest(b"two")]


def test_digests_are_forgotten_once_their_values_are_replaced() -> None:
    """Those of values that may still be on their way stay."""
    stored: list[str] = []
    commands = [VALUES.store(stored, "pid", value, 9) for value in (b"one", b"two", b"three")]

    VALUES.forget_older(stored, commands[0])
    assert stored == [digest(b"three"), digest(b"two")]
    VALUES.forget_older(stored, commands[1])
    VALUES.forget_older(stored, commands[2])
    assert stored == [digest(b"three")]
    VALUES.recognize(stored, b"one")
    assert stored == [digest(b"three"), digest(b"one")]


def test_a_session_is_read_taken_and_removed() -> None:
    """Removed only if it has a value of this node, if those are known."""
    assert VALUES.read("pid") == ("GET", "session:pid")
    assert VALUES.take("pid", b"one") == ("EVAL", TAKE, 1, "session:pid", b"one")
    assert VALUES.remove("pid", ["digest"]) == ("EVAL", REMOVE, 1, "session:pid", "digest")
    assert VALUES.remove("pid", ()) == ("DEL", "session:pid")
