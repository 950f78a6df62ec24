"""Methods of python-socketio that an application overrides in a class: they are called as those put on an object are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import fastsio
from fastsio import BaseMiddleware, Depends, SocketID
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.testing import TestClient
from tests.shells.aio.fake_engine import Wire, settled, turns
from tests.shells.engine.wire import WebSocketClient


def made(methods, **options):
    """Make a server of a subclass with these methods, and its wire."""
    server = type("Application", (fastsio.AsyncServer,), methods)(async_mode="asgi", **options)
    return server, Wire(server)


class Audit:
    """Keeps what ``_trigger_event`` is called with, and may answer for the handler."""

    def __init__(self):
        self.calls = []

    async def __call__(self, server, inherited, event, namespace, *args):
        self.calls.append((event, namespace, *args))
        return await inherited(event, namespace, *args)


@pytest.fixture(params=["class", "mixin", "object"])
def audited(request):
    """Make a server with a dispatcher of its own, in each of the ways."""
    audit = Audit()

    def make(**options):
        if request.param == "object":
            server, wire = made({}, **options)
            inherited = server._trigger_event

            async def replaced(event, namespace, *args):
                return await audit(server, inherited, event, namespace, *args)

            server._trigger_event = replaced
            return server, wire, audit

        class Mixin:
            async def _trigger_event(self, event, namespace, *args):
                return await audit(self, super()._trigger_event, event, namespace, *args)

        if request.param == "mixin":
            server = type("Application", (Mixin, fastsio.AsyncServer), {})(async_mode="asgi", **options)
        else:

            class Application(fastsio.AsyncServer):
                async def _trigger_event(self, event, namespace, *args):
                    return await audit(self, super()._trigger_event, event, namespace, *args)

            server = Application(async_mode="asgi", **options)
        return server, Wire(server), audit

    return make


@pytest.mark.parametrize("async_handlers", [True, False])
async def test_trigger_event_sees_everything_that_happens(audited, async_handlers):
    """With the arguments that python-socketio gives, handled or not; the answer of the handler is the acknowledgement."""
    sio, wire, audit = audited(async_handlers=async_handlers)
    sio.on("echo", lambda sid, data: data)
    client = await wire.join(auth={"token": 1})
    environ = sio.environ[client.eio_sid]

    assert await client.ask("echo", {"n": 1}) == [{"n": 1}]
    await client.send('2["unheard",1,2]')
    await settled(lambda: len(audit.calls) == 3)
    await client.lose("transport close")

    assert audit.calls == [
        ("connect", "/", client.sid, environ, {"token": 1}),
        ("echo", "/", client.sid, {"n": 1}),
        ("unheard", "/", client.sid, 1, 2),
        ("disconnect", "/", client.sid, "transport close"),
    ]


async def test_an_inherited_trigger_event_injects_and_runs_the_onion(audited):
    """Dependencies that yield stay open until the acknowledgement is sent; middlewares are inside of the dispatcher."""
    sio, wire, audit = audited()
    order = []

    async def database():
        order.append("open")
        yield "db"
        order.append("closed")

    class Noting(BaseMiddleware):
        async def before_event(self, event, sid, data, **_):
            order.append(event)

    @sio.event
    async def ask(sid: SocketID, number: int, db: str = Depends(database)):
        return sid, number, db

    @sio.event
    async def connect(sid: SocketID, environ): ...

    sio.add_middleware(Noting(events=["ask"]))
    client = await wire.join()

    assert await client.ask("ask", 5) == [client.sid, 5, "db"]
    assert order == ["ask", "open", "closed"]
    assert [call[0] for call in audit.calls] == ["connect", "ask"]


async def test_trigger_event_may_refuse_change_and_answer_for_handlers():
    """It decides who comes in, what handlers are given and what clients are told, as where it only calls what it inherits."""

    async def _trigger_event(self, event, namespace, sid, *args):
        if event == "connect":
            if args[1] is None:
                raise Refused("Who are you?")
            return args[1] != {"name": "mallory"}
        if event == "secret":
            return "not for you"
        if event == "nothing":
            return self.not_handled
        return await fastsio.AsyncServer._trigger_event(self, event, namespace, sid, *(2 * arg for arg in args))

    sio, wire = made({"_trigger_event": _trigger_event})
    sio.on("secret", lambda sid: "secret")
    sio.on("double", lambda sid, number: number)
    for auth, answer in (("", '4{"message":"Who are you?"}'), ('{"name":"mallory"}', "4")):
        stranger = await wire.open()
        await stranger.send("0" + auth)
        assert (await stranger.receive()).startswith(answer)
    client = await wire.join(auth={"name": "ann"})

    await client.send('24["nothing"]')
    assert await client.ask("secret") == ["not for you"]
    assert await client.ask("double", 21) == [42]
    assert client.frames == []


async def test_what_a_dispatcher_raises_is_answered_as_what_a_handler_raises(audited, error_of, caplog):
    """An injected handler's failure is answered through the dispatcher too, a plain one's is logged."""
    sio, wire, _ = audited()

    @sio.event
    async def typed(sid: SocketID, number: int): ...

    @sio.event
    async def plain(sid):
        raise RuntimeError("of the application")

    client = await wire.join()
    await client.send('21["typed","x"]', '22["plain"]')

    assert error_of(await client.receive())["type"] == "validation_error"
    await settled(lambda: "of the application" in caplog.text)
    assert client.frames == []


async def test_trigger_event_can_be_called_by_anybody(make):
    """Tests and handlers of applications call it without a client."""
    sio, wire = make()
    sio.on("add", lambda sid, a, b: (sid, a + b))

    @sio.event
    async def connect(sid: SocketID, environ, auth):
        return sid, environ, auth

    @sio.event
    async def whoami(sid: SocketID, name: str):
        return sid, name

    client = await wire.open()
    await client.send("0")
    await client.receive()

    assert await sio._trigger_event("add", "/", "some-sid", 1, 2) == ("some-sid", 3)
    assert await sio._trigger_event("add", None, "s", 1, 2) == ("s", 3)
    assert await sio._trigger_event("connect", "/", "s", {"A": 1}, {"t": 1}) == ("s", {"A": 1}, {"t": 1})
    assert await sio._trigger_event("whoami", "/", "s", "ann") == ("s", "ann")
    assert await sio._trigger_event("unheard", "/", "s") is sio.not_handled


async def test_handle_event_internal_of_a_class_decides_about_events():
    """One that calls what it inherits lets an event through; otherwise the handler is not called."""
    seen = []

    class Application(fastsio.AsyncServer):
        async def _handle_event_internal(self, server, sid, eio_sid, data, namespace, ack_id):
            seen.append((server is self, sid, eio_sid, data, namespace, ack_id))
            if data[0] == "good":
                await super()._handle_event_internal(server, sid, eio_sid, data, namespace, ack_id)

    sio = Application(async_mode="asgi")
    wire = Wire(sio)
    for event in ("good", "bad"):
        sio.on(event, lambda sid: "handled")
    client = await wire.join()

    await client.send('21["bad"]')
    assert await client.ask("good", ack_id=2) == ["handled"]
    assert seen == [
        (True, client.sid, client.eio_sid, [event], "/", ack_id) for event, ack_id in (("bad", 1), ("good", 2))
    ]


async def test_the_methods_for_packets_see_each_packet_once():
    """Those of a class that call what they inherit change nothing; what they keep back does not happen."""
    seen = []

    class Application(fastsio.AsyncServer):
        async def _handle_connect(self, eio_sid, namespace, data):
            seen.append(("connect", namespace, data))
            await super()._handle_connect(eio_sid, namespace, data)

        async def _handle_event(self, eio_sid, namespace, ack_id, data):
            seen.append(("event", namespace, ack_id, data))
            if data[0] != "kept back":
                await super()._handle_event(eio_sid, namespace, ack_id, data)

        async def _handle_ack(self, eio_sid, namespace, ack_id, data):
            seen.append(("ack", namespace, ack_id, data))
            await super()._handle_ack(eio_sid, namespace, ack_id, data)

        async def _handle_disconnect(self, eio_sid, namespace, reason=None):
            seen.append(("disconnect", namespace, reason))
            await super()._handle_disconnect(eio_sid, namespace, reason)

    sio = Application(async_mode="asgi", namespaces=["/", "/n"])
    wire = Wire(sio)
    handled = []
    sio.on("*", lambda event, sid, *args: handled.append((event, args)))
    sio.on("disconnect", lambda sid, reason: handled.append(reason))
    sio.on("disconnect", lambda sid, reason: handled.append(reason), namespace="/n")
    client = await wire.join(auth={"a": 1})
    await client.join("/n")
    await client.send('2["say",1]', '2["kept back"]', '51-["file",{"_placeholder":true,"num":0}]', b"x")
    await settled(lambda: len(handled) == 2)
    await sio.emit("ask", to=client.sid, callback=handled.append)
    await client.send('31["yes"]', "1/n,")
    await settled(lambda: "client disconnect" in handled)
    await client.lose("transport close")

    assert seen == [
        ("connect", None, {"a": 1}),
        ("connect", "/n", None),
        ("event", None, None, ["say", 1]),
        ("event", None, None, ["kept back"]),
        ("event", None, None, ["file", b"x"]),
        ("ack", None, 1, ["yes"]),
        ("disconnect", "/n", "client disconnect"),
        ("disconnect", "/", "transport close"),
    ]
    assert handled == [("say", (1,)), ("file", (b"x",)), "yes", "client disconnect", "transport close"]
    assert not sio.environ


async def test_a_packet_against_the_protocol_closes_the_connection_all_the_same():
    """Methods of the application do not keep the rules of the protocol from holding."""

    class Application(fastsio.AsyncServer):
        async def _handle_event(self, eio_sid, namespace, ack_id, data):
            await super()._handle_event(eio_sid, namespace, ack_id, data)

    sio = Application(async_mode="asgi")
    wire = Wire(sio)
    client = await wire.open()

    await client.send('2["too early"]')

    assert client.eio_sid in wire.closed


async def test_what_a_class_sends_with_is_called():
    """Answers go through its _send_packet, events through its _send_eio_packet."""
    sent = []

    class Application(fastsio.AsyncServer):
        async def _send_packet(self, eio_sid, pkt):
            sent.append(pkt.encode())
            await super()._send_packet(eio_sid, pkt)

        async def _send_eio_packet(self, eio_sid, eio_pkt):
            sent.append(eio_pkt.data)
            await super()._send_eio_packet(eio_sid, eio_pkt)

    sio = Application(async_mode="asgi")
    wire = Wire(sio)
    sio.on("ask", lambda sid: "yes")

    @sio.event
    async def fail(sid):
        raise RuntimeError

    client = await wire.join()
    await client.send('2["fail"]')
    assert await client.ask("ask") == ["yes"]
    await sio.emit("news", to=client.sid)

    assert sent[1:] == ['31["yes"]', '2["news"]']


async def test_handle_eio_message_of_a_class_sees_every_frame():
    """In a real server's engine it takes the place of what reads frames; observed or not."""
    seen = []

    class Application(fastsio.AsyncServer):
        async def _handle_eio_message(self, eio_sid, data):
            seen.append(data)
            await super()._handle_eio_message(eio_sid, data)

    sio = Application(async_mode="asgi")
    sio.on("ask", lambda sid: "yes")
    async with TestClient(sio) as client:
        await client.connect()
        assert await client.call("ask") == "yes"
        sio.instrument(auth=False, mode="production")
        assert await client.call("ask") == "yes"

    assert seen[0] == "0"
    assert len([frame for frame in seen if "ask" in frame]) == 2


async def test_a_namespace_with_a_dispatcher_of_its_own_gets_everything(sio, wire):
    """Overridden in the class, or put on the object."""
    seen = []

    class Chat(fastsio.AsyncNamespace):
        async def trigger_event(self, event, *args):
            seen.append((self.namespace, event))
            return await super().trigger_event(event, *args)

        async def on_ask(self, sid):
            return "yes"

    class Plain(fastsio.AsyncNamespace):
        async def on_ask(self, sid):
            return "yes"

    plain = Plain("/plain")
    inherited = plain.trigger_event

    async def replaced(event, *args):
        seen.append((plain.namespace, event))
        return await inherited(event, *args)

    plain.trigger_event = replaced
    sio.register_namespace(Chat("/chat"))
    sio.register_namespace(plain)
    client = await wire.open()
    for namespace in ("/chat", "/plain"):
        await client.join(namespace)
        await client.send(f'2{namespace},1["ask"]')
        assert await client.receive() == f'3{namespace},1["yes"]'
    await client.lose()
    await turns()

    assert seen == [(name, event) for name in ("/chat", "/plain") for event in ("connect", "ask")] + [
        ("/chat", "disconnect"),
        ("/plain", "disconnect"),
    ]


async def test_a_dispatcher_of_its_own_leaves_no_context_with_each_connection():
    """Only variables that a connect handler has set are kept for the handlers that come later."""

    class Application(fastsio.AsyncServer):
        async def _trigger_event(self, event, namespace, *args):
            return await super()._trigger_event(event, namespace, *args)

    sio = Application(async_mode="asgi")
    reached = []

    @sio.event
    async def connect(sid, environ):
        reached.append(sid)

    client = WebSocketClient(SimpleNamespace(engine=sio.eio))
    await client.opened()
    client.say("40")
    await client.frame()
    (connection,) = sio._connections.values()

    assert len(reached) == 1
    assert connection.variables is None
    client.leave()
    await client.ended()


async def test_an_application_may_use_the_names_that_the_parts_of_a_server_use_among_themselves():
    """A subclass may have methods and attributes of these names; the server does not call or change them."""

    def refuse(*_):
        raise AssertionError("this method is the application's")

    names = ("connection_of", "end_connection", "known_sid", "label_of", "observe", "room_class_of", "run_callback",
             "send_frames", "send_packet", "start_task", "trigger_method")  # fmt: skip
    sio = type("Application", (fastsio.AsyncServer,), dict.fromkeys(names, refuse))(async_mode="asgi", logger=True)
    for name in ("limits", "observer", "options", "room_keeper", "shows_frames"):
        setattr(sio, name, name)
    sio.instrument(auth=False, mode="production")
    wire = Wire(sio)

    class Chat(fastsio.AsyncNamespace):
        find_method = overrides_trigger = refuse

        async def on_hello(self, sid, name):
            await self.enter_room(sid, "hall")
            await self.emit("hello", name, room="hall")
            return name

    sio.register_namespace(Chat())
    client = await wire.join()

    await client.send('21["hello","Ada"]')
    assert [await client.receive() for _ in range(2)] == ['2["hello","Ada"]', '31["Ada"]']
    await sio.shutdown()
    assert (sio.options, sio.observer) == ("options", "observer")
