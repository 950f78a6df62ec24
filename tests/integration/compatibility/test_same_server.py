"""
What test clients and add-ons replace, read and write on a server, on both servers.

``PARITY_OURS=socketio`` runs them on python-socketio, which must pass as well.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.integration.clients import eventually
from tests.integration.compat_player import Kind, Player, both, done, module, package

# _send_packet, _send_eio_packet, _handle_eio_connect, _handle_eio_message


@both
async def test_replaced_exits_see_everything_that_goes_out(kind: Kind):
    """Answers go through ``_send_packet``, emits through ``_send_eio_packet`` in frames with ``data``."""
    server = kind.server()
    frames: list[Any] = []
    player = Player(kind, server)
    take = player._take_frame
    player._take_frame = lambda eio_sid, frame: (frames.append(frame.data), take(eio_sid, frame))
    server._send_eio_packet = kind.function(player._take_frame)
    server.on("ask", lambda sid, value: value)
    sid = await player.connect()

    assert player.packets == [(0, "/", {"sid": sid}, None)]
    assert await player.ask("ask", b"\x01") == [b"\x01"]
    await done(server.emit("news", {"part": b"\x02"}, to=sid))
    await done(server.disconnect(sid))

    assert frames == ['51-["news",{"part":{"_placeholder":true,"num":0}}]', b"\x02"]
    assert player.packets[-2:] == [(5, "/", ["news", {"part": b"\x02"}], None), (1, "/", None, None)]


def test_the_sync_server_has_answered_when_it_returns():
    """With ``async_handlers`` off, as Flask-SocketIO's test client sets it, everything happens in the call."""
    server = Kind(is_async=False).server()
    server.async_handlers = False
    server.eio.async_handlers = False
    sent: list[Any] = []
    server._send_packet = lambda eio_sid, packet: sent.append((eio_sid, int(packet.packet_type), packet.data))
    server.on("connect", lambda sid, environ: sent.append(environ["key"]))
    server.on("double", lambda sid, value: value * 2)
    server.on("disconnect", lambda sid, reason: sent.append(reason))

    server._handle_eio_connect("eio", {"key": "value"})
    server._handle_eio_message("eio", "0")
    sid = server.manager.sid_from_eio_sid("eio", "/")
    server._handle_eio_message("eio", '27["double",21]')
    server._handle_eio_message("eio", "1")

    assert sent == ["value", ("eio", 0, {"sid": sid}), ("eio", 3, [42]), "client disconnect"]


# _handle_event_internal


@both
async def test_the_seam_of_validating_add_ons(kind: Kind):
    """``_handle_event_internal`` is patched on the instance: it gets every event and may pass it on changed."""
    server = kind.server()
    server.on("ask", lambda sid, *args: args or None)
    player = Player(kind, server)
    sid = await player.connect()
    original = server._handle_event_internal
    seen: list[Any] = []

    def patched(owner: Any, sid: str, eio_sid: str, data: list[Any], namespace: str, id: int | None) -> Any:  # noqa: A002 - python-socketio's name
        seen.append((owner is server, sid, eio_sid, list(data), namespace, id))
        return original(owner, sid, eio_sid, [data[0], *(value + 1 for value in data[1:])], namespace, id)

    async def awaiting(*args: Any) -> Any:
        return await patched(*args)

    server._handle_event_internal = awaiting if kind.is_async else patched

    assert await player.ask("ask", id=1) == []
    assert await player.ask("ask", 1, id=2) == [2]
    assert await player.ask("ask", 1, 2, id=3) == [2, 3]
    assert seen[1] == (True, sid, "eio-1", ["ask", 1], "/", 2)


# Attributes of the server


@both
async def test_attributes_of_the_server_may_be_written(kind: Kind):
    """``environ``, ``handlers``, ``async_handlers``, ``logger`` and ``manager``; ``async_mode`` is read."""
    server = kind.server()
    manager = server.manager
    server.manager = manager
    server.logger = logging.getLogger("own")
    server.environ["eio-1"] = {}
    server.async_handlers = False
    server.on("ask", lambda sid: "first", namespace="/n")
    handler = server.handlers["/n"]["ask"]
    server.handlers["/n"]["ask"] = lambda sid: (handler(sid), "second")
    player = Player(kind, server)
    del server.environ["eio-1"]

    sid = await player.connect("/n", environ={"a": 1})

    assert await player.ask("ask", namespace="/n") == ["first", "second"]
    server.environ["eio-1"]["saved"] = {"user": 1}
    assert server.get_environ(sid, namespace="/n") == {"a": 1, "saved": {"user": 1}}
    assert server.async_mode == server.eio.async_mode == ("asgi" if kind.is_async else "threading")


@both
async def test_a_manager_may_be_given_and_replaced(kind: Kind):
    """``client_manager=`` takes a subclass, and ``server.manager`` may be set before the first client."""

    class Own(package.AsyncManager if kind.is_async else package.Manager):
        def emit(self, event: str, *args: Any, **kwargs: Any) -> Any:
            return super().emit(f"own {event}", *args, **kwargs)

    server = kind.server(client_manager=Own())
    replaced = kind.server()
    replaced.manager = Own()
    replaced.manager.set_server(replaced)

    for one in (server, replaced):
        player = Player(kind, one)
        await player.connect()
        await done(one.emit("x", 1))

        assert player.events() == [["own x", 1]]


# Server.eio


@both
async def test_options_of_the_engine_can_be_read(kind: Kind):
    """Under the names of Engine.IO."""
    engine = kind.server(cookie="io", allow_upgrades=False, ping_interval=7, ping_timeout=3).eio

    assert (engine.cookie, engine.allow_upgrades, engine.ping_interval, engine.ping_timeout) == ("io", False, 7, 3)
    assert engine.async_handlers is False
    engine.async_handlers = False
    assert engine.async_mode == ("asgi" if kind.is_async else "threading")


@both
async def test_options_of_the_engine_may_be_written_later(kind: Kind):
    """The next client is told the new values."""
    server = kind.server()
    app = kind.app_class(server)
    before = await kind.handshake(app)
    server.eio.ping_interval = 11
    server.eio.ping_timeout = 5
    server.eio.allow_upgrades = False

    after = await kind.handshake(app)

    assert (before["pingInterval"], before["pingTimeout"], before["upgrades"]) == (25000, 20000, ["websocket"])
    assert (after["pingInterval"], after["pingTimeout"], after["upgrades"]) == (11000, 5000, [])


# Server.manager


@both
async def test_the_manager_tells_who_is_where(kind: Kind):
    """``initialize()``, ``sid_from_eio_sid()`` and membership in ``rooms``."""
    server = kind.server(namespaces=["/n"])
    server.manager.initialize()
    player = Player(kind, server)

    sid = await player.connect("/n")
    await done(server.enter_room(sid, "red", namespace="/n"))

    manager = server.manager
    assert "/n" in manager.rooms
    assert "/" not in manager.rooms
    assert "red" in manager.rooms["/n"]
    assert sid in manager.rooms["/n"]["red"]
    assert manager.rooms["/n"]["red"][sid] == "eio-1"
    assert manager.sid_from_eio_sid("eio-1", "/n") == sid
    assert manager.sid_from_eio_sid("nobody", "/n") is None


@both
def test_reasons_are_attributes_of_the_class(kind: Kind):
    """``Server.reason.CLIENT_DISCONNECT`` needs no instance."""
    reason = kind.server_class.reason

    assert (reason.CLIENT_DISCONNECT, reason.SERVER_DISCONNECT) == ("client disconnect", "server disconnect")


# Bases


@both
async def test_subclasses_override_cooperatively(kind: Kind):
    """``on``, ``event``, ``emit`` and ``call`` with ``super()``, and a mixin before the base that owns ``on``."""
    calls: list[Any] = []

    class Recording:
        def on(self, event: str, *args: Any, **kwargs: Any) -> Any:
            calls.append(("on", event))
            return super().on(event, *args, **kwargs)

        def event(self, *args: Any, **kwargs: Any) -> Any:
            calls.append("event")
            return super().event(*args, **kwargs)

        def emit(self, event: str, *args: Any, **kwargs: Any) -> Any:
            calls.append(("emit", event))
            return super().emit(event, *args, **kwargs)

        def call(self, event: str, *args: Any, **kwargs: Any) -> Any:
            calls.append(("call", event))
            return super().call(event, *args, **kwargs)

    class Own(Recording, kind.server_class):
        pass

    server = Own(async_mode="asgi" if kind.is_async else "threading")

    @server.event
    def ping(sid: str) -> str:
        return "pong"

    player = Player(kind, server)
    sid = await player.connect()
    await done(server.send("hi", to=sid))
    with pytest.raises(ValueError, match="broadcast"):
        await done(server.call("question"))

    assert await player.ask("ping") == ["pong"]
    assert {"event", ("emit", "message"), ("call", "question")} <= set(calls)
    assert ("on", "ping") in calls
    base = module("base_server").BaseServer
    assert issubclass(kind.server_class, base)
    assert "on" in {name for owner in base.__mro__ for name in vars(owner)}


# json=


@both
async def test_any_json_module_is_used_for_every_packet(kind: Kind):
    """An object with ``dumps(obj, separators=...)`` and ``loads(text)``."""
    used: list[str] = []

    class Json:
        @staticmethod
        def dumps(value: Any, *args: Any, **kwargs: Any) -> str:

            used.append("dumps")
            return json.dumps({"wrapped": value} if value == ["x", 1] else value, *args, **kwargs)

        @staticmethod
        def loads(text: str, *args: Any, **kwargs: Any) -> Any:

            used.append("loads")
            return json.loads(text, *args, **kwargs)

    server = kind.server(json=Json)
    frames: list[Any] = []
    server.on("ask", lambda sid, value: value)
    await done(server._handle_eio_connect("eio-1", {}))
    server._send_packet = kind.function(lambda eio_sid, packet: frames.append(packet.encode()))
    server._send_eio_packet = kind.function(lambda eio_sid, packet: frames.append(packet.data))
    await done(server._handle_eio_message("eio-1", "0"))
    await eventually(lambda: frames)
    await done(server._handle_eio_message("eio-1", '21["ask",5]'))
    await eventually(lambda: "31[5]" in frames)
    await done(server.emit("x", 1))

    assert frames[-1] == '2{"wrapped":["x",1]}'
    assert used.count("loads") == 1
    assert used.count("dumps") == 3


# Options


@both
def test_options_are_taken(kind: Kind):
    """Every option of python-socketio and Engine.IO, and those that neither knows."""
    server = kind.server(
        logger=False,
        serializer="default",
        json=None,
        async_handlers=True,
        always_connect=True,
        namespaces="*",
        engineio_logger=False,
        ping_interval=(25, 5),
        ping_timeout=20,
        max_http_buffer_size=2_000_000,
        allow_upgrades=True,
        http_compression=False,
        compression_threshold=512,
        cookie={"name": "io", "path": "/", "httponly": True},
        cors_allowed_origins=["https://example.test"],
        cors_credentials=False,
        monitor_clients=False,
        transports=["websocket"],
    )

    assert (server.always_connect, server.namespaces) == (True, "*")
    assert server.eio.max_http_buffer_size == 2_000_000
