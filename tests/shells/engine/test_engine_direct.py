"""Sessions on a direct link: frames are handled where they arrive, and a session that idles has no task."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from fastsio.aio.engine.links import DIRECT
from fastsio.aio.engine.websocket import FAIR_SHARE
from fastsio.engine.frames import close_frame
from tests.shells.engine.wire import Application, scope_of, settle, soon, until
from tests.shells.fast.transport import make_wire
from tests.support.garbage import circles, what_there_is

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Direct:
    """A client whose server frames for the engine; the application's call is over when it is connected."""

    def __init__(self, app: Application, *, stepped: bool = False, limit: int = 1000) -> None:
        self.app = app
        if stepped:
            # As the handler of a Socket.IO server: it starts what has to wait, and waits for nothing itself.
            app.engine.on("message", self._step)
            app.engine.stepped_handlers = frozenset({self._step})
        self.wire, self.transport, self.owner = make_wire(limit)
        self.heard: list[Any] = []
        self.wait_for: dict[Any, asyncio.Future[None]] = {}

    def _step(self, sid: str, data: str | bytes) -> Any:
        self.heard.append(data)
        if data == "bad":
            raise RuntimeError("broken handler")
        return self.wait_for.get(data)

    async def connect(self) -> str:
        scope = scope_of("websocket", "EIO=4&transport=websocket", extensions={DIRECT: self.wire})
        events = iter([{"type": "websocket.connect"}])

        async def receive() -> Any:
            return next(events)

        async def send(event: Any) -> None:
            assert event == {"type": "websocket.accept"}

        await soon(asyncio.create_task(self.app.engine.handle_request(scope, receive, send)))
        (sid,) = self.app.engine.sockets
        return sid

    def say(self, *frames: str | bytes) -> None:
        for frame in frames:
            self.wire.deliver(frame)

    @property
    def busy(self) -> int:
        return sum(not task.done() for task in self.owner.tasks)


async def test_a_session_that_idles_has_no_task():
    """Messages are handled where they arrive, whatever they are; a pong is no reason for a task either."""
    app = Application()
    client = Direct(app, stepped=True)
    await client.connect()
    client.say("42[1]", "40", "3", b"\x01")

    assert client.heard == ["2[1]", "0", b"\x01"]
    assert client.owner.tasks == []


async def test_messages_that_arrive_while_one_waits_come_after_it():
    """The peer is read on meanwhile, for its end is to be noticed."""
    app = Application()
    client = Direct(app, stepped=True)
    await client.connect()
    client.wait_for["2first"] = asyncio.get_running_loop().create_future()
    client.say("42first", "42second", "9", "3")
    await settle()
    assert (client.heard, client.busy, client.transport.is_reading_) == (["2first"], 1, True)
    client.wait_for["2first"].set_result(None)
    assert await app.reason() == "transport error"  # no client says "9"

    assert client.heard == ["2first", "2second"]


async def test_the_peer_is_read_again_when_nothing_is_left():
    """The task ends, and the next message needs none."""
    client = Direct(Application(), stepped=True)
    await client.connect()
    client.wait_for["2first"] = asyncio.get_running_loop().create_future()
    client.say("42first", "42second")
    client.wait_for["2first"].set_result(None)
    await until(lambda: client.busy == 0)
    client.say("42third")

    assert client.transport.is_reading_
    assert client.heard == ["2first", "2second", "2third"]
    assert len(client.owner.tasks) == 1


async def test_a_handler_that_is_the_applications_own_runs_in_a_task():
    """One message after the other, and in the context of the request."""
    app = Application()
    client = Direct(app)
    seen: list[Any] = []

    async def on_message(sid: str, data: Any) -> None:
        seen.append((data, WHO.get(), asyncio.current_task() is not None))
        await asyncio.sleep(0)
        seen.append(data)

    async def on_disconnect(sid: str, reason: str) -> None:
        seen.append(WHO.get())

    app.on_message, app.on_disconnect = on_message, on_disconnect
    token = WHO.set("somebody")
    await client.connect()
    WHO.reset(token)
    client.say("4a", "4b")
    await until(lambda: client.busy == 0)
    client.wire.lost()
    await app.reason()

    assert seen == [("a", "somebody", True), "a", ("b", "somebody", True), "b", "somebody"]


@pytest.mark.parametrize("stepped", [True, False])
async def test_an_error_in_the_message_handler_does_not_end_the_session(stepped, caplog):
    """It is logged, and the next message is handled."""
    app = Application()
    client = Direct(app, stepped=stepped)

    async def on_message(sid: str, data: Any) -> None:
        client.heard.append(data)
        if data == "bad":
            raise RuntimeError("broken handler")

    app.on_message = on_message
    await client.connect()
    client.say("4bad", "4good")
    await settle()

    assert client.heard == ["bad", "good"]
    assert "broken handler" in caplog.text


@pytest.mark.parametrize(
    ("frame", "reason"), [("1", "client disconnect"), ("x", "transport error"), ("", "transport error")]
)
async def test_what_comes_after_the_end_is_not_heard(frame, reason):
    """A goodbye, or what the protocol does not have, ends the session at once; the disconnect handler runs once."""
    app = Application()
    client = Direct(app, stepped=True)
    await client.connect()
    client.say("4a", frame, "4b")

    assert await app.reason() == reason
    await until(lambda: client.busy == 0)
    client.wire.lost()
    await settle()
    assert client.heard == ["a"]
    assert client.transport.writes[-1] == close_frame(1000)
    assert app.disconnects.empty()
    assert app.engine.sockets == {}


async def test_a_message_over_the_limit_ends_the_session_after_those_before_it():
    """The handler of the message before it is waited for; the client is told why."""
    app = Application()
    client = Direct(app, stepped=True, limit=10)
    await client.connect()
    client.wait_for["2first"] = asyncio.get_running_loop().create_future()
    client.say("42first", "42second")
    client.wire.fail(1009)
    await settle()
    assert app.disconnects.empty()
    client.wait_for["2first"].set_result(None)

    assert await app.reason() == "transport error"
    await until(lambda: client.busy == 0)
    assert client.heard == ["2first", "2second"]
    assert client.transport.writes[-1] == close_frame(1009)
    client.wire.lost()


async def test_the_server_ends_a_session_that_idles():
    """The disconnect handler runs, the client is told in both protocols, and what it says meanwhile is not heard."""
    app = Application()
    client = Direct(app, stepped=True)
    sid = await client.connect()

    async def on_disconnect(sid: str, reason: str) -> None:
        client.say("42late")

    app.on_disconnect = on_disconnect
    await app.engine.disconnect(sid)
    await until(lambda: client.busy == 0)

    assert await app.reason() == "server disconnect"
    assert client.heard == []
    assert client.transport.writes[-2:] == [b"\x81\x011", close_frame(1000)]


async def test_a_session_ended_by_its_own_handler_is_closed_when_the_handler_is_done():
    """Nothing cancels the handler that asked for it."""
    app = Application()
    client = Direct(app)
    done: list[bool] = []

    async def on_message(sid: str, data: Any) -> None:
        await app.engine.disconnect(sid)
        done.append(await asyncio.sleep(0, result=True))

    app.on_message = on_message
    await client.connect()
    client.say("4bye", "4more")
    await until(lambda: client.busy == 0 and bool(client.owner.tasks))

    assert done == [True]
    assert app.messages.qsize() == 1
    assert client.transport.writes[-1] == close_frame(1000)


async def test_a_task_that_is_cancelled_takes_its_session_along():
    """A server that stops cancels what takes too long; the disconnect handler runs nevertheless."""
    app = Application()
    client = Direct(app, stepped=True)
    await client.connect()
    client.wait_for["2first"] = asyncio.get_running_loop().create_future()
    client.say("42first")
    await settle()
    client.owner.tasks[0].cancel()

    assert await app.reason() == "transport close"
    await until(lambda: client.busy == 0)
    assert client.owner.tasks[0].cancelled()
    assert client.transport.writes[-1] == close_frame(1000)


@pytest.mark.parametrize("before", [0, 10])
async def test_a_client_that_floods_does_not_hold_up_the_others(before):
    """After so many frames, whatever they are, it is the others' turn; none is lost."""
    client = Direct(Application(), stepped=True)
    await client.connect()
    texts = [f"2{number}" for number in range(2 * FAIR_SHARE + 1)]
    client.say(*["3"] * before, *[f"4{text}" for text in texts])
    assert len(client.heard) == FAIR_SHARE - before
    assert not client.transport.is_reading_
    await asyncio.sleep(0)
    assert len(client.heard) == FAIR_SHARE - before
    await until(lambda: client.busy == 0)

    assert client.heard == texts
    assert client.transport.is_reading_


async def test_what_a_client_says_before_it_is_accepted_comes_first():
    """Frames that are here before anybody listens are read before those that come later."""
    client = Direct(Application(), stepped=True)
    client.say("42early")
    await client.connect()
    client.say("42late")
    await until(lambda: client.busy == 0)

    assert client.heard == ["2early", "2late"]


async def test_a_session_that_is_over_is_freed_without_the_garbage_collector():
    """Nothing of it refers to itself in a circle, however it ended."""
    before = what_there_is()
    app = Application()
    with circles(before) as names:
        for frame in ("1", "x", None):
            client = Direct(app, stepped=True)
            await client.connect()
            if frame is not None:
                client.say(frame)
            client.wire.lost()
            await app.reason()
            await until(lambda client=client: client.busy == 0)
            app.environs.clear()
            del client

    assert not names & {"Session", "Reader", "Wire", "Context"}
