"""The keeper of rooms for threads."""

from __future__ import annotations

import json
import logging
import threading
from typing import Annotated, Any

import pytest

from fastsio import (
    BaseMiddleware,
    Depends,
    Joined,
    Namespace,
    Room,
    RoomMember,
    SocketID,
    SyncMiddleware,
    register_room,
)
from fastsio.exceptions import SetupError, SignatureError
from tests.shells.sync.fake_engine import FakeClient, wired
from tests.support.waiting import WAIT_S


class ChatRoom(Room):
    log: list[Any]
    left: threading.Event

    @classmethod
    def extract_room_identifier(cls, session, data):
        if "id" not in data:
            raise ValueError("id is required")
        return data["id"]

    @classmethod
    def can_join(cls, session, data):
        return data.get("allowed", True)

    @classmethod
    def on_join(cls, room: Room, sid: SocketID):
        cls.log.append(("on_join", room.identifier))

    @classmethod
    def on_leave(cls, room: Room):
        cls.log.append(("on_leave", room.identifier))
        cls.left.set()

    @classmethod
    def presence_key(cls, session, data):
        return data.get("user")


@pytest.fixture(autouse=True)
def log() -> list[Any]:
    """What the hooks have seen."""
    ChatRoom.log, ChatRoom.left = [], threading.Event()
    return ChatRoom.log


def join(client: FakeClient, room_id: Any = 5, **data: Any) -> None:
    """Join and read the confirmation, the acknowledgement and the presence."""
    client.send(f'21["join_chat",{json.dumps({"id": room_id, **data})}]')
    received = [client.receive() for _ in range(3)]
    assert received[:2] == [f'2["joined",{{"room":"chat|{room_id}"}}]', f'31[{{"room":"chat|{room_id}"}}]']
    assert received[2].startswith('2["presence",')


def test_clients_join_and_leave():
    """Guards, confirmations, hooks and presence are those of the asyncio server."""
    sio, wire = wired()
    sio.register_room(ChatRoom)
    client = wire.join()

    assert client.ask("join_chat", {})[0]["error"]["msg"] == "id is required"
    assert client.ask("join_chat")[0]["error"]["type"] == "validation_error"
    assert client.ask("join_chat", {"id": 5, "allowed": False})[0]["error"]["type"] == "forbidden"
    join(client, user="ada")
    assert ChatRoom(5).on(sio).members() == [RoomMember(client.sid, "ada")]
    assert sio.rooms(client.sid) == [client.sid, "chat|5"]
    ChatRoom(5).on(sio).emit("news", 1)
    sio.emit("news", 2, room=ChatRoom(5))
    assert [client.receive(), client.receive()] == ['2["news",1]', '2["news",2]']
    client.send('22["leave_chat",{"id":5}]')
    assert [client.receive(), client.receive()] == ['2["left",{"room":"chat|5"}]', '32[{"room":"chat|5"}]']
    assert ChatRoom.left.wait(WAIT_S)

    assert ChatRoom.log == [("on_join", 5), ("on_leave", 5)]
    assert sio.rooms(client.sid) == [client.sid]


@pytest.mark.parametrize("way", ["leave", "kick", "close", "by name", "close by name", "disconnect", "lose"])
def test_on_leave_runs_however_a_client_leaves(way):
    """Also where another thread must run it."""
    sio, wire = wired()
    sio.register_room(ChatRoom)
    client = wire.join()
    join(client)
    match way:
        case "leave":
            ChatRoom(5).on(sio).leave(client.sid)
        case "kick":
            ChatRoom(5).on(sio).kick(client.sid, "enough")
        case "close":
            ChatRoom(5).on(sio).close()
        case "by name":
            sio.leave_room(client.sid, "chat|5")
        case "close by name":
            sio.close_room(ChatRoom(5))
        case "disconnect":
            sio.disconnect(client.sid)
        case "lose":
            client.lose()

    assert ChatRoom.left.wait(WAIT_S)
    assert ChatRoom.log == [("on_join", 5), ("on_leave", 5)]
    assert ChatRoom(5).on(sio).members() == []


def test_a_client_that_vanishes_while_can_join_waits_is_not_entered(caplog):
    """Its thread ends without a word."""
    asked, answer, ended = threading.Event(), threading.Event(), threading.Event()
    sio, wire = wired()

    class Ending(SyncMiddleware):
        def after_event(self, event, sid, response, **_):
            ended.set()
            return response

    class Slow(ChatRoom):
        @classmethod
        def can_join(cls):
            asked.set()
            answer.wait(WAIT_S)
            return True

    sio.register_room(Slow)
    sio.add_middleware(Ending(events=["join_slow"]))
    client = wire.join()
    client.send('21["join_slow",{"id":5}]')
    assert asked.wait(WAIT_S)
    client.lose()
    answer.set()
    assert ended.wait(WAIT_S)

    assert Slow(5).members() == []
    assert ChatRoom.log == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def no_database() -> set[int]:
    """Stand for the database that a test brings."""
    return set()


class Guarded(ChatRoom):
    @classmethod
    def can_join(cls, data, db: Annotated[set, Depends(no_database)]):
        return data["id"] in db


def test_a_namespaces_own_handler_is_wrapped_and_hooks_have_dependencies():
    """Generators are closed after the event, middleware runs around it."""
    steps: list[Any] = []
    sio, wire = wired()

    class Noting(SyncMiddleware):
        def before_event(self, event, sid, data, **_):
            steps.append(event)
            return data

    def database():
        steps.append("open")
        yield {5}
        steps.append("close")

    sio.dependency_overrides[no_database] = database

    @register_room(Guarded)
    class Own(Namespace):
        def on_join_guarded(self, sid, data):
            steps.append("own")
            return self.rooms(sid)[1:]

        def on_say(self, sid: SocketID, room: Annotated[Guarded, Joined(Guarded)]):
            return str(room)

    sio.register_namespace(Own())
    sio.add_middleware(Noting(events=["join_guarded"]))
    client = wire.join()
    assert client.ask("join_guarded", {"id": 6})[0]["error"]["type"] == "forbidden"
    assert client.ask("say", {"id": 5})[0]["error"]["type"] == "forbidden"
    steps.clear()
    client.send('21["join_guarded",{"id":5}]')
    assert [client.receive(), client.receive()] == ['2["joined",{"room":"guarded|5"}]', '31[["guarded|5"]]']

    assert steps[:3] == ["join_guarded", "open", "own"]
    client.receive()
    assert client.ask("say", {"id": 5}) == ["guarded|5"]


def test_recheck_and_enter():
    """The application puts in and throws out."""
    sio, wire = wired()
    allowed = [True]

    class Moody(ChatRoom):
        @classmethod
        def can_join(cls):
            return allowed[0]

    sio.register_room(Moody)
    client = wire.join()
    Moody(5).enter(client.sid)
    client.receive()
    assert Moody(5).recheck() == []
    allowed[0] = False

    assert Moody(5).recheck() == [client.sid]
    assert client.receive().startswith('2["kicked",')


def test_a_permission_that_would_have_to_be_awaited_is_none():
    """A thread cannot ask it, so the client stays outside."""
    sio, wire = wired(logger=logging.getLogger("tests.socketio"))

    async def ask() -> bool:
        return False

    asked = []

    class Deferred(ChatRoom):
        @classmethod
        def can_join(cls):
            asked.append(ask())
            return asked[-1]

    sio.register_room(Deferred)
    client = wire.join()

    assert client.ask("join_deferred", {"id": 5})[0]["error"]["type"] == "internal"
    assert sio.rooms(client.sid) == [client.sid]
    asked[0].close()


def test_coroutine_functions_are_refused_at_registration():
    """A thread cannot await a hook."""
    sio, _ = wired()

    class Asynchronous(Room):
        @classmethod
        async def extract_room_identifier(cls, data):
            return data["id"]

    with pytest.raises(SignatureError, match=r"Asynchronous\.extract_room_identifier: is a coroutine function"):
        sio.register_room(Asynchronous)
    assert issubclass(SignatureError, SetupError)
    assert issubclass(SyncMiddleware, BaseMiddleware)


def test_many_threads_join_and_leave_in_pairs():
    """However they interleave, each ``on_join`` has its ``on_leave``, and nobody is left."""
    counts = {"on_join": 0, "on_leave": 0}
    guard, gone = threading.Lock(), threading.Semaphore(0)
    sio, wire = wired()

    class Counting(Room):
        presence = True

        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        def on_join(cls):
            with guard:
                counts["on_join"] += 1

        @classmethod
        def on_leave(cls):
            with guard:
                counts["on_leave"] += 1

    sio.register_room(Counting)

    def come_and_go() -> None:
        for _ in range(20):
            client = wire.join()
            client.send('2["join_counting",{"id":1}]', '2["join_counting",{"id":2}]')
            client.lose()
        gone.release()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert all(gone.acquire(timeout=WAIT_S) for _ in threads)
    sio.shutdown()

    assert counts["on_join"] == counts["on_leave"]
    assert sio.__fastsio__.room_keeper.table.is_empty


def take_out(way: str, client: FakeClient, sio: Any, room: Room) -> None:
    """Do what takes a client out of a room."""
    match way:
        case "leave":
            client.send('22["leave_slow",{"id":5}]')
            assert [client.receive(), client.receive()] == ['2["left",{"room":"slow|5"}]', '32[{"room":"slow|5"}]']
        case "kick":
            room.kick(client.sid)
            assert client.receive() == '2["kicked",{"room":"slow|5","reason":null}]'
        case "close":
            room.close()
        case "recheck":
            assert room.recheck() == []
        case "by name":
            sio.leave_room(client.sid, room)


@pytest.mark.parametrize("way", ["leave", "kick", "close", "recheck", "by name"])
def test_what_takes_a_client_out_ends_its_join_that_waits(way):
    """In threads too: the client is not in the room once ``can_join`` has answered, and is told so."""
    questions: list[threading.Event] = []
    answers: list[bool] = []
    asked = threading.Semaphore(0)
    sio, wire = wired()

    class Slow(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        def can_join(cls):
            answered = threading.Event()
            questions.append(answered)
            asked.release()
            answered.wait(WAIT_S)
            return answers.pop()

    sio.register_room(Slow)
    client = wire.join()
    client.send('21["join_slow",{"id":5}]')
    assert asked.acquire(timeout=WAIT_S)
    take_out(way, client, sio, Slow(5))
    answers.append(True)
    questions[0].set()
    if way == "recheck":
        assert asked.acquire(timeout=WAIT_S)
        answers.append(False)
        questions[1].set()

    error = json.loads(client.receive()[2:])[0]["error"]
    assert error["type"] == ("conflict" if way == "leave" else "forbidden")
    assert Slow(5).members() == []


def test_text_from_a_client_puts_nobody_into_the_room_of_a_class():
    """The room itself does."""
    sio, wire = wired()
    sio.register_room(ChatRoom)
    client = wire.join()
    with pytest.raises(ValueError, match="is a room of ChatRoom"):
        sio.enter_room(client.sid, "chat|5")
    assert ChatRoom(5).on(sio).members() == []

    sio.enter_room(client.sid, ChatRoom(5))
    assert [member.sid for member in ChatRoom(5).on(sio).members()] == [client.sid]


def test_a_leave_whose_thread_begins_first_still_comes_after_the_join():
    """What a client asks of rooms counts in the order of its packets, whatever the threads do."""
    held: list[threading.Thread] = []
    sio, wire = wired()

    class Later(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

    def hold(target: Any, *args: Any, **kwargs: Any) -> threading.Thread:
        held.append(threading.Thread(target=target, args=args, kwargs=kwargs))
        return held[-1]

    sio.register_room(Later)
    client = wire.join()
    wire.start_background_task = hold
    client.send('21["join_later",{"id":5}]', '22["leave_later",{"id":5}]')
    for thread in reversed(held):
        thread.start()
        thread.join(WAIT_S)

    frames = [client.receive() for _ in range(3)]
    assert frames[:2] == ['2["left",{"room":"later|5"}]', '32[{"room":"later|5"}]']
    assert '"type":"conflict"' in frames[2]
    assert Later(5).members() == []
    assert sio.__fastsio__.room_keeper.table.is_empty


def test_an_event_that_no_thread_can_be_started_for_leaves_nothing(monkeypatch):
    """Neither its handler nor its join counts as under way for ever."""
    sio, wire = wired()
    sio.register_room(ChatRoom)
    client = wire.join()

    def fail(*_arguments: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(wire, "start_background_task", fail)
        for size in (1, 5000):
            with pytest.raises(RuntimeError, match="thread"):
                client.send("2" + json.dumps(["join_chat", {"id": "x" * size}]))
    connection = sio._connections[client.eio_sid]

    assert not connection.tasks
    assert connection.handler_bytes == 0
    assert sio.__fastsio__.room_keeper.table.is_empty
    join(client)


def test_on_leave_runs_although_the_manager_of_the_application_fails(monkeypatch, log, caplog):
    """The failure is logged, and the client counts as a member no longer."""
    sio, wire = wired()
    sio.register_room(ChatRoom)

    def fail(*_arguments: Any, **_keywords: Any) -> None:
        raise RuntimeError("no database")

    client = wire.join()
    join(client)
    monkeypatch.setattr(sio.manager, "disconnect", fail)
    client.lose()

    assert ChatRoom.left.wait(WAIT_S)
    assert log == [("on_join", 5), ("on_leave", 5)]
    assert sio.__fastsio__.room_keeper.table.is_empty
    assert "no database" in caplog.text
