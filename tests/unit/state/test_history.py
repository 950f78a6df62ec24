"""The histories of rooms: which events a client has missed, whether they are all, and what is forgotten."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from fastsio.state.history import ENTRY_BYTES, History, RoomLogs, Since, join_offset, split_offset

ALL = Since("")


def make_logs(*, shared_epoch: str | None = None, **limits: Any) -> RoomLogs:
    """Return logs without events; their epochs are e1, e2 and so on."""
    numbers = count(1)
    known = {"size": 100, "ttl": 10.0, "max_bytes": 1 << 20, "max_rooms": 100, "max_total_bytes": 1 << 30}
    return RoomLogs(History(**{**known, **limits}), lambda: f"e{next(numbers)}", shared_epoch)


def send(
    logs: RoomLogs, room: str = "tea", *, size: int = 10, now: float = 0.0, skip: tuple[str, ...] = ()
) -> list[str]:
    """Add an event; return the rooms of which none is kept any more."""
    return logs.append(room, [logs.next_offset(room)], size, now, skip=skip)


def missed(
    logs: RoomLogs, since: Since | None, room: str = "tea", *, sid: str = "ann", now: float = 0.0, until: Any = None
) -> tuple[list[Any], bool]:
    """Return the frames that a client has missed, and whether they are all."""
    events, standing = logs.missed(room, since, sid, now, until=until)
    return [frame for event in events for frame in event.frames], standing.complete


def test_a_client_gets_the_events_after_its_offset_in_their_order() -> None:
    """None twice, and it is told that they are all."""
    logs = make_logs()
    for _ in range(4):
        send(logs)

    assert missed(logs, Since("e1-2")) == (["e1-3", "e1-4"], True)
    assert missed(logs, Since("e1-2", "e1")) == (["e1-3", "e1-4"], True)
    assert missed(logs, Since("e1-4")) == ([], True)
    assert missed(logs, ALL) == (["e1-1", "e1-2", "e1-3", "e1-4"], True)


@pytest.mark.parametrize(
    ("sid", "rooms", "expected"),
    [
        ("ann", [], ["e1-1"]),
        ("ann", ["tea", "quiet"], []),
        ("ann", ["loud"], ["e1-1"]),
        ("ben", [], []),
        ("cid", ["loud"], []),
    ],
)
def test_an_event_is_not_for_those_that_it_leaves_out(sid: str, rooms: list[str], expected: list[str]) -> None:
    """Neither for sids that were skipped, nor for clients in a room that was left out; a sid may be one."""
    logs = make_logs()
    logs.append("tea", [logs.next_offset("tea")], 10, 0.0, skip=("ben",), without=("quiet", "cid"))

    events, _ = logs.missed("tea", ALL, sid, 0.0, rooms=rooms)

    assert [frame for event in events for frame in event.frames] == expected


def test_rooms_are_apart() -> None:
    """Each has an epoch and numbers of its own."""
    logs = make_logs()
    send(logs, "tea")
    send(logs, "coffee")

    assert missed(logs, ALL, "tea") == (["e1-1"], True)
    assert missed(logs, ALL, "coffee") == (["e2-1"], True)
    assert missed(logs, Since("e1-0"), "coffee") == (["e2-1"], False)


@pytest.mark.parametrize(
    "since",
    [Since("e9-1"), Since("e1-1", "e9"), Since("e1-3"), Since("1"), Since("e1-"), Since("-1"), Since("e1-²"),
     Since("e1-" + "1" * 19), Since("", "e9")],
)  # fmt: skip
def test_with_an_offset_that_says_nothing_all_is_sent_and_called_incomplete(since: Since) -> None:
    """One of another epoch, of the future, or none at all."""
    logs = make_logs()
    send(logs)
    send(logs)

    assert missed(logs, since) == (["e1-1", "e1-2"], False)


def test_the_oldest_events_beyond_the_size_are_dropped() -> None:
    """A client that missed one of them is told so."""
    logs = make_logs(size=2)
    for _ in range(4):
        send(logs)

    assert missed(logs, Since("e1-1")) == (["e1-3", "e1-4"], False)
    assert missed(logs, Since("e1-2")) == (["e1-3", "e1-4"], True)
    assert missed(logs, ALL) == (["e1-3", "e1-4"], False)


def test_the_oldest_events_beyond_the_bytes_are_dropped() -> None:
    """One that is larger than all together is not kept at all."""
    logs = make_logs(max_bytes=2 * (ENTRY_BYTES + 10))
    for _ in range(3):
        send(logs)
    assert missed(logs, ALL) == (["e1-2", "e1-3"], False)

    assert send(logs, size=5_000) == ["tea"]

    assert missed(logs, Since("e1-3")) == ([], False)
    assert missed(logs, Since("e1-4")) == ([], True)
    assert (logs.total_bytes, logs.has_events("tea")) == (0, False)


def test_events_end_with_their_time() -> None:
    """The numbers go on afterwards: a client that had the last of them has missed nothing."""
    logs = make_logs(ttl=10.0)
    send(logs, now=0.0)
    send(logs, now=5.0)

    assert missed(logs, ALL, now=10.0) == (["e1-2"], False)
    assert missed(logs, ALL, now=15.0) == ([], False)
    assert missed(logs, Since("e1-2"), now=15.0) == ([], True)
    assert not logs.has_events("tea")


def test_an_event_frees_what_is_too_old_in_other_rooms() -> None:
    """The rooms of which nothing is kept any more are named."""
    logs = make_logs(ttl=10.0)
    send(logs, "tea", now=0.0)
    send(logs, "coffee", now=5.0)

    assert send(logs, "water", now=10.0) == ["tea"]

    assert (logs.has_events("tea"), logs.has_events("coffee")) == (False, True)
    assert logs.total_bytes == 2 * (ENTRY_BYTES + 10)


def test_rooms_without_events_for_the_longest_time_lose_theirs_beyond_the_bytes_of_all() -> None:
    """They keep their numbers."""
    logs = make_logs(max_total_bytes=2 * (ENTRY_BYTES + 10))
    send(logs, "tea")
    send(logs, "coffee")
    send(logs, "tea")

    assert not logs.has_events("coffee")
    assert missed(logs, Since("e2-1"), "coffee") == ([], True)
    assert missed(logs, Since("e2-0"), "coffee") == ([], False)
    assert missed(logs, ALL) == (["e1-1", "e1-2"], True)


def test_rooms_beyond_their_number_are_forgotten() -> None:
    """Those without events first; a new epoch says so to clients that come back."""
    logs = make_logs(max_rooms=2)
    send(logs, "tea")
    missed(logs, None, "coffee")
    send(logs, "water")

    assert (len(logs), logs.has_events("tea"), logs.has_events("water")) == (2, True, True)
    assert send(logs, "milk") == ["tea"]
    assert send(logs, "milk") == []
    assert (len(logs), logs.has_events("tea")) == (2, False)
    assert missed(logs, Since("e1-1"), "tea") == ([], False)


def test_a_client_that_asks_for_nothing_gets_nothing() -> None:
    """It is told where the room stands."""
    logs = make_logs()
    send(logs)

    events, standing = logs.missed("tea", None, "ann", 0.0)

    assert (events, standing) == ([], ("e1", "e1-1", True))


def test_where_one_event_is_kept_each_client_gets_it() -> None:
    """Unless it was left out, or has it already."""
    logs = make_logs(size=1)
    assert missed(logs, None) == ([], True)
    send(logs)
    send(logs, skip=("ben",))

    assert missed(logs, None) == (["e1-2"], True)
    assert missed(logs, None, sid="ben") == ([], True)
    assert missed(logs, Since("e1-2")) == ([], True)
    assert missed(logs, None, now=10.0) == ([], True)


def test_what_a_client_was_left_out_of_it_has_not_missed() -> None:
    """Others have."""
    logs = make_logs()
    send(logs, skip=("ann",))
    send(logs)

    assert missed(logs, ALL) == (["e1-2"], True)
    assert missed(logs, ALL, sid="ben") == (["e1-1", "e1-2"], True)


def test_a_client_that_is_in_the_room_has_missed_only_what_was_before() -> None:
    """It has got everything else."""
    logs = make_logs(size=3)
    for _ in range(5):
        send(logs)

    assert missed(logs, Since("e1-2"), until=3) == (["e1-3"], True)
    assert missed(logs, Since("e1-1"), until=3) == (["e1-3"], False)
    assert missed(logs, Since("e1-1"), until=1) == ([], True)


def test_a_room_that_is_forgotten_begins_anew() -> None:
    """So do all of them."""
    logs = make_logs()
    send(logs, "tea")
    send(logs, "coffee")

    logs.forget("tea")
    logs.forget("nothing")
    assert missed(logs, Since("e1-1")) == ([], False)
    assert logs.total_bytes == ENTRY_BYTES + 10
    logs.clear()
    assert (logs.total_bytes, len(logs)) == (0, 0)
    assert logs.state_of("coffee", complete=True) == ("e4", "e4-0", True)


def test_offsets_are_read_as_they_are_written() -> None:
    """An epoch may have dashes."""
    assert split_offset(join_offset("a-b", 7)) == ("a-b", 7)


def share(logs: RoomLogs, position: int, room: str = "tea") -> None:
    """Add an event out of a log that several processes share."""
    logs.append(room, [logs.next_offset(room, position)], 10, 0.0, position=position)


def test_processes_that_share_a_log_know_each_others_offsets() -> None:
    """Each knows the events since it has begun to read, and that there may have been some before."""
    one, other = make_logs(shared_epoch="stream"), make_logs(shared_epoch="stream")
    share(one, 10)
    other.clear(15)
    for logs in (one, other):
        share(logs, 20)
        share(logs, 30, "coffee")

    assert missed(one, Since("stream-10")) == missed(other, Since("stream-15")) == (["stream-20"], True)
    assert missed(other, Since("stream-10")) == (["stream-20"], False)
    assert missed(one, ALL) == (["stream-10", "stream-20"], True)
    assert missed(other, ALL) == (["stream-20"], False)


def test_a_client_is_told_how_far_a_process_has_read_the_shared_log() -> None:
    """So it has missed nothing when it comes back to one that began to read after the last event of the room."""
    logs = make_logs(shared_epoch="stream")
    share(logs, 10)
    logs.newest = 25

    _, standing = logs.missed("tea", None, "ann", 0.0)

    assert standing.offset == "stream-25"
    assert missed(logs, Since("stream-25")) == ([], True)
    assert missed(logs, Since("stream-26")) == (["stream-10"], False)


def test_a_room_that_is_forgotten_goes_on_in_the_shared_epoch() -> None:
    """What was before is not known any more."""
    logs = make_logs(shared_epoch="stream", max_rooms=1)
    share(logs, 10)
    share(logs, 20, "coffee")

    assert missed(logs, Since("stream-5")) == ([], False)
    assert missed(logs, Since("stream-10")) == ([], False)
    share(logs, 30)
    assert missed(logs, Since("stream-20")) == (["stream-30"], True)
