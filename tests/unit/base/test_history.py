"""The histories of a server's rooms: the option, what clients send, and which frames each gets."""

from __future__ import annotations

from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio import History, Room
from fastsio.base.history import Arrival, Histories, KeptEmit, split_payload
from fastsio.exceptions import SetupError, ValidationFailed
from fastsio.state.history import Since


class Feed(Room):
    history = History(size=3)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]


class Office(Feed):
    presence = True


def frame(content: list[Any]) -> list[Any]:
    """Return what stands for the frames of an event."""
    return [SimpleNamespace(size=1, content=content)]


def kept(*room_classes: type[Room]) -> Histories:
    """Return what is kept of the rooms of classes in the root namespace."""
    histories = Histories(partial(next, (f"e{number}" for number in count(1))))
    for room_class in room_classes:
        histories.add("/", room_class, is_present=room_class.presence)
    return histories


def send(histories: Histories, room: str, skip: tuple[str, ...] = ()) -> None:
    """Keep an event of a room."""
    for name, logs in histories.logs_for_event("/", [room], "news").items():
        KeptEmit(["news"], frame).keep(name, logs, skip, 0.0)


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"size": 1.5}, {"size": True}, {"ttl": 0}, {"ttl": "5"}, {"max_bytes": -1}, {"max_rooms": None},
     {"max_total_bytes": 0}],
)  # fmt: skip
def test_a_value_that_is_no_positive_number_is_refused(options: dict[str, Any]) -> None:
    """The error names it."""
    with pytest.raises(SetupError, match=rf"History\({next(iter(options))}="):
        History(**options)


def test_a_history_that_is_none_is_refused() -> None:
    """It is set in the class."""
    with pytest.raises(SetupError, match=r"Wrong\.history is 100; give it History"):
        type("Wrong", (Room,), {"__qualname__": "Wrong", "history": 100})


def test_a_class_without_a_key_cannot_have_a_history() -> None:
    """The name of a room could be a sid."""
    with pytest.raises(SetupError, match="give it a key"):
        kept(type("Bare", (Feed,), {"key": ""}))


def test_a_class_without_a_history_keeps_nothing() -> None:
    """Its rooms are as all others."""
    histories = kept(type("Plain", (Feed,), {"history": None}))

    assert not histories.keeps_events_of("/", "plain|5")


def test_events_are_kept_in_the_rooms_that_have_a_history() -> None:
    """Not those of other namespaces, nor of rooms that are no text, nor who is present."""
    histories = kept(Feed, Office)

    assert list(histories.logs_for_event("/", ["feed|5", "tea", None, 7, "feed|6"], "news")) == ["feed|5", "feed|6"]
    assert list(histories.logs_for_event("/", ["feed|5", "office|5"], "presence")) == ["feed|5"]
    assert not histories.logs_for_event("/news", ["feed|5"], "news")


def test_a_client_gets_what_it_has_asked_for_when_it_enters() -> None:
    """It is told so as of the time when it is told."""
    histories = kept(Feed)
    send(histories, "feed|5")
    send(histories, "feed|5")
    arrival = Arrival(Since(""))
    histories.begin_arrival("/", "feed|5", "ann", arrival)

    missed = histories.enter("/", "feed|5", "ann", 1.0)
    histories.end_arrival("/", "feed|5", "ann")
    send(histories, "feed|5")

    assert ([event.number for event in missed], arrival.number) == ([1, 2], 2)
    told = histories.confirmation("/", "feed|5", arrival)
    assert told == {"epoch": told["epoch"], "offset": f"{told['epoch']}-3", "complete": True}
    assert histories.enter("/", "feed|5", "ben", 1.0) == []
    assert histories.enter("/", "tea", "ben", 1.0) == []


def test_a_client_that_is_in_a_room_gets_what_it_missed_before() -> None:
    """It has all events since; one of which that is not known has missed nothing."""
    histories = kept(Feed)
    for _ in range(3):
        send(histories, "feed|5")

    def asks(since: Since | None, entered: int | None) -> list[int]:
        arrival = Arrival(since)
        missed = histories.reenter("/", "feed|5", "ann", arrival, entered, 1.0)
        assert histories.confirmation("/", "feed|5", arrival)["complete"]
        return [event.number for event in missed]

    assert (asks(Since(""), 2), asks(Since(""), None), asks(None, 2)) == ([1, 2], [], [])
    assert histories.reenter("/", "tea", "ann", Arrival(None), None, 1.0) == []


def test_a_client_that_has_not_entered_is_told_nothing() -> None:
    """Nor is one of a room without a history."""
    histories = kept(Feed)

    assert histories.confirmation("/", "feed|5", Arrival(None)) == {}
    assert histories.confirmation("/", "tea", Arrival(None)) == {}


def test_a_client_is_told_when_events_are_lost_before_its_join_is_confirmed() -> None:
    """The room was forgotten since the client entered, and has a new epoch."""
    histories = kept(Feed)
    send(histories, "feed|5")
    arrival = Arrival(Since(""))
    histories.begin_arrival("/", "feed|5", "ann", arrival)
    histories.enter("/", "feed|5", "ann", 1.0)
    before = histories.confirmation("/", "feed|5", arrival)

    histories.forget("/", "feed|5")
    told = histories.confirmation("/", "feed|5", arrival)

    assert (before["complete"], told["complete"]) == (True, False)
    assert told["epoch"] != before["epoch"]


def test_a_client_is_told_when_events_are_dropped_before_it_gets_them() -> None:
    """It is still sent those that are kept."""
    histories = kept(Feed)
    send(histories, "feed|5")
    arrival = Arrival(Since(""))
    histories.begin_arrival("/", "feed|5", "ann", arrival)
    histories.enter("/", "feed|5", "ann", 1.0)

    for _ in range(3):
        send(histories, "feed|5")
    assert [event.number for event in histories.after("/", "feed|5", "ann", 1)] == [2, 3, 4]
    assert histories.confirmation("/", "feed|5", arrival)["complete"]

    send(histories, "feed|5")
    assert [event.number for event in histories.after("/", "feed|5", "ann", 1)] == [3, 4, 5]
    assert not histories.confirmation("/", "feed|5", arrival)["complete"]


def test_rooms_are_forgotten() -> None:
    """One by one, or all."""
    histories = kept(Feed)
    for room in ("feed|5", "feed|6", "feed|7"):
        send(histories, room)

    histories.forget("/", "feed|5")
    histories.forget("/", "tea")
    assert [histories.has_events("/", room) for room in ("feed|5", "feed|6", "tea")] == [False, True, False]
    histories.forget_all()
    assert not histories.has_events("/", "feed|6")


@pytest.mark.parametrize(
    ("args", "rest", "since"),
    [
        ((), (), None),
        (("text",), ("text",), None),
        (({"id": 5},), ({"id": 5},), None),
        (({"id": 5, "epoch": "e"},), ({"id": 5},), None),
        (({"id": 5, "since": "e-1"}, 2), ({"id": 5}, 2), Since("e-1")),
        (({"id": 5, "since": "e-1", "epoch": "e"},), ({"id": 5},), Since("e-1", "e")),
        (({"id": 5, "since": None, "epoch": None},), ({"id": 5},), Since("")),
        (({"since": ""},), ({},), Since("")),
    ],
)
def test_what_concerns_the_history_is_taken_out_of_the_payload(args: Any, rest: Any, since: Since | None) -> None:
    """The application does not see it."""
    assert split_payload(args) == (rest, since)


@pytest.mark.parametrize("payload", [{"since": 5}, {"since": ["e-1"]}, {"since": "e-1", "epoch": 1}, {"since": False}])
def test_what_is_no_text_is_refused(payload: dict[str, Any]) -> None:
    """The error says where."""
    with pytest.raises(ValidationFailed, match=r"args\.0\.(since|epoch): Input should be a valid string"):
        split_payload((payload,))


def test_each_client_gets_the_offsets_of_the_rooms_that_it_is_in() -> None:
    """An event to several rooms does not tell a client of one that the others exist."""
    histories = kept(Feed)
    rooms = ("feed|5", "feed|6", "tea")
    event = KeptEmit(["news", 1], frame)
    for name, logs in histories.logs_for_event("/", rooms, "news").items():
        event.keep(name, logs, (), 0.0)
    clients: Any = [
        SimpleNamespace(sid=sid, rooms=dict.fromkeys(joined), recovery=None)
        for sid, joined in (("both", rooms), ("five", ["feed|5"]), ("tea", ["tea"]), ("also five", ["feed|5"]))
    ]

    got = [
        ([client.sid for client in found], [each.content for each in frames])
        for found, frames in event.deliveries(clients, rooms)
    ]

    names = [(who, list(content[-1]["offsets"]) if content[2:] else []) for who, (content,) in got]
    assert names == [(["both"], ["feed|5", "feed|6"]), (["five", "also five"], ["feed|5"]), (["tea"], [])]


def test_clients_that_recovery_can_bring_back_get_its_offset_last() -> None:
    """The frames that recovery keeps are used again."""
    histories = kept(Feed)
    event = KeptEmit(["news"], frame)
    for name, logs in histories.logs_for_event("/", ("feed|5",), "news").items():
        event.keep(name, logs, (), 0.0)
    numbered = frame(["kept by recovery"])
    event.number(("feed|5",), numbered, "~1~")
    ann: Any = SimpleNamespace(rooms={"feed|5": None}, recovery=object())
    old: Any = SimpleNamespace(rooms={"feed|5": None}, recovery=None)

    (to_ann, frames), (to_old, plain) = event.deliveries([ann, old], ("feed|5",))

    assert (to_ann, frames, to_old) == ([ann], numbered, [old])
    assert list(plain[0].content[-1]) == ["offsets"]
    event.number((), frame(["kept by recovery"]), "~2~")
    ann.rooms = {}
    assert [each[0].content for _, each in event.deliveries([ann], ("feed|5", "tea"))] == [["kept by recovery"]]


def test_the_offset_of_recovery_follows_those_of_the_rooms() -> None:
    """Of an event to several rooms, recovery keeps frames without them."""
    event = KeptEmit(["news"], frame)
    for name, logs in kept(Feed).logs_for_event("/", ("feed|5", "tea"), "news").items():
        event.keep(name, logs, (), 0.0)
    event.number((), frame(["kept by recovery"]), "~1~")
    ann: Any = SimpleNamespace(rooms={"feed|5": None}, recovery=object())

    [(_, [delivered])] = event.deliveries([ann], ("feed|5", "tea"))

    assert (delivered.content[0], list(delivered.content[1]), delivered.content[2]) == ("news", ["offsets"], "~1~")


def test_the_positions_of_a_shared_log_are_the_numbers_of_all_rooms() -> None:
    """A process forgets what it has not read, and tells how far it is."""
    histories = Histories(lambda: "unused", "stream")
    histories.restart((5, 1))
    histories.add("/", Feed, is_present=False)
    for number in range(2):
        for name, logs in histories.logs_for_event("/", ["feed|5"], "news").items():
            KeptEmit(["news"], frame).keep(name, logs, (), 0.0, (7, number))
    histories.advance((8, 0))
    arrival = Arrival(Since("stream-7000000"))

    missed = histories.enter("/", "feed|5", "ann", 1.0)
    histories.begin_arrival("/", "feed|5", "ben", arrival)
    later = histories.enter("/", "feed|5", "ben", 1.0)

    assert ([event.number for event in missed], [event.number for event in later]) == ([], [7_000_001])
    assert histories.confirmation("/", "feed|5", arrival)["offset"] == "stream-8000000"
    assert histories.position_of(Since("stream-7000001")) == (7, 1)
    assert histories.position_of(Since("other-7000001")) is None
    histories.forget_all()
    assert histories.has_events("/", "feed|5")
    histories.restart((9, 0))
    assert not histories.has_events("/", "feed|5")


def test_without_a_shared_log_an_offset_is_no_position() -> None:
    """The numbers of a room are its own."""
    assert kept(Feed).position_of(Since("e1-1")) is None


def test_what_comes_while_a_client_catches_up_is_what_is_after_a_number() -> None:
    """Without what left it out."""
    histories = kept(Feed)
    send(histories, "feed|5")
    number = histories.newest("/", "feed|5")
    send(histories, "feed|5")
    send(histories, "feed|5", skip=("ann",))

    assert (number, histories.newest("/", "feed|5"), histories.newest("/", "tea")) == (1, 3, 0)
    assert [event.number for event in histories.after("/", "feed|5", "ann", number)] == [2]
    assert histories.after("/", "tea", "ann", 0) == []
