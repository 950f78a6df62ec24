"""The upgrade from polling to a WebSocket that is a direct link: frames are handled where they arrive, without a task."""

from __future__ import annotations

import asyncio
from logging import getLogger
from typing import Any

import pytest

from fastsio.aio.engine.links import DIRECT
from fastsio.engine.frame_reader import MESSAGE_TOO_BIG
from fastsio.engine.frames import close_frame
from tests.shells.engine.wire import Application, Gate, PollingClient, connect_polling, scope_of, settle, soon, until
from tests.shells.fast.transport import make_wire

PROBE_ANSWER = b"\x81\x063probe"


class Upgrading:
    """A client that polls, with a WebSocket on a direct link."""

    def __init__(self, client: PollingClient) -> None:
        self.app = client.app
        self.client = client
        self.session = client.app.engine.sockets[client.sid]
        self.wire, self.transport, self.owner = make_wire()

    async def open(self) -> Upgrading:
        """Open the WebSocket; the application's call is over then."""
        query = f"EIO=4&transport=websocket&sid={self.client.sid}"
        scope = scope_of("websocket", query, extensions={DIRECT: self.wire})

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(event: Any) -> None:
            assert event == {"type": "websocket.accept"}

        await soon(asyncio.create_task(self.app.engine.handle_request(scope, receive, send)))
        return self

    def say(self, *frames: str | bytes) -> None:
        """Let frames arrive."""
        for each in frames:
            self.wire.deliver(each)

    async def written(self) -> bytes:
        """Return what was written until this turn of the loop has ended."""
        await settle()
        return b"".join(self.transport.writes)

    @property
    def transport_name(self) -> str:
        """What carries the packets of the session."""
        return self.app.engine.transport(self.client.sid)


async def upgrading(**options: Any) -> Upgrading:
    """Return a client whose WebSocket was accepted."""
    return await Upgrading(await connect_polling(Application(**options))).open()


async def test_a_session_moves_without_a_task():
    """The pending poll ends with a noop, then the WebSocket carries both directions."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()
    upgrade = await Upgrading(client).open()
    upgrade.say("2probe")
    assert await upgrade.written() == PROBE_ANSWER
    upgrade.say("5")

    assert upgrade.owner.tasks == []
    assert (await poll.response()).packets == ["6"]
    upgrade.say("4up")
    assert await app.message() == "up"
    app.post(client.sid, "down")
    assert await upgrade.written() == PROBE_ANSWER + b"\x81\x054down"
    assert upgrade.transport_name == "websocket"


async def test_the_probe_may_be_left_out_and_messages_may_follow_at_once():
    """What waits for the session goes out over the WebSocket."""
    upgrade = await upgrading()
    upgrade.app.post(upgrade.client.sid, "waits")
    upgrade.say("5", "4up")

    assert await upgrade.app.message() == "up"
    assert await upgrade.written() == b"\x81\x064waits"


@pytest.mark.parametrize("frames", [("4up",), ("2",), (b"5",), ("2probe", "2probe"), ("2probe", "3")])
async def test_another_frame_loses_the_websocket_and_not_the_session(frames, caplog):
    """It is closed as after an ordinary end, frames behind it are dropped, and the client may try again."""
    caplog.set_level("INFO", "tests.upgrades")
    upgrade = await upgrading(logger=getLogger("tests.upgrades"))
    upgrade.say(*frames, "5", "4late")

    assert (await upgrade.written()).endswith(close_frame(1000))
    assert "An upgrade failed, the session stays on polling: expected " in caplog.text
    assert upgrade.transport_name == "polling"
    assert upgrade.app.messages.empty()
    again = await Upgrading(upgrade.client).open()
    again.say("5")
    assert again.transport_name == "websocket"


@pytest.mark.parametrize(
    ("end", "said"),
    [(lambda wire: wire.lost(), "was not completed"), (lambda wire: wire.fail(MESSAGE_TOO_BIG), "failed")],
)
async def test_a_websocket_that_ends_leaves_the_session_on_polling(end, said, caplog):
    """Its packets go to polls again."""
    caplog.set_level("INFO", "tests.upgrades")
    upgrade = await upgrading(logger=getLogger("tests.upgrades"))
    upgrade.say("2probe")
    upgrade.app.post(upgrade.client.sid, "kept")
    end(upgrade.wire)
    await settle()

    assert f"An upgrade {said}" in caplog.text
    assert upgrade.transport_name == "polling"
    assert (await upgrade.client.poll()).packets == ["4kept"]


async def test_a_client_that_takes_too_long_loses_the_websocket():
    """After ``upgrade_timeout``."""
    upgrade = await upgrading(upgrade_timeout=0.01)
    upgrade.say("2probe")
    await until(lambda: close_frame(1000) in upgrade.transport.writes)

    assert upgrade.transport_name == "polling"


async def test_a_client_that_does_not_read_loses_the_websocket():
    """Its probe cannot be answered."""
    upgrade = await upgrading()
    upgrade.wire.pause_writing()
    upgrade.say("2probe")
    await settle()

    assert upgrade.wire.is_closing
    assert upgrade.transport_name == "polling"


async def test_the_websocket_of_a_session_that_ends_is_closed():
    """What the client says meanwhile is dropped."""
    upgrade = await upgrading()
    upgrade.say("2probe")
    await upgrade.app.engine.disconnect(upgrade.client.sid)
    upgrade.say("5", "4late")

    assert (await upgrade.written()).endswith(close_frame(1000))
    assert upgrade.app.messages.empty()


class Posting:
    """A client that upgrades while its POST is handled, which waits for :attr:`gate`."""

    def __init__(self, upgrade: Upgrading, gate: asyncio.Event, post: asyncio.Task[Any]) -> None:
        self.upgrade, self.gate, self.post = upgrade, gate, post


async def posting(**options: Any) -> Posting:
    """Return such a client, which has asked for the switch."""
    app = Application(**options)
    client = await connect_polling(app)
    gate = Gate()

    async def on_message(_sid: str, data: Any) -> None:
        if data == "slow":
            await gate.wait()

    app.on_message = on_message  # type: ignore[method-assign] # as tests set it
    post = asyncio.create_task(client.send("4slow"))
    assert await app.message() == "slow"
    upgrade = await Upgrading(client).open()
    upgrade.say("2probe", "5")
    return Posting(upgrade, gate, post)


async def test_messages_wait_for_a_post_that_is_handled():
    """They come after those of the POST."""
    case = await posting()
    app, upgrade = case.upgrade.app, case.upgrade
    upgrade.say("4second")
    await settle()
    assert app.messages.empty()
    assert upgrade.transport_name == "polling"
    case.gate.set()

    assert await app.message() == "second"
    assert (await soon(case.post)).text == "ok"
    assert upgrade.transport_name == "websocket"


async def test_a_client_that_leaves_while_its_post_is_handled_is_gone():
    """It has left its polls."""
    case = await posting()
    case.upgrade.wire.lost()
    case.gate.set()

    assert await case.upgrade.app.reason() == "transport close"


async def test_a_switch_that_takes_too_long_does_not_come_later():
    """The session stays on polling when the POST has been handled."""
    case = await posting(upgrade_timeout=0.01)
    await until(lambda: case.upgrade.wire.is_closing)
    case.gate.set()
    assert (await soon(case.post)).text == "ok"
    await settle()

    assert case.upgrade.transport_name == "polling"
    assert all(task.done() for task in case.upgrade.owner.tasks)


async def test_a_session_that_ends_while_its_post_is_handled_does_not_switch():
    """Its WebSocket is closed."""
    case = await posting()
    ending = asyncio.create_task(case.upgrade.app.engine.disconnect(case.upgrade.client.sid))
    await until(lambda: case.upgrade.session.closing)
    case.gate.set()
    await soon(ending)

    await until(lambda: close_frame(1000) in case.upgrade.transport.writes)
    assert not case.upgrade.app.engine.sockets
    await soon(case.post)
