"""The upgrade from polling to WebSocket, over an in-process ASGI wire."""

from __future__ import annotations

import asyncio
from logging import getLogger

import pytest

from tests.shells.engine.wire import (
    Application,
    Gate,
    WebSocketClient,
    connect_polling,
    settle,
    soon,
    start_upgrade,
    until,
    upgrade,
)


async def test_a_session_moves_to_the_websocket():
    """The pending poll ends with a noop, then the WebSocket carries both directions."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    websocket = await upgrade(client)

    assert (await poll.response()).packets == ["6"]
    websocket.say("4up")
    assert await app.message() == "up"
    app.post(client.sid, "down")
    assert await websocket.frame() == "4down"
    assert app.engine.transport(client.sid) == "websocket"
    websocket.leave()
    assert await app.reason() == "transport close"


# Only asyncio:
async def test_the_packet_log_tells_of_the_upgrade_and_of_what_is_posted(caplog):
    """In python-engineio's words, without the session id."""
    caplog.set_level("INFO", "tests.packets")
    app = Application(logger=getLogger("tests.packets"))
    client = await connect_polling(app)
    await client.send("4posted")
    await app.message()

    websocket = await upgrade(client)
    websocket.say("4up")
    await app.message()

    lines = [record.getMessage().partition(": ")[2] for record in caplog.records if "..." in record.getMessage()]
    assert [line for line in lines if not line.startswith("Sending packet NOOP")] == [
        "Sending packet OPEN data <hidden>",
        "Received packet MESSAGE data posted",
        "Received request to upgrade to websocket",
        "Upgrade to websocket successful",
        "Received packet MESSAGE data up",
    ]
    assert client.sid not in caplog.text


# Both:
async def test_messages_posted_during_the_upgrade_are_sent_once_and_in_order():
    """They wait for the WebSocket, and no noop follows."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()

    app.post(client.sid, "one")
    poll = await client.poll()
    app.post(client.sid, "two", b"\x01")
    websocket.say("5")

    assert poll.packets == ["6"]
    assert [await websocket.frame() for _ in range(3)] == ["4one", "4two", b"\x01"]
    app.post(client.sid, "three")
    assert await websocket.frame() == "4three"


async def test_messages_can_be_posted_by_the_client_during_the_upgrade():
    """A POST under way when the WebSocket opens is taken."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()

    assert (await client.send("4a")).status == 200
    assert await app.message() == "a"


async def test_an_upgrade_needs_no_probe():
    """Some clients send ``5`` alone; a pending poll ends with a noop."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()
    websocket = await start_upgrade(client)

    websocket.say("5")
    websocket.say("4up")

    assert await app.message() == "up"
    assert (await poll.response()).packets == ["6"]
    app.post(client.sid, "down")
    assert await websocket.frame() == "4down"


async def test_an_upgraded_session_refuses_http_and_closes_a_second_websocket():
    """The second WebSocket is accepted first, as by the JavaScript server; the live one is untouched."""
    app = Application()
    client = await connect_polling(app)
    websocket = await upgrade(client)
    websocket.say("4x")
    await app.message()

    second = await start_upgrade(client)
    assert await second.closed() == []
    await second.ended()

    assert (await client.poll()).code == 3
    assert (await client.send("4a")).code == 3
    app.post(client.sid, "alive")
    assert await websocket.frame() == "4alive"


async def test_a_second_websocket_during_an_upgrade_is_closed():
    """Only one WebSocket can take a session over."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)

    second = await start_upgrade(client)
    assert await second.closed() == []
    await second.ended()
    websocket.say("2probe")

    assert await websocket.frame() == "3probe"


# Only asyncio:
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_poll_that_arrives_together_with_the_end_of_the_upgrade_is_refused(is_first):
    """The session has moved, whichever of the two is read first."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()

    if is_first:
        poll = client.start_poll()
        await settle()
        websocket.say("5")
    else:
        websocket.say("5")
        poll = client.start_poll()

    refused = await poll.response()
    assert (refused.status, refused.code) == (400, 3)
    app.post(client.sid, "alive")
    assert await websocket.frame() == "4alive"


# Both:
async def test_a_poll_that_waits_for_an_upgrade_goes_on_when_that_fails():
    """The session stays on polling, and the poll gets what comes."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()
    poll = client.start_poll()
    await settle()

    websocket.leave()
    await websocket.ended()
    app.post(client.sid, "still here")

    assert (await poll.response()).packets == ["4still here"]


@pytest.mark.parametrize("frames", [["4hello"], ["2"], [b"2probe"], ["2probe", "4early"], ["2probe", "2probe"]])
async def test_a_websocket_that_probes_wrongly_is_closed_and_the_session_stays_on_polling(frames):
    """What a connection says that has not taken the session over does not end the session."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)

    for frame in frames:
        websocket.say(frame)
    await websocket.closed()
    await websocket.ended()

    app.post(client.sid, "still here")
    assert (await client.poll()).packets == ["4still here"]
    assert (await client.send("4me too")).status == 200
    assert app.disconnects.empty()
    await upgrade(client)


@pytest.mark.parametrize("frames", [[], ["2probe"]])
async def test_a_websocket_that_vanishes_leaves_the_session_on_polling(frames):
    """A failed upgrade is no reason to lose the session."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    for frame in frames:
        websocket.say(frame)

    websocket.leave()
    await websocket.ended()
    app.post(client.sid, "still here")

    assert (await client.poll()).packets == ["4still here"]
    assert app.disconnects.empty()
    await upgrade(client)


# Only asyncio:
@pytest.mark.virtual_time
async def test_an_upgrade_that_takes_too_long_is_given_up():
    """After ``upgrade_timeout`` the WebSocket is closed and polling goes on."""
    app = Application(upgrade_timeout=0.05)
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")

    assert await websocket.closed() == ["3probe"]
    await websocket.ended()
    app.post(client.sid, "x")
    assert (await client.poll()).packets == ["4x"]


async def test_a_session_that_ends_during_the_upgrade_closes_the_websocket():
    """Nobody waits for an upgrade of a session that is over."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()

    await app.engine.disconnect(client.sid)

    assert await websocket.closed() == []
    await websocket.ended()
    assert await app.reason() == "server disconnect"


async def test_an_upgrade_with_another_protocol_version_is_refused():
    """``EIO`` may not change within a session (engine.io 6.6.11)."""
    app = Application()
    client = await connect_polling(app)

    websocket = WebSocketClient(
        app, f"EIO=3&transport=websocket&sid={client.sid}", extensions={"websocket.http.response": {}}
    )
    await websocket.ended()

    assert websocket.events[0]["status"] == 400
    assert app.disconnects.empty()


async def test_a_websocket_for_a_session_that_waits_for_its_last_poll_is_refused():
    """A session that is over cannot be upgraded."""
    app = Application()
    client = await connect_polling(app)
    await app.engine.disconnect(client.sid)

    websocket = WebSocketClient(app, f"EIO=4&transport=websocket&sid={client.sid}")
    await websocket.ended()

    assert websocket.events == [{"type": "websocket.close", "code": 1008}]


# Both:
async def test_what_was_posted_before_an_upgrade_is_handled_before_what_follows_it():
    """The WebSocket is not read while the packets of a POST are handled: they are taken one after the other."""
    app = Application()
    client = await connect_polling(app)
    begun, may_go_on, order = Gate(), Gate(), []

    async def record(sid, data):
        order.append(data)
        begun.set()
        await may_go_on.wait()
        order.append(f"{data} done")

    app.on_message = record
    post = app.start(client.send, "4one\x1e4two")
    await soon(begun.wait())
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()
    websocket.say("5")
    websocket.say("4three")
    await settle()
    assert order == ["one"]

    may_go_on.set()
    assert (await soon(post)).status == 200
    await until(lambda: len(order) == 6)

    assert order == ["one", "one done", "two", "two done", "three", "three done"]


# Only asyncio:
@pytest.mark.virtual_time
async def test_an_upgrade_that_waits_too_long_for_a_post_leaves_the_session_on_polling():
    """It has the time of an upgrade, like all the rest of it."""
    app = Application(upgrade_timeout=0.01)
    client = await connect_polling(app)
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(sid, data):
        begun.set()
        await may_go_on.wait()

    app.on_message = wait
    post = asyncio.create_task(client.send("4one"))
    await soon(begun.wait())
    websocket = await start_upgrade(client)
    websocket.say("5")

    assert await websocket.closed() == []
    may_go_on.set()
    assert (await soon(post)).status == 200
    assert app.engine.transport(client.sid) == "polling"


# Both:
