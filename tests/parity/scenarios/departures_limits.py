"""Where fastsio departs on purpose: what is checked, limited or looked up otherwise."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-29",
        reason="A handler that can never be called is a mistake to show when the program starts.",
        socketio=["app: connect gave 'registered'", "app: disconnect gave 'registered'"],
        fastsio=["app: connect gave 'ValueError'", "app: disconnect gave 'ValueError'"],
    )
)
async def handlers_that_cannot_be_called_are_refused(lab: Lab) -> None:
    """A connect handler of one parameter and a disconnect handler of none."""
    sio = lab.server()

    def connect(sid: str) -> None:
        lab.note("connect", sid)

    def disconnect() -> None:
        lab.note("disconnect")

    async def refused(event: str, handler: Any) -> str:
        try:
            sio.on(event, handler)
        except ValueError:
            return "ValueError"
        return "registered"

    await lab.attempt("connect", refused, "connect", connect)
    await lab.attempt("disconnect", refused, "disconnect", disconnect)


@scenario(
    differs=Difference(
        row="C-33", reason="The room of a sid is the client's address.", socketio=[], fastsio=['c1: EVENT / ["x", 1]']
    )
)
async def a_client_does_not_leave_its_own_room(lab: Lab) -> None:
    """``to=sid`` reaches the client as long as it is connected."""
    sio = lab.server()
    client = await lab.client("/")

    await lab.do("leave", sio.leave_room, client.sid, client.sid)
    await lab.do("emit", sio.emit, "x", 1, to=client.sid)


@scenario(
    differs=Difference(
        row="C-36",
        reason="orjson reads integers beyond 64 bits as floats, as JavaScript does.",
        socketio=["app: x '<c1/>' 1180591620717411303424"],
        fastsio=["app: x '<c1/>' 1.1805916207174113e+21"],
    )
)
async def large_integers_from_clients(lab: Lab) -> None:
    """Beyond 64 bits orjson reads a float, as JavaScript does."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await client.send(f'2["x",{2**63}]')
    await client.send(f'2["x",{2**70}]')


@scenario(
    differs=Difference(
        row="C-12",
        reason="The protocol closes on a packet type it does not know.",
        socketio=["c1: POST answered 200 OK"],
        fastsio=[
            "app: disconnect '<c1/>' 'transport error'",
            "c1: NOOP",
            'c1: POST answered 400 {"code":3,"message":"Bad request"}',
        ],
    )
)
async def an_unknown_packet_in_a_post_closes(lab: Lab) -> None:
    """Instead of an internal error that is answered as if it were fine."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/", polling=True)

    await client.post_raw("x")


@scenario(
    differs=Difference(
        row="C-31",
        reason="What one connection may join is bounded.",
        socketio=['c1: CONNECT /16 {"sid": "<c1/16>"}'],
        fastsio=['c1: CONNECT_ERROR /16 {"message": "Too many namespaces"}'],
    )
)
async def a_connection_joins_sixteen_namespaces(lab: Lab) -> None:
    """The seventeenth is refused."""
    lab.server(namespaces="*")

    await lab.client(*[f"/{number}" for number in range(17)])


@scenario(
    differs=Difference(
        row="C-38",
        reason="ASGI servers and routers leave the prefix of a mount in the path.",
        socketio=["c1: handshake refused: 500 Internal Server Error", "c1: cannot send: not open"],
        fastsio=[
            'c1: OPEN {"maxPayload": 1000000, "pingInterval": 25000, "pingTimeout": 20000, "sid": "<c1 eio>", "upgrades": []}',
            'c1: CONNECT / {"sid": "<c1/>"}',
        ],
    )
)
async def a_mounted_app_finds_its_path(lab: Lab) -> None:
    """Mounted below a prefix, the path of Socket.IO may be given with or without it."""
    app = lab.package.ASGIApp(lab.package.AsyncServer(async_mode="asgi"))

    async def mount(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/prefix"}, receive, send)

    lab.serve(mount)

    await lab.client("/", path="/prefix/socket.io/")


@scenario(
    differs=Difference(
        row="C-35",
        reason="Two servers in one process have each their own.",
        socketio=['c1: EVENT / ["x", "custom"]'],
        fastsio=['c1: EVENT / ["x", "1j"]'],
    )
)
async def a_json_module_belongs_to_its_server(lab: Lab) -> None:
    """A second server in the process keeps its own."""
    packet = importlib.import_module(f"{lab.package.__name__}.packet").Packet
    engine_packet = importlib.import_module("engineio.packet").Packet
    saved = packet.json, engine_packet.json

    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(value, default=lambda _other: "custom", **options)

    async def emit(sio: Any) -> str:
        try:
            await sio.emit("x", 1j)
        except TypeError:
            return "TypeError"
        return "no error"

    try:
        lab.server(json=SimpleNamespace(dumps=dumps, loads=json.loads))
        sio = lab.server()
        await lab.client("/")
        await lab.do("emit", emit, sio)
    finally:
        packet.json, engine_packet.json = saved


@scenario(
    differs=Difference(
        row="C-19",
        reason="A value that makes no sense is a mistake to show when the program starts.",
        socketio=[
            "app: ping_interval gave 'built'",
            "app: ping_timeout gave 'built'",
            "app: max_http_buffer_size gave 'built'",
        ],
        fastsio=[
            "app: ping_interval gave 'names the option'",
            "app: ping_timeout gave 'names the option'",
            "app: max_http_buffer_size gave 'names the option'",
        ],
    )
)
async def options_are_checked(lab: Lab) -> None:
    """Values that make no sense are refused with the name of the option."""

    async def build(option: str) -> str:
        try:
            lab.package.AsyncServer(async_mode="asgi", **{option: -1})
        except ValueError as error:
            return "names the option" if option in str(error) else f"names something else: {error}"
        return "built"

    for option in ("ping_interval", "ping_timeout", "max_http_buffer_size", "compression_threshold"):
        await lab.attempt(option, build, option)
