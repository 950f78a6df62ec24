"""What a process tells another one of its sessions, and what that one gives away in its name; the bus is a fake."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.aio.backends import local_mirrors
from fastsio.aio.backends.local_mirrors import BusMessage, Mirroring, Mirrors
from fastsio.base.recovery import ConnectionStateRecovery
from fastsio.cluster.messages import CloseRoom
from fastsio.cluster.payloads import MessageError
from fastsio.state.recovery import Entry, PacketLog, SavedSession
from tests.integration.clients import eventually

OPTIONS = ConnectionStateRecovery(max_packets=20, max_bytes=100_000)
SAID = CloseRoom("tea", "/", "host")


class Side:
    """A process with sessions, in the place of its manager and its recovery; *others* are those that it can write to."""

    def __init__(self, others: list[str], most_bytes: int = 1_000_000) -> None:
        self.host_id = "b"
        self.most_posted_bytes = most_bytes
        self.names = others
        self.behind = False
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.counts = {"pub": 0}
        self.is_stopped = False
        self.options = OPTIONS
        self.sessions: dict[str, SavedSession] = {}
        self.log = SimpleNamespace(kept=PacketLog(OPTIONS.max_packets, OPTIONS.max_bytes, 60, 0))
        self.warnings: list[Exception] = []
        self.periods = 0
        self.state = self
        self.mirroring = Mirroring(self, self, self.warnings.append, self.note_period)

    def note_period(self) -> None:
        self.periods += 1

    # the bus

    async def open(self) -> None:
        if not self.names:
            raise OSError

    def others(self) -> list[str]:
        return self.names

    def is_there(self, host_id: str) -> bool:
        return host_id in self.names

    def is_behind(self, _host_id: str) -> bool:
        return self.behind

    def published(self) -> dict[str, int]:
        return {"pub": self.counts["pub"]}

    def handled(self) -> dict[str, int]:
        return dict(self.counts)

    def post(self, message: dict[str, Any], to: str) -> bool:
        text = json.dumps({**message, "host_id": self.host_id})
        if len(text) > self.most_posted_bytes:
            raise ValueError(len(text))
        if to in self.names:
            self.posted.append((to, json.loads(text)))
        return to in self.names

    # the recovery

    def pids(self) -> list[str]:
        return list(self.sessions)

    def present_session(self, pid: str) -> SavedSession | None:
        return self.sessions.get(pid)

    def join(self, pid: str, **data: Any) -> None:
        self.sessions[pid] = SavedSession(pid, f"sid of {pid}", "/", {"tea": self.log.kept.last}, data, 0)
        self.mirroring.touch(pid)

    def emit(self, text: str, room: str = "tea") -> None:
        position = self.log.kept.last + 1
        frames = [SimpleNamespace(data=f'42["news","{text}","~{position}~"]')]
        entry = Entry(position, "/", (room,), (), frames, len(text), 0.0)
        self.log.kept.append(entry)
        self.mirroring.log(entry)


class Holder:
    """The process that mirrors: takes what was posted."""

    def __init__(self) -> None:
        self.mirrors = Mirrors(OPTIONS)

    def take(self, side: Side) -> list[bool]:
        """Take what a process has posted; return whether each message followed the one before."""
        posted, side.posted = side.posted, []
        return [self.mirrors.take(message, message["handled"]) for _, message in posted]

    def give(self, pid: str, offset: str | None = None) -> list[str] | None:
        """Give a session away; return the texts that its client has missed, and the numbers of later messages."""
        mirror = self.mirrors.find("/", pid)
        found = None if mirror is None else mirror.give(pid, offset)
        if found is None:
            return None
        session, entries, later = found
        assert session.sid == f"sid of {pid}"
        texts = [json.loads(entry.frames[0].data[2:])[1] for entry in entries]
        return texts + [f"{noted.publisher} {noted.number}" for noted in later]


@pytest.fixture
async def side():
    """A process with one session and two events before another one comes."""
    made = Side([])
    made.join("one")
    made.emit("a")
    made.emit("b")
    yield made
    await made.mirroring.stop()


async def settled(side: Side, *names: str) -> Holder:
    """Let others come, and wait until one of them has been told all."""
    side.names = list(names)
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted) and not side.posted[-1][1]["rest"])
    holder = Holder()
    assert all(holder.take(side))
    return holder


@pytest.mark.parametrize(("names", "chosen"), [(["a", "c"], "c"), (["a", "aa"], "a")])
async def test_the_next_process_mirrors(side, names, chosen):
    """In the order of their names, so that each has another one."""
    side.names = names
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted))

    assert {name for name, _ in side.posted} == {chosen}


async def test_what_was_before_and_what_comes_is_given_away(side):
    """Sessions, and the events after the one that the client has seen last."""
    holder = await settled(side, "c")
    side.emit("c")
    side.emit("d", "elsewhere")
    side.join("two")
    await eventually(lambda: len(side.posted) == 3)
    assert holder.take(side) == [True] * 3

    assert holder.give("one", "~1~") == ["b", "c"]
    assert holder.give("one", "~1~") is None
    assert holder.give("two") == []
    assert holder.give("three") is None


async def test_an_offset_that_the_mirror_does_not_have(side):
    """The client has seen more than the process could tell: it is a new one."""
    holder = await settled(side, "c")

    assert holder.give("one", "~3~") is None


async def test_a_session_that_has_ended_is_forgotten(side):
    """Also one with data that cannot be written, which is reported."""
    holder = await settled(side, "c")
    side.join("two", data=object())
    del side.sessions["one"]
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted))
    holder.take(side)

    assert holder.give("one") is None
    assert holder.give("two") is None
    assert len(side.warnings) == 1


class Nowhere(tzinfo):
    """A time zone of the application that fails."""

    def utcoffset(self, _when: datetime | None) -> timedelta:
        raise RuntimeError("no such place")


async def test_session_data_that_fails_costs_only_its_session(side):
    """Whatever it raises: the other sessions are mirrored as before."""
    holder = await settled(side, "c")
    side.join("bad", since=datetime(2020, 1, 1, tzinfo=Nowhere()))
    side.join("two")
    await eventually(lambda: bool(side.posted))
    assert holder.take(side) == [True]

    assert (holder.give("bad"), holder.give("two")) == (None, [])
    assert [str(error) for error in side.warnings] == ["no such place"]


async def test_mirroring_goes_on_after_a_defect(side, monkeypatch):
    """It is reported, and the mirror is told all anew, because something may be missing."""
    monkeypatch.setattr(local_mirrors, "PERIOD_S", 0.0)
    holder = await settled(side, "c")
    failures = [RuntimeError("defect")]
    monkeypatch.setattr(side, "handled", lambda: dict(side.counts) if not failures else _raise(failures.pop()))
    await eventually(lambda: bool(side.posted))
    assert holder.take(side) == [True]

    assert [str(error) for error in side.warnings] == ["defect"]
    assert side.mirroring._epoch == 2
    assert holder.give("one", "~1~") == ["b"]


def _raise(error: Exception) -> Any:
    raise error


async def test_messages_that_the_process_has_not_handled_come_later(side):
    """Those of others; its own are in its log. What it says that it has handled is not given."""
    holder = await settled(side, "c")
    for number in range(1, 4):
        for publisher in ("x", "pub"):
            holder.mirrors.record(BusMessage(publisher, number, SAID, 10))
    side.counts["x"] = 2
    side.emit("c")
    holder.take(side)
    del side.counts["x"]  # it has ended long ago
    side.emit("d")
    holder.take(side)

    assert holder.give("one", "~2~") == ["c", "d", "x 3"]


async def test_messages_beyond_the_limits_are_lost_until_the_process_is_past_them(side):
    """Its clients would miss them unnoticed otherwise."""
    holder = await settled(side, "c")
    side.join("two")
    await eventually(lambda: bool(side.posted))
    for number in range(1, 100):
        holder.mirrors.record(BusMessage("x", number, SAID, 10))
    holder.take(side)
    assert holder.give("one") is None

    side.counts["x"] = 99
    side.emit("c")
    holder.take(side)

    assert holder.give("two") == ["c"]


async def test_much_is_told_in_parts_and_given_away_when_all_is_there(side, monkeypatch):
    """A mirror that has only a part knows that there is more."""
    monkeypatch.setattr(local_mirrors, "MAX_EVENTS", 1)
    monkeypatch.setattr(local_mirrors, "MAX_SESSIONS", 1)
    side.join("two")
    side.names = ["c"]
    side.mirroring.touch("one")
    await eventually(lambda: len(side.posted) == 2)
    holder, rest = Holder(), side.posted[1:]
    side.posted = side.posted[:1]

    assert holder.take(side) == [True]
    assert holder.give("one") is None
    side.posted = rest
    assert holder.take(side) == [True]
    assert holder.give("two") == []


async def test_a_mirror_that_is_behind_is_told_that_there_is_more(side, monkeypatch):
    """And the rest when it has read; a process that ends before gives nothing away."""
    monkeypatch.setattr(local_mirrors, "BEHIND_S", 0.0)
    holder = await settled(side, "c")
    side.join("two")
    await eventually(lambda: bool(side.posted))
    side.behind = True
    side.emit("c")
    side.emit("d")
    holder.take(side)
    assert side.posted == []
    assert holder.give("one", "~1~") is None

    side.behind = False
    side.emit("e")
    holder.take(side)

    assert holder.give("two", "~2~") == ["c", "d", "e"]


async def test_a_mirror_that_does_not_read_is_given_up(side):
    """What waits for it is bounded; it is told all anew when it reads."""
    holder = await settled(side, "c")
    side.behind = True
    for number in range(100):
        side.emit(str(number))
    assert len(side.posted) == 1
    holder.take(side)

    side.behind = False
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted))
    assert side.posted[0][1]["start"] == side.log.kept.complete_after
    holder.take(side)

    assert holder.give("one", "~100~") == ["98", "99"]


async def test_an_event_that_is_too_large_begins_the_log_anew(side):
    """Clients that have not seen it are new ones; others come back."""
    holder = await settled(side, "c")
    side.most_posted_bytes = 2000
    side.emit("x" * 5000)
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted))
    side.join("two")
    side.emit("c")
    await eventually(lambda: "two" in {pid for _, each in side.posted for pid in each["sessions"]})
    holder.take(side)

    assert holder.give("one", "~2~") is None
    assert holder.give("two", "~3~") == ["c"]


async def test_messages_that_are_missing_are_asked_for(side):
    """The mirror is told all anew; another process that asks is not listened to."""
    holder = await settled(side, "c")
    side.emit("c")
    name = side.posted[0][1]["name"]
    side.posted.clear()
    side.emit("d")
    assert holder.take(side) == [False]
    assert holder.give("one") is None

    side.mirroring.begin_anew("another")
    side.emit("e")
    assert holder.take(side) == [False]
    side.mirroring.begin_anew(name)
    side.mirroring.touch("one")
    await eventually(lambda: bool(side.posted))

    assert holder.take(side) == [True]
    assert holder.give("one", "~2~") == ["c", "d", "e"]


async def test_another_process_mirrors_when_one_has_ended(side):
    """Also if that is noticed while something is told."""
    await settled(side, "c")
    side.names = ["d"]
    side.emit("c")
    holder = Holder()
    holder.take(side)

    assert holder.give("one", "~2~") == ["c"]


async def test_nothing_is_told_after_a_shutdown_begins(side):
    """What is mirrored stays as it was: clients come back to it."""
    holder = await settled(side, "c")
    side.is_stopped = True
    side.sessions.clear()
    side.mirroring.touch("one")
    side.emit("c")
    await side.mirroring.stop()
    side.mirroring.start()
    side.mirroring.touch("one")

    assert side.posted == []
    assert holder.give("one", "~2~") == []
    assert side.periods


async def test_processes_that_ended_long_ago_are_forgotten(side, monkeypatch):
    """With their sessions, after the time for which these are kept."""
    now = 100.0
    monkeypatch.setattr(local_mirrors, "monotonic", lambda: now)
    holder = await settled(side, "c")
    for is_alive, passed_s, is_known in ((True, 500, True), (False, 500, True), (True, 500, True), (False, 0, True)):
        now += passed_s
        holder.mirrors.forget_old(lambda _mirror, is_alive=is_alive: is_alive)
        assert bool(holder.mirrors) is is_known
    now += OPTIONS.max_disconnection_duration + 1

    holder.mirrors.forget_old(lambda _mirror: False)

    assert not holder.mirrors


@pytest.mark.parametrize("change", [{"events": "7"}, {"sessions": []}, {"epoch": None, "number": None}, {"name": []}])
async def test_what_makes_no_sense_is_refused(side, change):
    """It is a message of the bus like others."""
    holder = await settled(side, "c")
    side.emit("c")
    message = side.posted[0][1] | change
    if "number" in change:
        assert holder.mirrors.take(message, {}) is False
        return

    with pytest.raises(MessageError):
        holder.mirrors.take(message, {})
