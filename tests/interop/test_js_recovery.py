"""How the real JavaScript client comes back to the session that it had: connection state recovery."""

from __future__ import annotations

import pytest_asyncio

import fastsio


@pytest_asyncio.fixture(loop_scope="module")
async def recovering(start):
    """A world whose server recovers connections."""
    world = await start(connection_state_recovery=True)
    sio = world.site.sio

    @sio.event
    async def rooms(sid: fastsio.SocketID) -> list[str]:
        return sorted(sio.rooms(sid))

    @sio.event
    async def everybody(sid: fastsio.SocketID) -> list[str]:
        return [each for each, _ in sio.manager.get_participants("/", None)]

    return world


async def test_a_client_gets_what_it_missed(recovering, transports):
    """After a loss the client has its sid and rooms again, and each event that was sent meanwhile once, in order."""
    sio = recovering.site.sio
    async with recovering.program("recovery", "misses_events", transports=transports) as program:
        sid = await program.step("connected")
        await sio.emit("news", "seen", room="tea")
        await program.step("dropped")
        await recovering.site.saw("disconnect")
        await sio.emit("news", ("missed", 1), room="tea")
        await sio.emit("news", "not for this client", room="coffee")
        await sio.emit("news", ("missed", 2), to=sid)
        await sio.emit("news", "skipped", skip_sid=sid)
        await sio.emit("news", {"missed": b"\x01"})
        await program.tell()
        result = await program.result()

    assert result == {
        "same": True,
        "recovered": True,
        "news": [["seen"], ["missed", 1], ["missed", 2], [{"missed": {"bytes": "01"}}]],
        "rooms": sorted([sid, "tea"]),
    }


async def test_a_client_that_never_got_an_event(recovering, transports):
    """A client that has seen no event yet comes back to all that was sent since it connected."""
    sio = recovering.site.sio
    seen: list[object] = []

    @sio.on("connect", namespace="/quiet")
    async def connect_quiet(auth: fastsio.Auth, recovered: fastsio.Recovered) -> None:
        seen.append((auth, bool(recovered)))

    async with recovering.program("recovery", "never_got_an_event", transports=transports) as program:
        sid = await program.step("connected")
        await program.step("dropped")
        await sio.emit("news", 1, to=sid, namespace="/quiet")
        await program.tell()
        result = await program.result()

    assert result == {"same": True, "recovered": True, "news": [[1]]}
    assert seen == [({"token": "secret"}, False), ({"token": "secret"}, True)]


async def test_a_client_takes_over(recovering, transports):
    """A client that is back before the server knows of its loss gets its sid; the old connection is closed."""
    async with recovering.program("recovery", "takes_over", transports=transports) as program:
        sid = await program.step("connected")
        result = await program.result()

    # A client that polls learns of it from the answer to its next request.
    assert result.pop("reason") in {"transport close", "transport error"}
    assert result == {"same": True, "pid": True, "active": True, "here": [sid]}
    assert (await recovering.site.saw("connect"))["sid"] == sid
    assert await recovering.site.saw("disconnect") == {"sid": sid, "reason": "transport close", "rooms": [sid]}
    assert await recovering.site.saw("connect") == {"sid": sid, "auth": None, "header": None}


async def test_an_unknown_offset(recovering):
    """An offset that the client cannot have makes it a new client."""
    sio = recovering.site.sio
    for offset in ("nonsense", "1", "~999999~", "~0~", "~-1~", "", f"~{10**40}~"):
        async with recovering.program("recovery", "comes_back_with", transports=["websocket"]) as program:
            sid = await program.step("connected")
            await sio.emit("news", 1, to=sid)
            await program.step("dropped")
            await program.tell({"_lastOffset": offset})
            result = await program.result()

        assert result == {"same": False, "recovered": False, "news": []}, offset


async def test_a_text_at_the_end_of_an_event_is_no_offset(recovering, transports):
    """Events that end in a text have the offset behind it, so that the client comes back to the right place."""
    sio = recovering.site.sio
    async with recovering.program("recovery", "events_end_in_texts", transports=transports) as program:
        sid = await program.step("connected")
        await sio.emit("news", "one", to=sid)
        await sio.emit("news", "two", to=sid, ignore_queue=True)
        await sio.emit("last", "text", to=sid)
        await program.step("dropped")
        await sio.emit("news", "three", to=sid)
        await program.tell()
        result = await program.result()

    assert result == {"recovered": True, "news": [["one"], ["two"], ["three"]]}


async def test_a_client_that_left(recovering, transports):
    """A client that has left by itself comes back as a new one."""
    result = await recovering.play("recovery", "leaves_and_comes_back", transports=transports)

    assert result == {"same": False, "recovered": False}


async def test_a_client_that_is_refused(recovering):
    """A connect handler may refuse a client that comes back; its session is gone then."""
    sio = recovering.site.sio
    refused: list[str] = []

    @sio.on("connect")
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        if recovered:
            refused.append(recovered.sid)
            raise fastsio.exceptions.ConnectionRefusedError("banned")

    async with recovering.program("recovery", "is_refused", transports=["websocket"]) as program:
        sid = await program.step("connected")
        await program.step("dropped")
        await program.tell()
        await program.step("refused")
        await program.tell()
        result = await program.result()

    assert result == {"message": "banned", "same": False, "recovered": False}
    assert refused == [sid]


async def test_a_client_that_was_sent_away_meanwhile(recovering):
    """disconnect(sid) of a client that is away ends its session: it comes back as a new client."""
    sio = recovering.site.sio
    async with recovering.program("recovery", "never_got_an_event", transports=["websocket"], namespace="/") as program:
        sid = await program.step("connected")
        await program.step("dropped")
        await recovering.site.saw("disconnect")
        await sio.disconnect(sid)
        await program.tell()
        result = await program.result()

    assert (result["same"], result["recovered"]) == (False, False)


async def test_a_client_that_drops_at_once(recovering, transports):
    """A client may close its transport with its first event, in the middle of an upgrade."""
    sio = recovering.site.sio

    @sio.event
    async def hello(sid: fastsio.SocketID) -> None:
        await sio.emit("hello", to=sid)

    result = await recovering.play("recovery", "drops_at_once", transports=transports)

    assert result == {"before": False, "same": True, "recovered": True}
