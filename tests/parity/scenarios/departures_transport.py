"""Where fastsio departs on purpose: Engine.IO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-12",
        reason="The handshake tells whole milliseconds; python-engineio cuts off what is below a second.",
        socketio=[
            'c1: OPEN {"maxPayload": 1000000, "pingInterval": 0, "pingTimeout": 20000, "sid": "<c1 eio>", "upgrades": []}'
        ],
        fastsio=[
            'c1: OPEN {"maxPayload": 1000000, "pingInterval": 300, "pingTimeout": 20000, "sid": "<c1 eio>", "upgrades": []}'
        ],
    )
)
async def a_ping_interval_below_a_second_is_told(lab: Lab) -> None:
    """Milliseconds as configured."""
    lab.server(ping_interval=0.3, ping_timeout=20)

    await lab.client()


@scenario(
    differs=Difference(
        row="C-12",
        reason="python-engineio answers OK and drops all of them.",
        socketio=[],
        fastsio=[f"app: x '<c1/>' {number}" for number in range(17)],
    )
)
async def more_than_sixteen_packets_in_a_post_are_handled(lab: Lab) -> None:
    """Instead of being dropped in silence."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/", polling=True)

    await client.send(*[f'2["x",{number}]' for number in range(17)])


@scenario(
    differs=Difference(
        row="C-12",
        reason="python-engineio gives 127.0.0.1 and no port for every client under ASGI.",
        socketio=["app: address '127.0.0.1' False", "app: server False"],
        fastsio=["app: address '127.0.0.1' True", "app: server True"],
    )
)
async def the_address_of_the_client_is_real(lab: Lab) -> None:
    """Address and port of the peer are in the environ."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        lab.note("address", environ["REMOTE_ADDR"], environ["REMOTE_PORT"] == str(environ["asgi.scope"]["client"][1]))
        lab.note("server", environ["SERVER_PORT"] == str(environ["asgi.scope"]["server"][1]))

    await lab.client("/")


@scenario(
    differs=Difference(
        row="C-12",
        reason="python-engineio raises out of the application and runs no disconnect handler before the ping timeout.",
        socketio=[],
        fastsio=["app: disconnect '<c1/>' 'transport error'"],
    )
)
async def an_empty_frame_closes(lab: Lab) -> None:
    """A websocket frame that is no packet ends the session at once."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send_frames("")


@scenario(
    differs=Difference(
        row="C-12",
        reason="python-engineio raises out of the application and runs no disconnect handler before the ping timeout.",
        socketio=[],
        fastsio=["app: disconnect '<c1/>' 'transport error'"],
    )
)
async def an_unknown_frame_closes(lab: Lab) -> None:
    """So does one of an unknown type."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send_frames("x")


@scenario(
    differs=Difference(
        row="C-14",
        reason='The protocol says "ok".',
        socketio=["c1: POST answered 200 OK"],
        fastsio=["c1: POST answered 200 ok"],
    )
)
async def a_post_is_answered_in_lower_case(lab: Lab) -> None:
    """The protocol's answer is "ok"."""
    lab.server()
    client = await lab.client("/", polling=True)

    await client.post_raw("3")


@scenario(
    differs=Difference(
        row="C-14",
        reason="Errors are JSON objects with the codes of the JavaScript server, and a transport must be named.",
        socketio=[
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"Invalid transport\"",
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"Invalid session unknown\"",
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"The client is using an unsupported version of the Socket.IO or Engine.IO protocols\"",
            'http: 200 {\'content-type\': \'text/plain; charset=UTF-8\', \'access-control-allow-credentials\': \'true\'} OPEN {"maxPayload": 1000000, "pingInterval": 25000, "pingTimeout": 20000, "sid": "<http eio>", "upgrades": ["websocket"]}',
        ],
        fastsio=[
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":0,\"message\":\"Transport unknown\"}",
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":1,\"message\":\"Session ID unknown\"}",
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":5,\"message\":\"Unsupported protocol version\"}",
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":0,\"message\":\"Transport unknown\"}",
        ],
    )
)
async def bad_requests_are_answered_with_code_and_message(lab: Lab) -> None:
    """Unknown transport, session and protocol version."""
    lab.server()

    await lab.get("/socket.io/?EIO=4&transport=pigeon")
    await lab.get("/socket.io/?EIO=4&transport=polling&sid=unknown")
    await lab.get("/socket.io/?EIO=3&transport=polling")
    await lab.get("/socket.io/?EIO=4")


@scenario(
    differs=Difference(
        row="C-12", reason="A session that is over does not keep its websocket.", socketio=[], fastsio=["c1: closed"]
    )
)
async def an_engine_close_packet_ends_the_session(lab: Lab) -> None:
    """The Engine.IO packet "1" closes the session."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send_frames("1")


@scenario(
    differs=Difference(
        row="C-14",
        reason="Errors are JSON objects with the codes of the JavaScript server.",
        socketio=[
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"http://evil.test is not an accepted origin.\"",
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"http://good.test is not an accepted origin.\"",
            "http: 400 {'content-type': 'text/plain', 'access-control-allow-credentials': 'true'} \"http://evil.test is not an accepted origin.\"",
        ],
        fastsio=[
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":4,\"message\":\"http://evil.test is not an accepted origin.\"}",
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":4,\"message\":\"http://good.test is not an accepted origin.\"}",
            "http: 400 {'content-type': 'application/json', 'access-control-allow-credentials': 'true'} {\"code\":4,\"message\":\"http://evil.test is not an accepted origin.\"}",
        ],
    )
)
async def cross_origin_requests_follow_the_option(lab: Lab) -> None:
    """``cors_allowed_origins``: same origin, a list, and everything."""
    evil = {"Origin": "http://evil.test"}
    good = {"Origin": "http://good.test"}
    for allowed in (None, ["http://good.test"], "*"):
        lab.server(cors_allowed_origins=allowed)
        for headers in (evil, good):
            await lab.get("/socket.io/?EIO=4&transport=polling", headers=headers)


@scenario(
    differs=Difference(
        row="C-14", reason="The protocol ends a pending poll with a noop.", socketio=[], fastsio=["c1: NOOP"]
    )
)
async def a_poll_pending_at_the_end_is_answered(lab: Lab) -> None:
    """A poll that waits while the session closes gets a packet, not silence."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/", polling=True)

    await client.close()
