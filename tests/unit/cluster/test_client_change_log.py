"""The log of changes of clients: which sessions they change, in which order, and which are known."""

from __future__ import annotations

from typing import Any

from fastsio.cluster.client_change_log import ClientChangeLog
from fastsio.cluster.stream_entries import ClientChange, EntryType
from fastsio.state.recovery import SavedSession


def stored(as_of: int = 0, **rooms: int | None) -> SavedSession:
    """Return the session of a client as it was stored at a position, in rooms that it entered at positions."""
    entered = {room: None if at is None else (at, 0) for room, at in rooms.items()}
    return SavedSession("pid", "sid", "/", dict(entered), {}, (0, 0), as_of=(as_of, 0))


def leaving(*rooms: str, of: str = "sid", without: frozenset[Any] = frozenset()) -> ClientChange:
    """Return the entry with which the clients of a room leave rooms."""
    return ClientChange(EntryType.LEAVE, "/", (of,), without, rooms)


def disconnecting(of: str | None = "sid", namespace: str = "/") -> ClientChange:
    """Return the entry with which the clients of a room are disconnected."""
    return ClientChange(EntryType.DISCONNECT, namespace, (of,), frozenset())


def log_of(*changes: ClientChange, **limits: Any) -> ClientChangeLog:
    """Return a log of entries, at the positions 1, 2 and so on, each read a second after the one before."""
    log = ClientChangeLog((0, 0), **limits)
    for number, change in enumerate(changes, 1):
        log.append((number, 0), change, number)
    return log


def test_a_client_leaves_what_it_was_taken_out_of() -> None:
    """By its sid or by a room that it was in; it stays in the other rooms, and the session is then up to date."""
    log = log_of(leaving("tea", "milk"), leaving("coffee", of="coffee"), leaving("beer", of="other"))
    session = stored(tea=None, coffee=None, beer=None)

    assert log.bring_up(session, (3, 0))
    assert (list(session.rooms), session.as_of) == (["beer"], (3, 0))


def test_what_the_session_has_already_is_not_done_again() -> None:
    """Neither what was done before it was stored, nor before the client entered the room again."""
    log = log_of(leaving("tea", "coffee"), leaving("milk"))
    session = stored(as_of=1, tea=None, coffee=None, milk=2)

    assert log.bring_up(session, (2, 0))
    assert list(session.rooms) == ["tea", "coffee", "milk"]


def test_what_is_done_to_a_room_is_for_those_who_are_still_in_it() -> None:
    """An earlier entry may have taken the client out, and exceptions count."""
    log = log_of(
        leaving("tea"), disconnecting("tea"), leaving("milk", of="milk", without=frozenset({"coffee"})), leaving("milk")
    )
    session = stored(tea=None, milk=None, coffee=None)

    assert log.bring_up(session, (3, 0))
    assert list(session.rooms) == ["coffee"]


def test_a_disconnected_client_cannot_come_back() -> None:
    """By its sid, by a room or with all of its namespace; those of another namespace can, and those that only entered."""
    for of in ("sid", "tea", None):
        assert not log_of(disconnecting(of)).bring_up(stored(tea=None), (1, 0))
    entering = ClientChange(EntryType.JOIN, "/", ("sid",), frozenset(), ("milk",))
    session = stored(tea=None)
    assert log_of(disconnecting("other"), disconnecting(namespace="/news"), entering).bring_up(session, (3, 0))
    assert list(session.rooms) == ["tea"]


def test_what_was_dropped_is_not_known() -> None:
    """A session that was stored before an entry for its client was dropped needs the stream itself."""
    entries = [leaving("milk", of="other"), leaving("tea"), leaving("milk", of="other")]
    session = stored(tea=None)

    for limits in ({"max_entries": 1}, {"max_bytes": 2000}, {"max_age_s": 1}):
        log = log_of(*entries, **limits)
        assert (log.knows(session), log.knows(stored(as_of=2))) == (False, True)
    assert log_of(*entries).knows(session)


def test_a_gap_is_not_known() -> None:
    """After a restart, the log knows what follows it."""
    log = log_of(leaving("tea"))
    log.restart((5, 0))

    assert (log.knows(stored(as_of=4)), log.knows(stored(as_of=5))) == (False, True)
