"""The admin interface of the asyncio server: who gets in, what is reported, what is done."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

import fastsio
from fastsio.base.server import reopen
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.protocol.msgpack import MsgPackPacket
from fastsio.protocol.packet import CONNECT
from tests.shells.aio.fake_engine import FakeClient, Wire, settled, turns
from tests.support.waiting import WAIT_S

ADA = {"username": "ada", "password": "secret"}


class AdminWire(Wire):
    """A wire whose clients have transports."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.transports: dict[str, str] = {}

    def on(self, event: str, handler: Any) -> None:
        """Take a handler; this wire calls the server's methods itself."""

    def transport(self, eio_sid: str) -> str:
        """Return the transport of a client."""
        return self.transports.get(eio_sid, "polling")


def watched(**options: Any) -> tuple[fastsio.AsyncServer, AdminWire, Any]:
    """Make a server that is instrumented, its wire, and the interface."""
    server = fastsio.AsyncServer(async_mode="asgi", logger=logging.getLogger("tests.socketio"))
    panel = server.instrument(**{"auth": ADA, "server_stats_interval": 60, **options})
    return server, AdminWire(server), panel


async def report(admin: FakeClient) -> list[Any]:
    """Return the next report."""
    frame = await admin.receive()
    assert frame.startswith("2/admin,"), frame
    return json.loads(frame.removeprefix("2/admin,"))


async def administrator(wire: AdminWire) -> FakeClient:
    """Connect one, and skip what it is told first."""
    admin = await wire.join("/admin", ADA)
    assert (await report(admin))[0] == "config"
    assert (await report(admin))[0] == "all_sockets"
    return admin


async def reports(admin: FakeClient, count: int) -> list[Any]:
    """Return the next reports, without times."""
    found = [await report(admin) for _ in range(count)]
    return [one[:-1] if one[0] != "socket_updated" else one for one in found]


async def test_a_connection_that_cannot_be_begun_is_not_counted(monkeypatch):
    """The engine refuses the client, and does not report the end of a refused connection."""
    sio, wire, panel = watched()
    await wire.open()

    def failing(*_args: Any) -> None:
        raise RuntimeError("cannot begin")

    monkeypatch.setattr(sio._runner, "start_task", failing)
    with pytest.raises(RuntimeError, match="cannot begin"):
        await wire.open(**{PROTOCOL_KEY: 3})

    described = panel._watch.describe_server()
    assert (described["clientsCount"], described["pollingClientsCount"]) == (1, 1)


async def test_administrators_get_in_after_a_restart():
    """A server that takes clients again after a shutdown is watched as before."""
    sio, wire, _ = watched()
    await administrator(wire)
    await sio.shutdown()
    wire.admit = lambda: None
    wire.is_admitting = True
    reopen(sio)

    admin = await administrator(wire)
    await wire.join()

    assert {(await report(admin))[0] for _ in range(2)} == {"room_joined", "socket_connected"}


async def test_instrument_needs_a_word_about_auth():
    """Nobody opens the interface by forgetting it."""
    server = fastsio.AsyncServer(async_mode="asgi")

    with pytest.raises(ValueError, match="auth must be"):
        server.instrument()
    server.instrument(auth=False)
    with pytest.raises(ValueError, match="instrumented already"):
        server.instrument(auth=False)


async def yes(auth: Any) -> bool:
    """Let in who says please."""
    await asyncio.sleep(0)
    return auth.get("word") == "please"


@pytest.mark.parametrize(
    ("auth", "given", "is_let_in"),
    [
        (False, None, True),
        (ADA, ADA, True),
        (ADA, None, False),
        (ADA, {"username": "ada", "password": "wrong"}, False),
        ([{"token": 1}, ADA], ADA, True),
        (yes, {"word": "please"}, True),
        (yes, {"word": "now"}, False),
        (lambda auth: auth.get("word") == "please", {"word": "please"}, True),
        (lambda auth: auth["word"] == "please", None, False),
    ],
)
async def test_who_gets_in(auth, given, is_let_in):
    """Credentials are checked when an administrator connects; the UI knows the words of the refusal."""
    _, wire, _ = watched(auth=auth)
    client = await wire.open()

    await client.send("0/admin," + ("" if given is None else json.dumps(given)))
    answer = await client.receive()

    assert answer.startswith("0/admin,{" if is_let_in else "4/admin,{")
    if given is not None and not is_let_in:
        assert answer == '4/admin,{"message":"invalid credentials"}'


@pytest.mark.parametrize("always_connect", [False, True])
async def test_nothing_is_told_before_the_credentials_are_checked(always_connect):
    """Who waits for the verdict learns nothing, although it is in the namespace already."""
    asked, gate = asyncio.Event(), asyncio.Event()

    async def check(_auth):
        asked.set()
        await gate.wait()
        return False

    server = fastsio.AsyncServer(async_mode="asgi", always_connect=always_connect)
    server.instrument(auth=check)
    wire = AdminWire(server)
    client = await wire.open()
    await client.send("0/admin,{}")
    await asked.wait()
    await wire.join()
    await turns()
    gate.set()
    await settled(lambda: client.frames and client.frames[-1][0] in "14")

    assert [frame[0] for frame in client.frames] == (["0", "1"] if always_connect else ["4"])


async def test_life_of_a_client_is_reported_in_order():
    """Rooms come before the client that is in them, and are left after it has gone, as the UI needs it."""
    server, wire, _ = watched()

    @server.event
    async def connect(sid, _environ):
        await server.enter_room(sid, "early")

    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)
        await server.enter_room(sid, room)

    @server.event
    async def part(sid, room):
        await server.leave_room(sid, room)
        await server.leave_room(sid, room)

    admin = await administrator(wire)
    client = await wire.join(QUERY_STRING="EIO=4&transport=polling")
    sid = client.sid
    first, second, connected = await reports(admin, 3)
    assert [first, second] == [["room_joined", "/", sid, sid], ["room_joined", "/", "early", sid]]
    assert connected[0] == "socket_connected"
    assert {key: connected[1][key] for key in ("id", "nsp", "transport", "data", "rooms")} == {
        "id": sid, "nsp": "/", "transport": "polling", "data": {}, "rooms": [sid, "early"],
    }  # fmt: skip

    await client.send('2["join","tea"]')
    assert await reports(admin, 2) == [
        ["event_received", "/", sid, ["join", "tea"]],
        ["room_joined", "/", "tea", sid],
    ]
    await client.send('2["part","tea"]')
    assert await reports(admin, 2) == [
        ["event_received", "/", sid, ["part", "tea"]],
        ["room_left", "/", "tea", sid],
    ]
    await server.emit("news", ("a", 1))
    await server.close_room("early")
    await client.lose()
    assert await reports(admin, 4) == [
        ["event_sent", "/", sid, ["news", "a", 1]],
        ["room_left", "/", "early", sid],
        ["socket_disconnected", "/", sid, "transport close"],
        ["room_left", "/", sid, sid],
    ]
    await turns()
    assert admin.frames == []


async def test_refused_client_is_not_reported():
    """Nobody sees who was not let in, or the rooms it was in meanwhile."""
    server, wire, _ = watched()

    @server.event
    async def connect(sid, _environ):
        await server.enter_room(sid, "early")
        return False

    admin = await administrator(wire)
    client = await wire.open()
    await client.send("0")
    assert (await client.receive())[0] == "4"
    await turns()

    assert admin.frames == []


async def test_list_of_clients_holds_no_administrators():
    """An administrator that comes later is told who is there."""
    _, wire, _ = watched()
    await wire.join("/admin", ADA)
    client = await wire.join()
    await turns()

    later = await wire.join("/admin", ADA)
    assert (await report(later))[0] == "config"
    name, sockets = await report(later)

    assert (name, [one["id"] for one in sockets]) == ("all_sockets", [client.sid])
    assert sockets[0]["clientId"] == client.eio_sid[:12]


async def test_production_reports_counts_only():
    """No list, no events: configuration and statistics."""
    server, wire, _ = watched(mode="production", server_stats_interval=0.1, server_id="one")
    admin = await wire.join("/admin", ADA)
    client = await wire.join()
    server.on("hello", lambda _sid: None)
    await client.send('2["hello"]')

    assert await report(admin) == [
        "config",
        {"supportedFeatures": ["AGGREGATED_EVENTS", "EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE",
                               "MDISCONNECT"]},
    ]  # fmt: skip
    name, stats = await report(admin)
    assert (name, stats["serverId"], stats["clientsCount"]) == ("server_stats", "one", 2)
    assert {one["name"]: one["socketsCount"] for one in stats["namespaces"]} == {"/": 1, "/admin": 1}
    # Those of two seconds are counted apart.
    assert sum(one["count"] for one in stats["aggregatedEvents"] if one["type"] == "rawConnection") == 2


async def test_statistics_list_every_namespace_of_the_server():
    """Those of functions, of classes and of the options, with clients and without; a catch-all is none."""
    server, wire, _ = watched(mode="production", server_stats_interval=0.01)
    server.namespaces = ["/", "/open"]
    server.on("hello", lambda _sid: None, namespace="/functions")
    server.on("hello", lambda _sid: None, namespace="*")
    server.register_namespace(fastsio.AsyncNamespace("/class"))
    admin = await wire.join("/admin", ADA)
    await report(admin)

    _, stats = await report(admin)
    counts = {one["name"]: one["socketsCount"] for one in stats["namespaces"]}
    assert counts == {"/": 0, "/admin": 1, "/class": 0, "/functions": 0, "/open": 0}


async def test_upgrade_is_reported():
    """A connection that went to a WebSocket is no polling client any more."""
    _, wire, _ = watched(server_stats_interval=0.01)
    admin = await administrator(wire)
    client = await wire.join(QUERY_STRING="EIO=4&transport=polling")
    wire.transports[client.eio_sid] = "websocket"

    seen = []
    while not seen or seen[-1][0] != "socket_updated":
        seen.append(await report(admin))

    assert seen[-1] == ["socket_updated", {"id": client.sid, "nsp": "/", "transport": "websocket"}]


async def test_commands_are_carried_out():
    """Administrators emit, move clients between rooms, and disconnect them, one or all."""
    server, wire, _ = watched(mode="production")
    admin = await wire.join("/admin", ADA)
    first, second = await wire.join(), await wire.join()

    await admin.send('2/admin,["emit","/",null,"news",1,"two"]')
    assert [await first.receive(), await second.receive()] == ['2["news",1,"two"]'] * 2
    await admin.send(f'2/admin,["emit","/","{first.sid}","only"]')
    assert await first.receive() == '2["only"]'
    await admin.send('2/admin,["join","/","tea"]')
    await settled(lambda: "tea" in server.rooms(second.sid))
    await admin.send(f'2/admin,["leave","/","tea","{second.sid}"]')
    await settled(lambda: "tea" not in server.rooms(second.sid))
    assert server.rooms(first.sid) == [first.sid, "tea"]
    await admin.send('2/admin,["_disconnect","/",false,"tea"]')
    assert await first.receive() == "1"
    await admin.send('2/admin,["_disconnect","/",true]')
    await settled(lambda: second.eio_sid in wire.closed)

    assert second.frames == ["1"]
    assert first.eio_sid not in wire.closed


async def test_room_that_some_may_not_enter_is_entered_by_the_others():
    """A client in as many rooms as it may be does not keep the others out."""
    server = fastsio.AsyncServer(async_mode="asgi", max_rooms=1)
    server.instrument(auth=ADA)
    wire = AdminWire(server)
    full, free = await wire.join(), await wire.join()
    await server.enter_room(full.sid, "tea")
    admin = await wire.join("/admin", ADA)

    await admin.send('2/admin,["join","/","coffee"]')
    await settled(lambda: "coffee" in server.rooms(free.sid))

    assert server.rooms(full.sid) == [full.sid, "tea"]


async def test_read_only_refuses_commands():
    """What would change something is not there."""
    server, wire, _ = watched(read_only=True)
    admin = await administrator(wire)
    client = await wire.join()

    await admin.send('2/admin,["emit","/",null,"news"]', '2/admin,["join","/","tea"]', '2/admin,["_disconnect","/"]')
    await turns()

    assert (client.frames, server.rooms(client.sid)) == ([], [client.sid])


async def test_reports_that_cannot_be_sent_in_time_are_dropped(caplog):
    """C-72: the queue is bounded; afterwards the UI gets the whole list again."""
    server, wire, _ = watched(max_reports=3)
    admin = await administrator(wire)

    for number in range(10):
        await server.emit("news", number, to=(await wire.join()).sid if number == 0 else None)
    client_reports = [(await report(admin))[0] for _ in range(4)]

    assert client_reports[-1] == "all_sockets"
    assert "max_reports=3" in caplog.text


async def test_shutdown_ends_the_interface():
    """Its task ends, nothing is reported, nobody gets in; the server works on."""
    server, wire, panel = watched()
    admin = await administrator(wire)
    before = asyncio.all_tasks()

    await panel.shutdown()
    client = await wire.join()
    await server.emit("news")
    late = await wire.open()
    await late.send("0/admin," + json.dumps(ADA))

    assert await client.receive() == '2["news"]'
    assert (await late.receive()).startswith("4/admin,")
    assert admin.frames == []
    assert len(asyncio.all_tasks()) < len(before)


async def test_shutdown_of_the_server_does_not_wait_for_the_interface():
    """The background task ends with the server, at once."""
    server, wire, _ = watched()
    await wire.join("/admin", ADA)

    async with asyncio.timeout(WAIT_S):
        await server.shutdown(timeout=60)

    assert wire.stopped


async def test_interface_can_be_opened_again():
    """What was shut down can watch once more."""
    _, wire, panel = watched()
    await administrator(wire)
    await panel.shutdown()

    panel.instrument()
    admin = await administrator(wire)
    client = await wire.join()

    assert (await report(admin))[:4] == ["room_joined", "/", client.sid, client.sid]


async def test_passwords_cannot_be_guessed_at_will(caplog):
    """After some wrong ones a connection's credentials are not looked at any more; so for those of one address."""
    asked: list[Any] = []

    def auth(given: Any) -> bool:
        asked.append(given)
        return given == ADA

    _, wire, _ = watched(auth=auth, max_failed_logins=3, max_failed_logins_per_minute=5)
    guesser, other = await wire.open(), await wire.open()

    async def guess(client: FakeClient, credentials: Any) -> str:
        await client.send(f"0/admin,{json.dumps(credentials)}")
        return (await client.receive())[:1]

    assert {await guess(guesser, {"password": str(number)}) for number in range(20)} == {"4"}
    assert await guess(guesser, ADA) == "4"
    assert len(asked) == 3
    assert await guess(other, ADA) == "0"
    await other.send("1/admin,")
    assert {await guess(await wire.open(), {"password": str(number)}) for number in range(20)} == {"4"}
    assert len(asked) == 3 + 1 + 2
    assert caplog.text.count("too many failed logins") == 1


async def test_who_guesses_locks_no_administrator_out():
    """The attempts of an address are its own: after any number of wrong ones there, others log in elsewhere."""
    _, wire, _ = watched(max_failed_logins_per_minute=2, max_failed_logins_overall=3)

    async def log_in(address: str, credentials: Any) -> str:
        client = await wire.open(REMOTE_ADDR=address)
        await client.send(f"0/admin,{json.dumps(credentials)}")
        return (await client.receive())[:1]

    answers = [await log_in(f"192.0.2.{number % 5}", {"password": str(number)}) for number in range(20)]

    assert answers == ["4"] * 20
    assert await log_in("198.51.100.7", ADA) == "0"
    assert await log_in("192.0.2.1", ADA) == "4"


async def test_who_only_looks_sees_no_secrets():
    """No cookies, no Authorization, and no id with which to take over the connection of a client of Engine.IO 3."""
    eio_sid = "0123456789abcdefghij"
    _, wire, _ = watched(read_only=True)
    admin = await administrator(wire)
    old = FakeClient(wire, eio_sid)
    wire.clients[eio_sid] = old
    environ = {PROTOCOL_KEY: 3, "HTTP_COOKIE": "session=1", "HTTP_AUTHORIZATION": "Bearer x"}
    await wire.server._handle_eio_connect(eio_sid, environ)
    await old.receive()
    await old.send('2["news",1]')
    await wire.server.emit("told", 1, to=eio_sid)
    await wire.server.enter_room(eio_sid, "tea")
    late = await wire.join("/admin", ADA)
    await old.lose()
    await settled(lambda: any('"socket_disconnected"' in frame for frame in late.frames))

    told = "".join([*admin.frames, *late.frames])

    assert eio_sid[:12] in told
    assert not [word for word in (eio_sid, "session=1", "Bearer") if word in told]


async def test_no_client_is_in_the_namespace_of_all_namespaces():
    """A MessagePack client may name any namespace; "*" is a word of the server's."""
    server = fastsio.AsyncServer(async_mode="asgi", serializer="msgpack", namespaces=["/"])
    server.on("*", lambda *arguments: None, namespace="*")
    wire = Wire(server)
    client = await wire.open()

    await client.send(MsgPackPacket(CONNECT, namespace="*").encode())
    await settled(lambda: wire.closed)

    assert list(server.manager.get_namespaces()) == []


async def test_reports_are_not_kept_for_pages_that_come_back():
    """A page of the Admin UI that was lost is a new one; what it is sent takes no place in the log of events."""
    server = fastsio.AsyncServer(async_mode="asgi", connection_state_recovery=True)
    server.instrument(auth=ADA, server_stats_interval=60)
    wire = AdminWire(server)
    client = await wire.join()
    admin = await wire.open()
    await admin.send("0/admin," + json.dumps(ADA))
    assert "pid" not in json.loads((await admin.receive()).removeprefix("0/admin,"))
    await settled(lambda: any('"config"' in frame for frame in admin.frames))

    await server.enter_room(client.sid, "tea")
    await settled(lambda: any('"room_joined"' in frame for frame in admin.frames))
    await admin.lose()
    await server.emit("news", 1)

    recovery = server.__fastsio__.recovery_state
    assert (len(recovery.log.kept), len(recovery._sessions)) == (1, 0)
    await server.shutdown()
