"""The log of events and the sessions of lost clients: what is found, in which order, and what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio.protocol.offset import write_offset
from fastsio.state.recovery import (
    ENTRY_BYTES,
    NOT_RECOVERED,
    QUIET_ROOM_BYTES,
    ROOM_BYTES,
    SKIP_BYTES,
    ClientRecovery,
    Dropped,
    Entry,
    Found,
    PacketLog,
    Recovered,
    SavedSession,
    SavedSessions,
    in_batches,
    position_after,
)


def make_log(*, max_packets: int = 100, max_bytes: int = 1 << 20, max_age_s: float = 10.0) -> PacketLog:
    """Return an empty log."""
    return PacketLog(max_packets, max_bytes, max_age_s)


def send(
    log: PacketLog, *rooms: Any, namespace: str = "/", skip: tuple[str, ...] = (), size: int = 10, time: float = 0.0
) -> int:
    """Add an event, and return its position."""
    position: int = log.last + 1
    log.append(Entry(position, namespace, rooms, skip, [f"event {position}"], size, time))
    return position


def away(pid: str = "pid", sid: str = "sid", namespace: str = "/", **rooms: Any) -> SavedSession:
    """Return the session of a client, in rooms that it entered at a position."""
    return SavedSession(pid, sid, namespace, dict(rooms), {}, 0)


def positions(log: PacketLog, session: SavedSession, after: int = 0) -> list[int]:
    """Return the positions of what a client has missed."""
    return [entry.position for entry in log.missed(session, after)]


def test_what_was_sent_to_a_client_is_found_once_in_its_order() -> None:
    """Events to all, to the client and to its rooms are missed; those to others are not."""
    log = make_log()
    sent = [send(log, None), send(log, "tea", "sid"), send(log, "sid"), send(log, "tea")]
    send(log, "coffee")
    send(log, "other")
    send(log, None, namespace="/news")
    send(log, None, skip=("sid",))

    assert positions(log, away(tea=None)) == sent
    assert positions(log, away(tea=None), after=sent[1]) == sent[2:]


def test_of_a_room_only_what_followed_the_entry_is_missed() -> None:
    """What was sent to a room before the client entered it is not for the client, whatever offset it claims."""
    log = make_log()
    send(log, "tea")
    after_entry = send(log, "tea")

    assert positions(log, away(tea=1)) == [after_entry]


def test_events_before_the_client_connected_are_not_for_it() -> None:
    """An offset from before the first connection brings nothing older than that."""
    log = make_log()
    send(log, None)
    session = away()
    session.since = send(log, "sid")
    later = send(log, None)

    assert positions(log, session) == [later]


def test_the_oldest_events_are_dropped_beyond_the_number() -> None:
    """The log says after which position it is complete."""
    log = make_log(max_packets=2)
    sent = [send(log, None) for _ in range(5)]

    assert len(log) == 2
    assert log.complete_after == sent[2]
    assert positions(log, away()) == sent[3:]


def test_the_oldest_events_are_dropped_beyond_the_bytes() -> None:
    """Frames count, and fixed sums for each event, for each room, and for each sid that it is not sent to."""
    log = make_log(max_bytes=ROOM_BYTES + 2 * (ENTRY_BYTES + 10))
    for _ in range(3):
        send(log, "tea", size=10)

    assert (len(log), log.size) == (2, ROOM_BYTES + 2 * (ENTRY_BYTES + 10))
    send(log, "milk", size=10)
    assert (len(log), log.size) == (1, ROOM_BYTES + ENTRY_BYTES + 10)
    send(log, "milk", skip=("a", "b"), size=10 - 2 * SKIP_BYTES)
    assert (len(log), log.size) == (2, ROOM_BYTES + 2 * (ENTRY_BYTES + 10))
    send(log, "tea", size=2 * ENTRY_BYTES + ROOM_BYTES)
    assert (len(log), log.size, log.complete_after) == (0, 0, log.last)


def test_what_was_dropped_matters_to_those_that_it_was_for() -> None:
    """A client has missed an event that is kept no longer if it was for the client, and the client has not had it."""
    log = make_log(max_packets=2)
    to_tea, to_sid, _, _ = send(log, "tea"), send(log, "sid"), send(log, "other"), send(log, "other")

    assert not log.has_missed_dropped(away(sid="quiet", milk=None), 0)
    assert log.has_missed_dropped(away(sid="quiet", tea=None), 0)
    assert not log.has_missed_dropped(away(sid="quiet", tea=None), to_tea)
    assert not log.has_missed_dropped(away(sid="quiet", tea=to_tea), 0)
    assert log.has_missed_dropped(away(), to_tea)
    assert not log.has_missed_dropped(away(), to_sid)
    assert not log.has_missed_dropped(away(namespace="/news"), 0)


def test_of_what_was_dropped_a_sender_has_not_missed_its_own() -> None:
    """Events that were not sent to the client, because it has caused them, do not matter to it."""
    log = make_log(max_packets=2)
    heard = send(log, "tea", skip=("other",))
    for _ in range(3):
        said = send(log, "tea", skip=("sid",))
    for _ in range(2):
        send(log, "milk")

    assert not log.has_missed_dropped(away(tea=None), heard)
    assert log.has_missed_dropped(away(tea=None), heard - 1)
    assert log.has_missed_dropped(away(sid="third", tea=None), said - 1)


def test_few_quiet_rooms_are_known() -> None:
    """When it is not known any more of which rooms the dropped events were, all that are older are missed."""
    log = make_log(max_packets=3, max_bytes=4 * 3 * QUIET_ROOM_BYTES)
    for number in range(10):
        send(log, f"room {number}", size=-ROOM_BYTES)

    assert [log.has_missed_dropped(away(), after) for after in range(6)] == [True, True, True, True, False, False]


def test_old_events_are_dropped() -> None:
    """What is as old as the limit is dropped, and nothing is left of its rooms."""
    log = make_log(max_age_s=10.0)
    send(log, "tea", time=0.0)
    kept = send(log, "tea", time=5.0)

    log.drop_old(10.0)

    assert positions(log, away(tea=None)) == [kept]
    log.drop_old(15.0)
    assert (len(log), log.size, positions(log, away(tea=None))) == (0, 0, [])


def test_a_log_that_starts_again_knows_nothing_of_before() -> None:
    """Whatever a client has missed before that, it may have missed something."""
    log = make_log(max_packets=1)
    send(log, "tea")
    seen = send(log, "milk")

    log.restart(seen + 5)

    assert (len(log), log.size, log.last) == (0, 0, seen + 5)
    assert log.has_missed_dropped(away(), seen)
    assert not log.has_missed_dropped(away(tea=None), seen + 5)


def test_what_was_missed_is_told_once() -> None:
    """Of the rooms that the client is still in; after that it is a client like others."""
    log = make_log()
    send(log, "tea")
    both, milk = send(log, "tea", "milk"), send(log, "milk")
    recovery = ClientRecovery("pid", 0)
    recovery.restored = away(tea=None, milk=None)
    recovery.missed = log.missed(recovery.restored, 0)
    recovery.members = ["a member"]

    assert [entry.position for entry in recovery.take_missed({None, "sid", "milk"})] == [both, milk]
    assert recovery.take_missed({"milk"}) == []
    assert (recovery.restored, recovery.members) == (None, [])


def test_what_a_client_missed_on_another_node_is_for_its_rooms() -> None:
    """It stands in the log for this client alone; whether it gets it depends on the rooms that it was sent to."""
    recovery = ClientRecovery("pid", 0)
    place = "/", ("sid",), (), None, 0, 0.0
    recovery.missed = [Entry(1, *place, sent_to=("tea",)), Entry(2, *place, sent_to=("milk",)), Entry(3, *place)]

    assert [entry.position for entry in recovery.take_missed({None, "sid", "milk"})] == [2, 3]


def test_a_session_is_known_in_its_namespace() -> None:
    """By its pid."""
    sessions = SavedSessions(10)
    session = away()
    sessions.add(session)

    assert sessions.of_pid("pid") is session
    assert sessions.of_pid("unknown") is None
    assert sessions.has("/", "pid")
    assert not sessions.has("/other", "pid")
    assert not sessions.has("/", "unknown")


def test_a_session_is_given_to_the_first_that_asks() -> None:
    """A pid works once, and in its own namespace."""
    sessions = SavedSessions(10)
    session = away()
    sessions.add(session)

    assert sessions.claim("pid", "/other") is None
    assert sessions.claim("unknown", "/") is None
    assert sessions.claim("pid", "/") is session
    assert sessions.claim("pid", "/") is None
    assert sessions.get("/", "sid") is session
    assert sessions.remove(session)
    assert not sessions.remove(session)
    assert (len(sessions), sessions.get("/", "sid")) == (0, None)


def test_the_oldest_sessions_are_dropped_beyond_the_number() -> None:
    """The caller is told which were dropped."""
    sessions = SavedSessions(2)
    kept = [away(f"pid{number}", f"sid{number}", tea=None) for number in range(4)]

    dropped = [sessions.add(session) for session in kept]

    assert dropped == [[], [], [kept[0]], [kept[1]]]
    assert [session in sessions for session in kept] == [False, False, True, True]
    assert "pid3" not in sessions
    assert list(sessions) == kept[2:]


def test_a_session_that_is_kept_once_more() -> None:
    """It takes the place of the one with its pid, and nothing is left of either when it goes."""
    sessions = SavedSessions(1)
    first, second = away("pid", "sid", tea=None), away("pid", "sid", milk=None)

    assert [sessions.add(each) for each in (first, first, second)] == [[], [], []]

    assert (first in sessions, second in sessions, len(sessions)) == (False, True, 1)
    assert (sessions.is_in("/", "tea"), sessions.is_in("/", "milk")) == (False, True)
    sessions.remove(second)
    assert not any(sessions.is_in("/", room) for room in (None, "tea", "milk"))


def test_clients_that_are_away_leave_rooms() -> None:
    """One client leaves, or a room is closed; a room is known as long as one of them is in it."""
    sessions = SavedSessions(10)
    ann, ben = away("a", "ann", tea=1, milk=2), away("b", "ben", tea=3)
    sessions.add(ann)
    sessions.add(ben)

    sessions.leave_room("/", "ann", "tea")
    sessions.leave_room("/", "ann", "unknown")
    sessions.leave_room("/", "nobody", "tea")
    assert (ann.rooms, ben.rooms) == ({"milk": 2}, {"tea": 3})
    assert (sessions.is_in("/", "tea"), sessions.is_in("/", "ben"), sessions.is_in("/news", "tea")) == (
        True,
        True,
        False,
    )

    sessions.close_room("/", "tea")
    sessions.close_room("/", "tea")
    assert (ben.rooms, sessions.is_in("/", "tea")) == ({}, False)

    sessions.remove(ann)
    assert not sessions.is_in("/", "milk")
    assert (sessions.is_in("/", None), sessions.is_in("/news", None)) == (True, False)
    sessions.remove(ben)
    assert not sessions.is_in("/", None)


def test_what_connect_handlers_are_told() -> None:
    """It is true for a client that comes back only, and empty for others."""
    recovered = Recovered("sid", ["tea"], {"user": "ann"})

    assert recovered
    assert (recovered.sid, recovered.rooms, recovered.session) == ("sid", ("tea",), {"user": "ann"})
    assert repr(recovered) == "Recovered('sid', rooms=('tea',))"
    assert not NOT_RECOVERED
    assert (NOT_RECOVERED.rooms, NOT_RECOVERED.session, repr(NOT_RECOVERED)) == ((), {}, "Recovered()")


def test_two_sessions_with_one_sid() -> None:
    """The application may give a sid again to another client; nothing is left of either when they go."""
    for order in (1, -1):
        sessions = SavedSessions(10)
        both = [away("p1", "sid", tea=None), away("p2", "sid", tea=None)]
        for each in both:
            sessions.add(each)

        for each in both[::order]:
            assert sessions.remove(each)

        assert not any(sessions.is_in("/", room) for room in (None, "tea", "sid"))


def test_a_log_with_the_contents_of_another_has_missed_the_same_events() -> None:
    """What was sent before, and what was dropped, is known as there."""
    entries = [Entry(position, "/", ("tea",), (), [f"event {position}"], 10, 0.0) for position in (5, 6)]

    log = PacketLog.of(entries, {("/", "milk"): Dropped(4, None, None)}, complete_after=4, known_after=2, last=7)

    assert (positions(log, away(tea=None)), len(log), log.last) == ([5, 6], 2, 7)
    assert log.has_missed_dropped(away(milk=None), 3)
    assert not log.has_missed_dropped(away(tea=None), 3)
    assert log.has_missed_dropped(away(tea=None), 1)


@pytest.mark.parametrize(
    ("limits", "batches"),
    [
        ((9, 99), [["a1", "a2", "b", "c"]]),
        ((2, 99), [["a1", "a2"], ["b", "c"]]),
        ((9, 20), [["a1", "a2", "b"], ["c"]]),
        ((1, 1), [["a1", "a2"], ["b"], ["c"]]),
        ((9, 99, 2, 99), [["a1", "a2"], ["b", "c"]]),
        ((9, 99, 9, 10), [["a1", "a2"], ["b", "c"]]),
    ],
)
def test_frames_are_sent_in_batches_within_the_limits(limits: Any, batches: list[list[str]]) -> None:
    """The frames of one event stay together; the first batch may have lower limits."""
    events = [
        Entry(1, "/", (None,), (), ["a1", "a2"], 10, 0.0),
        Entry(2, "/", (None,), (), ["b"], 10, 0.0),
        Entry(3, "/", (None,), (), None, 0, 0.0),
        Entry(4, "/", (None,), (), ["c"], 10, 0.0),
    ]

    assert in_batches(events, *limits) == batches
    assert in_batches([], *limits) == []


def test_a_session_is_the_one_that_this_node_has_stored() -> None:
    """One with the digest of another value is that of a later connection."""
    known = away()
    known.stored = ["one", "two"]

    assert [Found(away(), 0, digest=digest).is_of(known) for digest in ("", "two", "three")] == [True, True, False]


@pytest.mark.parametrize(
    ("offset", "seen", "after"),
    [
        (None, None, 5),
        (write_offset(8), None, 8),
        (write_offset(5), None, 5),
        (write_offset(9), None, 9),
        (write_offset(10), None, None),
        (write_offset(4), None, None),
        ("no offset", None, None),
        ("of another process", None, 5),
        (None, 3, None),
        (None, 0, 5),
        (write_offset(2), 3, None),
        (write_offset(3), 3, 5),
        (write_offset(8), 3, 8),
    ],
)
def test_a_client_has_missed_what_follows_its_offset(offset: str | None, seen: int | None, after: int | None) -> None:
    """
    Not what was sent before it connected; a session whose offset is not known is lost.

    A client of an earlier process must have received all that it had missed there.
    """
    session = away()
    session.since, session.seen, session.foreign_offset = 5, seen, "of another process"

    assert position_after(session, offset, last=9) == after
