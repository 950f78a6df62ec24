"""How connections with the real JavaScript client end and come back, seen from both sides."""

from __future__ import annotations

from tests.support.waiting import WAIT_S


async def test_the_client_leaves(world, transports):
    """socket.disconnect() is 'client disconnect' on the server, where the rooms can still be read."""
    result = await world.play("lifecycle", "client_leaves", transports=transports)

    seen = await world.site.saw("disconnect")
    assert result == {"reason": "io client disconnect"}
    assert (seen["reason"], seen["rooms"]) == ("client disconnect", sorted([seen["sid"], "tea"]))


async def test_the_client_closes_the_transport(world):
    """A transport closed without a Socket.IO packet is a 'transport close' on the server."""
    result = await world.play("lifecycle", "client_closes_the_transport", transports=["websocket"])

    assert result == {"reason": "forced close"}
    assert (await world.site.saw("disconnect"))["reason"] == "transport close"


async def test_the_clients_process_dies(world):
    """A websocket that breaks runs the disconnect handler at once."""
    async with world.program("lifecycle", "client_dies", transports=["websocket"]) as program:
        sid = await program.step("connected")
        await program.tell()

        seen = await world.site.saw("disconnect", timeout_s=WAIT_S)

    assert (seen["sid"], seen["reason"]) == (sid, "transport close")


async def test_a_silent_client_is_given_up(start, transports):
    """A client that answers no ping is 'ping timeout' on the server and sees its transport close."""
    world = await start(ping_interval=0.3, ping_timeout=3)

    result = await world.play("lifecycle", "client_falls_silent", transports=transports)

    assert result["reason"] in {"transport close", "transport error"}
    assert (await world.site.saw("disconnect"))["reason"] == "ping timeout"


async def test_the_server_sends_the_client_away(world, transports):
    """disconnect(sid) is 'io server disconnect' on the client, which does not come back by itself."""
    result = await world.play("lifecycle", "server_kicks", transports=transports)

    assert result == {"reason": "io server disconnect", "active": False, "connected": False}
    assert (await world.site.saw("disconnect"))["reason"] == "server disconnect"


async def test_the_client_survives_a_restart_of_the_server(world, transports):
    """The client reconnects under a new id once the server is back, and sends what it kept meanwhile."""
    async with world.program("lifecycle", "server_restarts", transports=transports) as program:
        await program.step("connected")
        await world.server.stop()
        reason = await program.step("disconnected")
        await world.server.start()

        result = await program.result()

    assert reason in {"transport close", "transport error", "io server disconnect"}
    assert result == {"changed": True, "echoed": "back"}
    assert await world.site.saw("number") == "kept meanwhile"


async def test_the_client_waits_for_the_server(world):
    """A client that was started first connects when the server comes."""
    await world.server.stop()
    async with world.program("lifecycle", "waits_for_the_server", transports=["websocket"]) as program:
        failure = await program.step("failed")
        await world.server.start()

        assert await program.result() == {"echoed": "here"}

    assert failure == "websocket error"


async def test_a_client_comes_back_under_new_ids(world, transports):
    """Leaving and connecting again on one manager gives a fresh id each time."""
    assert await world.play("lifecycle", "comes_back", transports=transports) == {"ids": 4, "echoed": "back"}


async def test_shutdown_ends_the_transport(world, transports):
    """shutdown() tells no client to stay away, and runs its disconnect handler."""
    async with world.program("lifecycle", "server_shuts_down", transports=transports) as program:
        await program.step("connected")
        await world.site.sio.shutdown()
        result = await program.result()

    assert result == {"reason": "transport close", "active": True}
    assert (await world.site.saw("disconnect"))["reason"] == "server shutting down"


async def test_shutdown_may_dismiss_the_clients(world, transports):
    """
    shutdown(dismiss=True) sends every client away and runs its disconnect handler.

    Over polling DISCONNECT and the end of the transport come in one answer, of which this client looks at the end first.
    """
    async with world.program("lifecycle", "server_shuts_down", transports=transports) as program:
        await program.step("connected")
        await world.site.sio.shutdown(dismiss=True)
        result = await program.result()

    polled = set() if transports == ["websocket"] else {"transport close"}
    assert result["reason"] in {"io server disconnect"} | polled
    assert (await world.site.saw("disconnect"))["reason"] == "server disconnect"
