"""Handlers and calls that are seldom but legal."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import msgpack

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def partials_and_static_methods_may_be_async(lab: Lab) -> None:
    """A partial of a coroutine function is awaited; static methods of a class namespace are handlers."""
    sio = lab.server()

    async def three(first: str, sid: str, data: Any) -> str:
        return f"{first} {data}"

    sio.on("partial", functools.partial(three, "bound"))

    class Chat(lab.package.AsyncNamespace):
        @staticmethod
        async def on_static(_sid: str) -> str:
            return "static"

        @classmethod
        def on_cls(cls, _sid: str) -> str:
            return cls.__name__

        def on_message(self, sid: str, data: Any) -> Any:
            return data

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/", "/chat")

    await client.send('21["partial",1]')
    await client.send('2/chat,1["static"]')
    await client.send('2/chat,2["cls"]')
    await client.send('2/chat,3["message","hi"]')


@scenario(
    differs=Difference(
        row="C-40",
        reason="A cancelled handler has no result, so there is nothing to acknowledge.",
        socketio=["c1: ACK / #1 []"],
        fastsio=[],
    )
)
async def a_cancelled_handler_harms_nobody(lab: Lab) -> None:
    """CancelledError inside a handler ends that handler alone."""
    sio = lab.server()

    @sio.event
    async def cancelled(sid: str) -> None:
        lab.note("cancelled")
        raise asyncio.CancelledError

    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client("/")

    await client.send('21["cancelled"]')
    await client.send('22["x"]')


@scenario()
async def the_same_function_may_serve_several_events(lab: Lab) -> None:
    """Decorators stack, over namespaces too."""
    sio = lab.server()

    @sio.on("a")
    @sio.on("b")
    @sio.on("c", namespace="/chat")
    def handler(sid: str, data: Any = None) -> Any:
        lab.note("handler", sid, data)
        return data

    client = await lab.client("/", "/chat")

    await client.send('21["a",1]')
    await client.send('22["b",2]')
    await client.send('2/chat,3["c",3]')


@scenario()
async def concurrent_emits_do_not_mix_their_frames(lab: Lab) -> None:
    """Binary packets of many tasks reach the client each in one piece."""
    sio = lab.server()
    await lab.client("/")

    async def burst() -> None:
        await asyncio.gather(*[sio.emit("x", [bytes([number]), bytes([number])]) for number in range(8)])

    await lab.do("burst", burst)


@scenario()
async def fifty_clients_get_a_broadcast(lab: Lab) -> None:
    """Everybody but the one that is skipped."""
    sio = lab.server()
    clients = [await lab.client("/") for _ in range(50)]

    await lab.do("emit", sio.emit, "x", 1, skip_sid=clients[7].sid)


@scenario()
async def rooms_work_while_connecting_and_leaving(lab: Lab) -> None:
    """A connect handler may close rooms and a disconnect handler may save the session, emit and leave."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "red")
        await sio.close_room("red")
        await sio.enter_room(sid, "blue")
        await sio.leave_room(sid, "green")
        lab.note("rooms", lab.rooms(sio, sid))

    @sio.event
    async def disconnect(sid: str) -> None:
        async with sio.session(sid) as session:
            session["left"] = True
        await sio.leave_room(sid, "blue")
        await sio.emit("left", 1, room="blue")
        lab.note("rooms", lab.rooms(sio, sid), await sio.get_session(sid))

    first = await lab.client("/")
    await lab.client("/")

    await lab.do("emit", sio.emit, "x", 1, room="blue")
    await first.close()


@scenario()
async def late_acknowledgements_of_a_client_that_left_are_ignored(lab: Lab) -> None:
    """A client that leaves and comes back cannot answer what the one before was asked."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("emit", sio.emit, "ask", to=client.sid, callback=lab.noting("callback"))

    await client.send("1")
    await client.send('31["late"]')
    await client.join()
    await client.send('31["later"]')


@scenario()
async def msgpack_takes_types_of_ones_own(lab: Lab) -> None:
    """``MsgPackPacket.configure`` gives a packet class with a ``default`` and an extension hook."""
    module = importlib.import_module(f"{lab.package.__name__}.msgpack_packet")

    def default(value: Any) -> msgpack.ExtType:
        lab.note("default", value)
        return msgpack.ExtType(7, str(value).encode())

    def hook(code: int, data: bytes) -> str:
        lab.note("hook", code, data)
        return f"ext {code}"

    sio = lab.server(serializer=module.MsgPackPacket.configure(dumps_default=default, ext_hook=hook))
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client(packed=True)
    await client.send_frames(msgpack.packb({"type": 0, "nsp": "/"}))

    await client.send_frames(msgpack.packb({"type": 2, "nsp": "/", "data": ["x", msgpack.ExtType(5, b"e")], "id": 1}))
    await lab.do("emit", sio.emit, "y", complex(1, 2))


@scenario()
async def numbers_are_names_of_events(lab: Lab) -> None:
    """Whole ones and others, in both directions; a number is not the text that looks like it."""
    sio = lab.server()
    for name in (0, 5, 5.5, "5"):
        sio.on(name, lab.noting(repr(name), returns="answer"))
    client = await lab.client("/")

    await client.send("2[5]", '21[5,"a"]', '2[5.5,"b"]', '22["5"]', "23[0]", "2[6]")
    await lab.do("emit", sio.emit, 7, "seven")
    await lab.do("emit with bytes", sio.emit, 7.5, b"x", to=client.sid)


@scenario()
async def a_named_tuple_is_several_values(lab: Lab) -> None:
    """It is a tuple, wherever one may be given."""
    pair = namedtuple("pair", "first second")  # noqa: PYI024 - its values have no types worth saying
    sio = lab.server()
    client = await lab.client("/")

    await lab.do("emit", sio.emit, "x", pair(1, [2]))
    await lab.do("emit with bytes", sio.emit, "x", pair(b"1", {"a": 2}), to=client.sid)
    await lab.do("a value in it", sio.emit, "x", [pair(1, 2)])
    await lab.do("send", sio.send, pair(1, 2), to=client.sid)
    asking = await lab.begin("call", sio.call("ask", pair(1, 2), to=client.sid))
    await client.send("31[1]")
    await asking


@scenario()
async def white_space_may_stand_before_a_payload(lab: Lab) -> None:
    """As before any JSON value, also after the id and the namespace."""
    sio = lab.server(namespaces=["/", "/a"])
    for namespace in ("/", "/a"):
        sio.on("x", lab.noting("x", returns=1), namespace=namespace)
    client = await lab.client("/")

    for packet in ('2 ["x"]', '21 ["x"]', '2\n["x"]', '212\t\r ["x", 1]', '2["x" , 1 ] '):
        await client.send(packet)
    await client.send('0/a, {"token":1}')
    await client.send('2/a, ["x"]', '2/a,3 ["x"]')
    await client.send('51-/a,4 ["x",{"_placeholder":true,"num":0}]', b"1")


@scenario()
async def transports_may_be_limited(lab: Lab) -> None:
    """``transports=["polling"]`` offers no upgrade and takes no websocket handshake to polling alone."""
    lab.server(transports=["polling"])
    await lab.client("/", polling=True)

    lab.server(transports=["websocket"])
    await lab.client("/")


OPENED = (
    """OPEN {"maxPayload": 1000000, "pingInterval": 25000, "pingTimeout": 20000, "sid": "<http eio 2>", """
    """"upgrades": ["websocket"]}"""
)
HEADERS = "'content-type': 'text/plain; charset=UTF-8', 'access-control-allow-credentials': 'true'"


@scenario(
    differs=Difference(
        row="C-151",
        reason="Scripts have no use for the session's id, as in the JavaScript server.",
        socketio=[f"http: 200 {{{HEADERS}, 'set-cookie': 'io=<http eio 2>; path=/; SameSite=Lax'}} {OPENED}"],
        fastsio=[f"http: 200 {{{HEADERS}, 'set-cookie': 'io=<http eio 2>; path=/; HttpOnly; SameSite=Lax'}} {OPENED}"],
    )
)
async def a_cookie_is_set_when_asked_for(lab: Lab) -> None:
    """``cookie`` takes a name or a dict of attributes."""
    for cookie in (None, "io", {"name": "test", "path": "/x", "Secure": True, "HttpOnly": True, "SameSite": "Strict"}):
        lab.server(cookie=cookie)
        await lab.get("/socket.io/?EIO=4&transport=polling")
