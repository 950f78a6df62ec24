"""Heartbeats, and the one timer behind them."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
import uvloop

from fastsio.aio.engine.session import Session
from fastsio.aio.engine.timers import Deadlines
from fastsio.engine.deadlines import NEVER, PUNCTUAL
from tests.shells.engine.wire import Application, connect_polling, connect_websocket, soon, until

pytestmark = pytest.mark.virtual_time


class Member:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.timer_key = NEVER


async def test_a_ping_is_sent_and_a_pong_keeps_the_session():
    """The server pings every interval as long as the client answers."""
    app = Application(ping_interval=0.05, ping_timeout=0.2)
    client, sid = await connect_websocket(app)

    for _ in range(3):
        assert await client.frame() == "2"
        client.say("3")

    assert sid in app.engine.sockets


async def test_clients_that_connect_together_are_all_pinged_and_all_timed_out():
    """A shared deadline is everybody's."""
    app = Application(ping_interval=0.1, ping_timeout=0.1)
    clients = [await connect_websocket(app) for _ in range(20)]

    reasons = [await app.reason() for _ in clients]

    assert reasons == ["ping timeout"] * 20
    for client, _ in clients:
        assert await client.closed() == ["2", "1"]
        await client.ended()


async def test_a_missing_pong_ends_the_session():
    """The reason is 'ping timeout', and neither time is cut short, but for a ping that is a little early."""
    app = Application(ping_interval=0.1, ping_timeout=0.1)
    start = monotonic()
    client, _ = await connect_websocket(app)

    assert await app.reason() == "ping timeout"

    assert monotonic() - start >= 0.1 * PUNCTUAL + 0.1
    assert await client.closed() == ["2", "1"]
    await client.ended()


async def test_a_missing_pong_ends_the_session_of_a_client_that_does_not_read():
    """A stalled write does not keep a dead client."""
    app = Application(ping_interval=0.05, ping_timeout=0.05)
    client, sid = await connect_websocket(app)
    client.stall()
    app.post(sid, "x")

    assert await app.reason() == "ping timeout"
    await client.ended()


async def test_a_missing_pong_ends_a_polling_session():
    """The pending poll gets the close packet, later requests get 400."""
    app = Application(ping_interval=0.05, ping_timeout=0.05)
    client = await connect_polling(app)
    assert (await client.poll()).packets == ["2"]
    poll = client.start_poll()

    assert await app.reason() == "ping timeout"

    assert (await poll.response()).packets == ["1"]
    assert (await client.poll()).status == 400


async def test_the_sid_is_unknown_after_a_ping_timeout():
    """Nothing waits for another poll of a client that is gone."""
    app = Application(ping_interval=0.05, ping_timeout=0.05)
    client = await connect_polling(app)

    await app.reason()

    assert (await client.poll()).code == 1


async def test_unasked_pongs_start_nothing():
    """A flood of pongs neither schedules pings nor delays the deadline (CVE-2026-48802)."""
    app = Application(ping_interval=0.05, ping_timeout=10)
    client, sid = await connect_websocket(app)
    tasks = len(asyncio.all_tasks())
    key = app.engine.sockets[sid].timer_key

    for _ in range(100):
        client.say("3")
    client.say("4done")
    await app.message()

    assert app.engine.sockets[sid].timer_key == key
    assert len(asyncio.all_tasks()) <= tasks


async def test_a_busy_message_handler_does_not_time_its_client_out():
    """The pong stands behind the message, and is found there."""
    app = Application(ping_interval=0.05, ping_timeout=0.05)
    release = asyncio.Event()

    async def on_message(sid, data):
        await release.wait()

    app.on_message = on_message
    client, sid = await connect_websocket(app)
    client.say("4busy")
    await app.message()
    assert await client.frame() == "2"
    client.say("3")
    socket = app.engine.sockets[sid]
    key = socket.timer_key
    await until(lambda: socket.timer_key not in (key, NEVER))
    release.set()

    assert await client.frame() == "2"
    assert app.disconnects.empty()


async def test_a_server_that_does_not_monitor_keeps_silent_clients():
    """``monitor_clients=False`` pings but ends nothing."""
    app = Application(ping_interval=0.03, ping_timeout=0.03, monitor_clients=False)
    client, sid = await connect_websocket(app)
    assert await client.frame() == "2"
    socket = app.engine.sockets[sid]
    key = socket.timer_key
    await until(lambda: socket.timer_key not in (key, NEVER))

    assert app.disconnects.empty()


async def test_no_ping_is_scheduled_before_the_client_is_accepted():
    """The heartbeat begins with the session."""
    app = Application()
    keys: list[float] = []

    async def on_connect(sid):
        keys.append(app.engine.sockets[sid].timer_key)

    app.on_connect = on_connect
    client = await connect_polling(app)

    assert keys == [NEVER]
    assert app.engine.sockets[client.sid].timer_key != NEVER


async def test_the_interval_can_be_changed_while_the_server_runs():
    """A written ``ping_interval`` counts from the next ping on."""
    app = Application(ping_interval=0.05, ping_timeout=10)
    client, sid = await connect_websocket(app)
    assert await client.frame() == "2"

    app.engine.ping_interval = 1000
    client.say("3")
    client.say("4x")
    await app.message()

    assert app.engine.sockets[sid].timer_key > asyncio.get_running_loop().time() + 900


async def test_the_last_packets_of_a_session_are_forgotten_in_time():
    """A client that never polls again does not stay in memory."""
    app = Application(ping_timeout=0.05)
    client = await connect_polling(app)
    await soon(app.engine.disconnect(client.sid))
    await until(lambda: not app.engine._last_polls)

    assert (await client.poll()).status == 400


async def test_shutdown_stops_the_timers_and_disconnects_nobody():
    """As python-socketio's ``shutdown()``."""
    app = Application()
    client, sid = await connect_websocket(app)

    await app.engine.shutdown()

    assert app.post(sid, "still here")
    assert await client.frame() == "4still here"
    assert app.engine.sockets[sid].timer_key == NEVER


async def test_many_deadlines_share_one_loop_timer():
    """Ten thousand members cost a handful of buckets."""
    due: list[Member] = []
    deadlines = Deadlines(due.extend)
    members = [Member() for _ in range(10_000)]

    for member in members:
        deadlines.set(member, 100)

    assert len({member.timer_key for member in members}) <= 3
    deadlines.stop()
    assert all(member.timer_key == NEVER for member in members)


async def test_deadlines_are_met_in_order_and_never_early():
    """Each member is called for once, not before its own time, which is met within one per cent where the loop is free."""
    done = asyncio.Event()
    met: list[tuple[Member, float]] = []
    due: dict[Member, float] = {}

    def on_due(members):
        met.extend((member, monotonic()) for member in members)
        if len(met) == 3:
            done.set()

    deadlines = Deadlines(on_due)
    slow, middle, fast, gone = (Member() for _ in range(4))
    for member, delay in ((slow, 0.3), (middle, 0.2), (fast, 0.1), (gone, 0.05), (middle, 0.2)):
        before = monotonic()
        deadlines.set(member, delay)
        due[member] = member.timer_key
        assert before + delay <= due[member] <= monotonic() + delay * 1.01
    deadlines.clear(gone)

    await soon(done.wait())

    assert [member for member, _ in met] == [fast, middle, slow]
    assert all(when >= due[member] for member, when in met)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_server_can_be_used_on_one_loop_after_another(run):
    """Deadlines of a loop that is closed are forgotten."""
    deadlines = Deadlines([].extend)
    old, new = Member(), Member()

    async def use(member):
        deadlines.set(member, 10)

    run(use(old))
    run(use(new))

    assert old.timer_key == NEVER
    assert new.timer_key != NEVER


async def test_a_deadline_can_be_set_while_another_is_about_to_pass():
    """What a loop returns for a timer that is due at once need not know when it is due."""
    due: list[Member] = []
    deadlines = Deadlines(due.extend)
    members = [Member() for _ in range(20)]

    for member in members:
        deadlines.set(member, 0)
        deadlines.set(Member(), 30)

    await until(lambda: len(due) == len(members))
    deadlines.stop()


async def test_deadlines_go_on_after_a_member_that_could_not_be_served():
    """What fails for some does not stop the timer."""
    met: list[Member] = []
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))

    def on_due(members):
        met.extend(members)
        raise RuntimeError("cannot be served")

    deadlines = Deadlines(on_due)
    first, second = Member(), Member()
    deadlines.set(first, 0.01)
    deadlines.set(second, 0.05)

    await until(lambda: len(met) == 2)

    assert met == [first, second]
    assert failures


class Faulty(Session):
    """A session that cannot be pinged."""

    __slots__ = ()

    def post_control(self, packet):
        raise RuntimeError("a ping that cannot be sent")


async def test_a_heartbeat_that_fails_ends_its_own_session_and_no_other(caplog):
    """Clients that share a deadline do not share a fault."""
    app = Application(ping_interval=0.1, ping_timeout=5)
    clients = [await connect_websocket(app) for _ in range(3)]
    for _, sid in clients[::2]:
        app.engine.sockets[sid].__class__ = Faulty

    assert await clients[1][0].frame() == "2"

    assert [await app.reason(), await app.reason()] == ["transport error"] * 2
    assert list(app.engine.sockets) == [clients[1][1]]
    assert "the heartbeat of a client failed" in caplog.text


async def test_a_request_at_the_moment_of_the_timeout_finds_the_session_closed(monkeypatch):
    """A session without pongs is over when ``ping_interval`` and ``ping_timeout`` are, however late the timer is."""
    app = Application(ping_interval=0.05, ping_timeout=0.5)
    client = await connect_polling(app)
    over = monotonic() + 0.55
    assert (await client.poll()).packets == ["2"]
    app.engine.deadlines.stop()  # which would otherwise end the session
    await until(lambda: monotonic() >= over)
    refused = [await client.poll(), await client.send("3")]

    assert [(response.status, response.code) for response in refused] == [(400, 1)] * 2
    assert await app.reason() == "ping timeout"


async def test_a_ping_that_is_sent_late_leaves_the_client_its_time():
    """A server that was busy does not end the sessions of those whom it did not ask."""
    app = Application(ping_interval=0.05, ping_timeout=0.2)
    client, sid = await connect_websocket(app)
    socket = app.engine.sockets[sid]
    socket.expires = monotonic() - 1

    assert await client.frame() == "2"

    assert socket.expires >= monotonic() + 0.1
    client.say("3")
    assert await client.frame() == "2"


async def test_pings_are_never_late():
    """So the client has all of ``ping_timeout`` to answer, and the session ends in time if it does not."""
    app = Application(ping_interval=10, ping_timeout=5)
    before = monotonic()
    client, sid = await connect_websocket(app)

    assert before + 9.5 < app.engine.sockets[sid].timer_key < monotonic() + 10
    client.leave()
    await client.ended()
