"""What add-ons and test suites do to a server from outside: subclassing, patching, writing to its attributes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_server_may_be_subclassed(lab: Lab) -> None:
    """``on``, ``event``, ``emit`` and ``call`` overridden with ``super()``."""

    class Server(lab.package.AsyncServer):
        def on(self, event: str, handler: Any = None, namespace: str | None = None) -> Any:
            lab.note("on", event, namespace)
            return super().on(event, handler, namespace)

        async def emit(self, event: str, *args: Any, **options: Any) -> None:
            lab.note("emit", event, *args)
            await super().emit(f"own {event}", *args, **options)

        async def disconnect(self, sid: str, *args: Any, **options: Any) -> None:
            lab.note("disconnect", sid)
            await super().disconnect(sid, *args, **options)

    sio = Server(async_mode="asgi")
    lab.serve(lab.package.ASGIApp(sio))

    @sio.event
    async def ask(sid: str) -> None:
        await sio.emit("x", 1, to=sid)

    client = await lab.client("/")

    await client.send('2["ask"]')
    await lab.do("send", sio.send, "hi", to=client.sid)
    await lab.do("disconnect", sio.disconnect, client.sid)


@scenario()
async def a_subclass_may_dispatch_by_itself(lab: Lab) -> None:
    """An own ``_trigger_event`` sees what happens, handled or not, decides about clients, and may answer."""

    class Server(lab.package.AsyncServer):
        async def _trigger_event(self, event: str, namespace: str, *args: Any) -> Any:
            lab.note("trigger", event, namespace, args[0], len(args), *args[1:] if event != "connect" else ())
            if event == "connect" and args[2] is None:
                raise lab.exceptions.ConnectionRefusedError("who are you?")
            if event == "own":
                return "of the dispatcher"
            return await super()._trigger_event(event, namespace, *args)

    sio = Server(async_mode="asgi", namespaces=["/", "/chat"])
    lab.serve(lab.package.ASGIApp(sio))
    sio.on("ask", lab.noting("ask", returns=("two", "answers")))
    sio.on("own", lab.noting("own"))
    stranger = await lab.client()
    await stranger.send("0")
    client = await lab.client()
    await client.join(auth='{"token":1}')

    await client.send('21["ask",1,{"a":2}]')
    await client.send('22["own"]')
    await client.send('23["unheard",1]')
    await client.send("1")


@scenario()
async def a_subclass_may_look_at_packets(lab: Lab) -> None:
    """``_handle_connect``, ``_handle_event``, ``_handle_event_internal`` and ``_handle_ack`` call what they inherit."""

    class Server(lab.package.AsyncServer):
        async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
            lab.note("connect", namespace, data)
            await super()._handle_connect(eio_sid, namespace, data)

        async def _handle_event(self, eio_sid: str, namespace: str, ack_id: Any, data: Any) -> None:
            lab.note("event", namespace, ack_id, data)
            if data[0] != "kept back":
                await super()._handle_event(eio_sid, namespace, ack_id, data)

        async def _handle_event_internal(
            self, server: Any, sid: str, eio_sid: str, data: Any, namespace: str, ack_id: Any
        ) -> None:
            lab.note("internal", server is self, sid, data, namespace, ack_id)
            await super()._handle_event_internal(server, sid, eio_sid, data, namespace, ack_id)

        async def _handle_ack(self, eio_sid: str, namespace: str, ack_id: Any, data: Any) -> None:
            lab.note("ack", namespace, ack_id, data)
            await super()._handle_ack(eio_sid, namespace, ack_id, data)

    sio = Server(async_mode="asgi")
    lab.serve(lab.package.ASGIApp(sio))
    sio.on("ask", lab.noting("ask", returns=b"answer"))
    sio.on("kept back", lab.noting("kept back"))
    client = await lab.client("/")

    await client.send('51-1["ask",{"_placeholder":true,"num":0}]', b"1")
    await client.send('22["kept back"]')
    await lab.do("emit", sio.emit, "x", 1, to=client.sid, callback=lab.noting("callback"))
    await client.send('31["yes"]')


@scenario()
async def a_server_can_be_mocked_by_its_class(lab: Lab) -> None:
    """``MagicMock(spec=...)`` finds the methods on the class."""
    mock = MagicMock(spec=lab.package.AsyncServer)
    for name in ("emit", "send", "call", "enter_room", "leave_room", "rooms", "session", "on", "event", "disconnect"):
        lab.note(name, callable(getattr(mock, name)))
    await lab.settle()


@scenario()
async def handlers_can_be_written_to_the_table(lab: Lab) -> None:
    """``handlers[namespace][event]`` may be set, replaced and deleted."""
    sio = lab.server()
    sio.on("x", lab.noting("first", returns="first"))
    client = await lab.client("/")

    await client.send('21["x"]')
    sio.handlers["/"]["x"] = lab.noting("second", returns="second")
    await client.send('22["x"]')
    sio.handlers["/"]["y"] = lab.noting("added", returns="added")
    await client.send('23["y"]')
    del sio.handlers["/"]["x"]
    await client.send('24["x"]')


@scenario()
async def a_namespace_can_be_written_to_the_table(lab: Lab) -> None:
    """``handlers[namespace] = {...}`` and ``namespace_handlers[namespace] = ...`` open namespaces."""
    sio = lab.server()
    sio.handlers["/function"] = {"x": lab.noting("function", returns=1)}

    class Chat(lab.package.AsyncNamespace):
        def on_x(self, sid: str) -> int:
            return 2

    sio.namespace_handlers["/class"] = Chat("/class")
    client = await lab.client("/function", "/class")

    await client.send('2/function,1["x"]')
    await client.send('2/class,1["x"]')


@scenario()
async def attributes_may_change_while_serving(lab: Lab) -> None:
    """``async_handlers``, ``always_connect`` and ``namespaces`` count from the next packet on."""
    sio = lab.server()
    first = await lab.client("/")

    sio.async_handlers = False
    await lab.do("call", sio.call, "ask", to=first.sid)
    sio.namespaces.append("/late")
    await first.join("/late")
    sio.always_connect = True

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)

    await lab.client("/")


@scenario()
async def the_environ_may_be_written_to(lab: Lab) -> None:
    """Values put into ``environ[eio_sid]`` are read by ``get_environ``."""
    sio = lab.server()
    client = await lab.client("/")

    sio.environ[client.sids["eio"]]["app.user"] = "u"

    await lab.do("get", lambda: sio.get_environ(client.sid)["app.user"])
    sio.environ[client.sids["eio"]] = {"replaced": True}
    await lab.do("get", sio.get_environ, client.sid)


@scenario()
async def frames_of_the_engine_can_be_watched(lab: Lab) -> None:
    """Test clients replace ``_send_eio_packet`` on the instance; what it gets has ``data``."""
    sio = lab.server()
    original = sio._send_eio_packet

    async def watched(eio_sid: str, packet: Any) -> Any:
        lab.note("sent", eio_sid, packet.data)
        return await original(eio_sid, packet)

    sio._send_eio_packet = watched
    await lab.client("/")

    await lab.do("emit", sio.emit, "x", 1)


@scenario()
async def a_client_can_be_played_without_a_transport(lab: Lab) -> None:
    """Test clients call ``_handle_eio_connect`` and ``_handle_eio_message`` and read what ``_send_packet`` gets."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))
    sio.on("ask", lab.noting("ask", returns="answer"))

    async def sent(eio_sid: str, packet: Any) -> None:
        lab.note(
            "sent", eio_sid, packet.packet_type, sorted(packet.data) if packet.id is None else packet.data, packet.id
        )

    sio._send_packet = sent

    await lab.do("connect", sio._handle_eio_connect, "eio", {"asgi.scope": {}})
    # Whether a handler is done when the call returns depends on how the Python at work starts tasks.
    for what, frame in (("join", '0{"token":1}'), ("ask", '27["ask",1]')):
        lab.step(what)
        await sio._handle_eio_message("eio", frame)
        await lab.settle()
    await lab.do("joined", lambda: len(list(sio.manager.get_participants("/", None))))


@scenario()
async def arguments_may_be_positional(lab: Lab) -> None:
    """The order of the parameters is part of the interface."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")
    sid = client.sids["/chat"]
    sio.on("ask", lab.noting("ask", returns=1), "/chat")

    await client.send('2/chat,1["ask"]')
    await lab.do("emit", sio.emit, "x", 1, sid, None, None, "/chat", lab.noting("callback"), True)
    await client.send('3/chat,1["yes"]')
    await lab.do("send", sio.send, "hi", None, sid, None, "/chat")
    await lab.do("enter", sio.enter_room, sid, "red", "/chat")
    await lab.do("rooms", lab.rooms, sio, sid, "/chat")
    await lab.do("leave", sio.leave_room, sid, "red", "/chat")
    await lab.do("close", sio.close_room, "red", "/chat")
    await lab.do("save", sio.save_session, sid, {"a": 1}, "/chat")
    await lab.do("get", sio.get_session, sid, "/chat")
    await lab.do("environ", sio.get_environ, sid, "/chat")
    await lab.do("disconnect", sio.disconnect, sid, "/chat", True)


@scenario()
async def unknown_options_are_taken(lab: Lab) -> None:
    """Options that neither server knows, like ``loop=None`` of old versions."""

    async def build(**options: Any) -> str:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*it does nothing")
            lab.package.AsyncServer(async_mode="asgi", **options)
        return "built"

    await lab.attempt("loop", build, loop=None)
    await lab.attempt("colour", build, colour="red")


@scenario()
async def an_app_may_be_subclassed(lab: Lab) -> None:
    """Attributes before ``super().__init__`` with keyword names, and ``socketio_path=""`` that serves every path."""

    class App(lab.package.ASGIApp):
        def __init__(self, sio: Any) -> None:
            self.prefix = "own"
            super().__init__(
                socketio_server=sio, socketio_path="", other_asgi_app=None, on_startup=None, on_shutdown=None
            )

    lab.serve(App(lab.package.AsyncServer(async_mode="asgi")))

    await lab.client("/", path="/any/where/")
    await lab.client("/", path="/")
