"""A message handler that never returns keeps neither the end of its session from being noticed nor its heartbeat."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio.aio.engine.read_ahead import MAX_EVENTS, ReadAhead
from fastsio.engine.frame_reader import LinkLost
from tests.shells.engine.test_engine_direct import Direct
from tests.shells.engine.wire import Application, connect_polling, settle, soon, start_http, until
from tests.shells.engine.wire import connect_websocket as connect_over_asgi
from tests.support.garbage import newcomers

GRACE_S = 0.05


class Hanging(Application):
    """Waits for ever in each message handler that is told to, and keeps how handlers end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"handler_grace": GRACE_S, **options})
        self.ends: list[str] = []
        self.release = asyncio.Event()

    async def on_message(self, sid, data):
        if "hang" not in data:
            self.ends.append(f"{data} done")
            return
        try:
            await self.release.wait()
            self.ends.append(f"{data} done")
        except asyncio.CancelledError:
            self.ends.append(f"{data} cancelled")
            if "stubborn" in data:
                await self.release.wait()
            raise

    async def on_disconnect(self, sid, reason):
        self.ends.append("disconnect")


class OverAsgi:
    """A client whose frames come as events."""

    def __init__(self, app):
        self.app = app

    async def connect(self):
        self.client, self.sid = await connect_over_asgi(self.app)

    def say(self, *frames):
        for frame in frames:
            self.client.say(frame)

    def lose(self):
        self.client.leave()

    async def ended(self):
        await self.client.ended()


class OverDirectLink:
    """A client whose server gives frames as they are."""

    def __init__(self, app):
        self.app = app

    async def connect(self):
        self.client = Direct(self.app)
        self.sid = await self.client.connect()

    def say(self, *frames):
        self.client.say(*frames)

    def lose(self):
        self.client.wire.lost()

    async def ended(self):
        await until(lambda: self.client.busy == 0)


@pytest.fixture(params=[OverAsgi, OverDirectLink])
def transport(request):
    """Each way that frames come in."""
    return request.param


async def test_a_lost_client_is_gone_although_its_handler_waits(transport):
    """The handler is cancelled, the session ends, and nothing of it is left."""
    app = Hanging()
    client = transport(app)
    await client.connect()
    client.say("4hang", "4never")
    await app.message()
    client.lose()

    assert await app.reason() == "transport close"
    await client.ended()
    assert app.ends == ["hang cancelled", "disconnect"]
    assert app.engine.sockets == {}


@pytest.mark.virtual_time
async def test_what_a_client_sent_before_it_left_is_handled_if_that_does_not_take_long(transport):
    """A handler that ends in time ends by itself, and those behind it have their turn."""
    app = Hanging(handler_grace=5.0)
    client = transport(app)
    await client.connect()
    client.say("4hang on", "4second", "1")
    await app.message()
    app.release.set()

    assert await app.reason() == "client disconnect"
    await client.ended()
    assert app.ends == ["hang on done", "second done", "disconnect"]


async def test_a_client_that_says_goodbye_behind_a_message_that_hangs_is_gone(transport):
    """The reason is what it said, though the handler had to be cancelled."""
    app = Hanging()
    client = transport(app)
    await client.connect()
    client.say("4hang")
    await app.message()
    client.say("1")

    assert await app.reason() == "client disconnect"
    assert app.ends[0] == "hang cancelled"


async def test_a_handler_that_does_not_mind_being_cancelled_keeps_nobody(transport, monkeypatch):
    """Its session ends without it."""
    monkeypatch.setattr("fastsio.aio.engine.session.CANCEL_S", 0.01)
    app = Hanging()
    client = transport(app)
    await client.connect()
    client.say("4hang stubborn")
    await app.message()
    client.lose()

    assert await app.reason() == "transport close"
    assert app.ends == ["hang stubborn cancelled", "disconnect"]
    app.release.set()
    await client.ended()


@pytest.mark.virtual_time
async def test_a_client_that_is_silent_under_a_handler_that_hangs_misses_its_heartbeat(transport):
    """The pong would have been found behind the message."""
    app = Hanging(ping_interval=0.05, ping_timeout=0.05)
    client = transport(app)
    await client.connect()
    client.say("4hang")

    assert await app.reason() == "ping timeout"
    await client.ended()
    assert app.ends == ["disconnect", "hang cancelled"]


@pytest.mark.virtual_time
async def test_a_client_that_answers_pings_lives_on_under_a_handler_that_hangs(transport):
    """The pong counts when it arrives, wherever the handler is."""
    app = Hanging(ping_interval=0.05, ping_timeout=0.05)
    client = transport(app)
    await client.connect()
    client.say("4hang")
    await app.message()
    socket = app.engine.sockets[client.sid]
    for _ in range(3):
        await until(lambda: socket.awaiting_pong)
        client.say("3")
        await until(lambda: not socket.awaiting_pong)

    assert app.disconnects.empty()


@pytest.mark.virtual_time
async def test_a_handler_that_ends_its_own_session_may_finish(transport):
    """Nobody cancels it, for its client has not left."""
    app = Hanging()
    client = transport(app)

    async def on_message(sid, data):
        await app.engine.disconnect(sid)
        await asyncio.sleep(2 * GRACE_S)
        app.ends.append("finished")

    app.on_message = on_message
    await client.connect()
    client.say("4bye")
    await app.reason()
    await client.ended()

    assert app.ends == ["disconnect", "finished"]


@pytest.mark.virtual_time
async def test_no_more_is_read_ahead_than_a_little(transport):
    """A client that sends on and on waits for its handlers, and all of it is handled in order."""
    app = Hanging(handler_grace=5.0)
    client = transport(app)
    await client.connect()
    client.say("4hang")
    await app.message()
    client.say(*[f"4{number}" for number in range(3 * MAX_EVENTS)])
    app.release.set()
    await until(lambda: len(app.ends) == 3 * MAX_EVENTS + 1)

    assert app.ends == ["hang done", *[f"{number} done" for number in range(3 * MAX_EVENTS)]]


async def test_a_polling_client_that_left_is_gone_although_its_post_waits():
    """With the poll or with the POST, whichever the server sees end."""
    for way in ("poll", "post"):
        app = Hanging()
        client = await connect_polling(app)
        poll = client.start_poll()
        await settle()
        post = start_http(app, "POST", client.query, b"4hang", headers=[("content-length", "5")])
        await app.message()
        (poll if way == "poll" else post).abort()

        assert await app.reason() == "transport error"
        await post.response()
        await soon(poll.task)
        assert app.ends == ["disconnect", "hang cancelled"]


@pytest.mark.virtual_time
async def test_a_polling_client_that_is_silent_misses_its_heartbeat():
    """One that goes on polling cannot answer before its POST is answered, and is waited for."""
    app = Hanging(ping_interval=0.05, ping_timeout=0.1)
    client = await connect_polling(app)
    poll = client.start_poll()
    post = start_http(app, "POST", client.query, b"4hang", headers=[("content-length", "5")])
    await app.message()
    assert (await poll.response()).text == "2"
    poll = client.start_poll()
    socket = app.engine.sockets[client.sid]
    key = socket.timer_key
    await until(lambda: socket.timer_key != key)
    assert app.disconnects.empty()
    app.post(client.sid, "news")
    await poll.response()

    assert await app.reason() == "ping timeout"
    await post.response()
    assert app.ends == ["disconnect", "hang cancelled"]


async def test_nothing_is_made_to_watch_a_handler_that_does_not_wait():
    """It is over before there is anything to watch."""
    kept = newcomers(ReadAhead)
    seen = []
    app = Hanging()

    async def on_message(sid, data):
        seen.append(len(kept()))

    app.on_message = on_message
    client, _ = await connect_over_asgi(app)
    client.say("4quick")
    await until(lambda: seen)

    assert seen == [0]


@pytest.mark.parametrize("reads_ahead", [False, True])
@pytest.mark.virtual_time
async def test_an_idle_session_keeps_nothing_of_a_handler_that_waited(reads_ahead):
    """What reads ahead is gone when the handler is done; where it has begun to read, with the next frame."""
    kept = newcomers(ReadAhead)
    app = Hanging(handler_grace=5.0, ping_timeout=0.004 if reads_ahead else 20.0)
    client, _ = await connect_over_asgi(app)
    client.say("4hang")
    await app.message()
    if reads_ahead:
        client.say("4second")
        await until(client._incoming.empty)
    app.release.set()
    await until(lambda: "hang done" in app.ends)
    client.say("4last")
    await until(lambda: "last done" in app.ends)
    await settle()

    assert not kept()
    assert app.disconnects.empty()


async def test_what_is_read_ahead_comes_in_order():
    """Events that were there, one that was waited for, and what receiving raised."""
    events: asyncio.Queue[Any] = asyncio.Queue()

    async def receive():
        event = await events.get()
        if isinstance(event, Exception):
            raise event
        return event

    ahead = ReadAhead(receive, lambda event: event.get("text") != "dropped", 0.0)
    done = asyncio.Event()
    for text in ("one", "dropped", "two"):
        events.put_nowait({"type": "websocket.receive", "text": text})
    handling = asyncio.create_task(ahead.wait_for(done.wait()))
    await until(events.empty)
    done.set()
    await handling
    assert [(await ahead.next())["text"] for _ in range(2)] == ["one", "two"]
    waiting = asyncio.create_task(ahead.next())
    await settle()
    events.put_nowait({"type": "websocket.receive", "bytes": b"three"})

    assert (await soon(waiting))["bytes"] == b"three"
    done.clear()
    handling = asyncio.create_task(ahead.wait_for(done.wait()))
    events.put_nowait(LinkLost())
    await until(lambda: ahead.error is not None)
    done.set()
    await handling
    with pytest.raises(LinkLost):
        await ahead.next()
    ahead.stop()
