"""
What handlers and class-based namespaces rely on, on both servers.

``PARITY_OURS=socketio`` runs them on python-socketio, which must pass as well.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from tests.integration.clients import eventually
from tests.integration.compat_player import Kind, Player, both, done, module
from tests.support.waiting import WAIT_S

# Class-based namespaces


@both
async def test_namespaces_may_have_more_than_handlers(kind: Kind):
    """Attributes, private methods, ``on_*`` found by ``getattr``, plain methods on both servers."""

    class Chat(kind.namespace_class):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.count = 0

        def __getattr__(self, name: str) -> Any:
            if name == "on_dynamic":
                return lambda sid, *args: ("dynamic", *args)
            raise AttributeError(name)

        def _private(self) -> int:
            self.count += 1
            return self.count

        def on_empty(self, sid: str) -> int:
            return self._private()

    server = kind.server()
    chat = Chat("/chat")
    server.register_namespace(chat)
    player = Player(kind, server)
    await player.connect("/chat")

    assert chat.server is server
    assert await player.ask("empty", namespace="/chat", id=1) == [1]
    assert await player.ask("dynamic", 5, namespace="/chat", id=2) == ["dynamic", 5]


@both
async def test_namespaces_may_dispatch_by_themselves(kind: Kind):
    """``trigger_event`` gets every event, ``connect`` and ``disconnect`` included, and may pass it on."""
    seen: list[Any] = []

    class Chat(kind.namespace_class):
        def trigger_event(self, event: str, *args: Any) -> Any:
            seen.append((event, len(args)))
            return super().trigger_event(event, *args)

        def on_say(self, sid: str, text: str) -> str:
            return f"said {text}"

        def on_connect(self, sid: str, environ: Any) -> None:
            seen.append("connected")

    server = kind.server()
    server.register_namespace(Chat("/chat"))
    player = Player(kind, server)
    await player.connect("/chat")

    assert await player.ask("say", "x", namespace="/chat") == ["said x"]
    await player.send(1, "/chat")
    await eventually(lambda: ("disconnect", 2) in seen)

    assert [entry for entry in seen if entry[0] != "connect"][-2:] == [("say", 2), ("disconnect", 2)]
    assert "connected" in seen


async def test_coroutine_methods_are_awaited():
    """On the asyncio server both kinds of method stand side by side."""
    kind = Kind(is_async=True)

    class Chat(kind.namespace_class):
        async def on_slow(self, sid: str) -> str:
            await asyncio.sleep(0)
            return "slow"

        def on_fast(self, sid: str) -> str:
            return "fast"

    server = kind.server()
    server.register_namespace(Chat("/chat"))
    player = Player(kind, server)
    await player.connect("/chat")

    assert await player.ask("slow", namespace="/chat", id=1) == ["slow"]
    assert await player.ask("fast", namespace="/chat", id=2) == ["fast"]


# Connecting and leaving


@both
async def test_connect_handlers_may_send_and_enter_rooms(kind: Kind):
    """What they emit arrives, and the room holds."""
    server = kind.server()

    async def welcome(sid: str) -> None:
        await done(server.enter_room(sid, "red"))
        await done(server.emit("welcome", sid, to="red"))

    if kind.is_async:

        @server.event
        async def connect(sid: str, environ: Any) -> None:
            await welcome(sid)
    else:

        @server.event
        def connect(sid: str, environ: Any) -> None:
            server.enter_room(sid, "red")
            server.emit("welcome", sid, to="red")

    player = Player(kind, server)

    sid = await player.connect()

    await eventually(player.events)
    assert player.events() == [["welcome", sid]]
    assert sorted(server.rooms(sid)) == sorted([sid, "red"])


@both
async def test_the_builtin_refusal_is_understood(kind: Kind):
    """``raise ConnectionRefusedError(text)`` without an import refuses, and only the package's own tells its text."""
    server = kind.server(namespaces=["/own"])
    own = module("exceptions").ConnectionRefusedError

    @server.on("connect", namespace="/")
    def connect(sid: str, environ: Any) -> None:
        raise ConnectionRefusedError("go away")

    @server.on("connect", namespace="/own")
    def connect_own(sid: str, environ: Any) -> None:
        raise own("not you", 7)

    player = Player(kind, server)

    assert await player.connect("/") is None
    assert await player.connect("/own") is None
    assert player.packets[0][:2] == (4, "/")
    assert player.packets[0][2] == {"message": "Connection refused by server"}
    assert player.packets[1] == (4, "/own", {"message": "not you", "data": 7}, None)


@pytest.mark.parametrize("with_reason", [True, False])
@both
async def test_disconnect_handlers_still_see_the_client(kind: Kind, with_reason: bool):
    """With and without the reason; rooms and session are there."""
    server = kind.server()
    seen: list[Any] = []

    def note(sid: str, session: Any, *reason: str) -> None:
        seen.append((*reason, sorted(server.rooms(sid)) == sorted([sid, "red"]), session))

    async def coroutine_with_reason(sid: str, reason: str) -> None:
        note(sid, await server.get_session(sid), reason)

    async def coroutine(sid: str) -> None:
        note(sid, await server.get_session(sid))

    def plain_with_reason(sid: str, reason: str) -> None:
        note(sid, server.get_session(sid), reason)

    def plain(sid: str) -> None:
        note(sid, server.get_session(sid))

    handlers = {True: (coroutine_with_reason, coroutine), False: (plain_with_reason, plain)}
    server.on("disconnect", handlers[kind.is_async][not with_reason])
    opened = await kind.handshake(kind.app_class(server))
    player = Player(kind, server, opened["sid"])
    sid = await player.connect()
    await eventually(lambda: server.manager.is_connected(sid, "/"))
    await done(server.enter_room(sid, "red"))
    await done(server.save_session(sid, {"user": 1}))

    await player.send(1)
    await eventually(lambda: seen)

    assert seen == [(*(("client disconnect",) if with_reason else ()), True, {"user": 1})]


# Calling


@both
async def test_call_waits_for_the_client(kind: Kind):
    """It returns the acknowledgement, or raises the package's ``TimeoutError``."""
    server = kind.server()
    player = Player(kind, server)
    sid = await player.connect()

    answer = asyncio.ensure_future(kind.in_background(server.call, "question", 1, to=sid, timeout=WAIT_S))
    await eventually(lambda: player.packets[-1][0] == 2)
    _, _, data, ack_id = player.packets[-1]
    await player.send(3, data=["yes", 2], id=ack_id)

    assert data == ["question", 1]
    assert await answer == ("yes", 2)
    with pytest.raises(module("exceptions").TimeoutError):
        await kind.in_background(server.call, "question", to=sid, timeout=0.01)


async def test_coroutines_may_be_made_now_and_awaited_later():
    """Nothing is sent before ``await``."""
    kind = Kind(is_async=True)
    server = kind.server()
    player = Player(kind, server)
    sid = await player.connect()

    emitting = server.emit("x", to=sid)
    calling = server.call("question", to=sid, timeout=0.01)

    assert inspect.iscoroutine(emitting)
    assert player.events() == []
    await emitting
    assert player.events() == [["x"]]
    with pytest.raises(module("exceptions").TimeoutError):
        await calling


# Handlers


@both
async def test_handlers_by_keyword_and_with_defaults(kind: Kind):
    """``on(event, handler=..., namespace=...)``, and parameters that no client fills."""
    server = kind.server()

    def handler(sid: str, data: Any, _: Any = None, *, strict: bool = True) -> Any:
        return data, strict

    def connect(sid: str, environ: Any, _: Any = None) -> None:
        """Take what NiceGUI's takes."""

    server.on(event="ask", handler=handler, namespace="/n")
    server.on("connect", handler=connect, namespace="/n")
    player = Player(kind, server)
    await player.connect("/n")

    assert await player.ask("ask", 1, namespace="/n") == [1, True]


@both
async def test_a_function_for_all_events_wins_over_a_class(kind: Kind):
    """The class-based namespace is asked last."""

    class Chat(kind.namespace_class):
        def on_say(self, sid: str) -> str:
            return "class"

        def on_connect(self, sid: str, environ: Any) -> None:
            """Let everybody in."""

    server = kind.server()
    server.register_namespace(Chat("/chat"))
    player = Player(kind, server)
    await player.connect("/chat")

    assert await player.ask("say", namespace="/chat", id=1) == ["class"]
    server.on("*", lambda event, sid: f"function for {event}", namespace="/chat")
    assert await player.ask("say", namespace="/chat", id=2) == ["function for say"]
