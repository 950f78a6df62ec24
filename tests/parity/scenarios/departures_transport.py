"""Where fastsio departs on purpose: Engine.IO."""


from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_ping_interval_below_a_second_is_told(lab: Lab) -> None:
    """Milliseconds as configured."""
    lab.server(ping_interval=0.3, ping_timeout=0.2)

    await lab.client()


@scenario()
async def more_than_sixteen_packets_in_a_post_are_refused(lab: Lab) -> None:
    """Instead of being dropped in silence."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/", polling=True)

    await client.send(*[f'2["x",{number}]' for number in range(17)])


@scenario()
async def the_address_of_the_client_is_real(lab: Lab) -> None:
    """Address and port of the peer are in the environ."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        lab.note("address", environ["REMOTE_ADDR"], environ["REMOTE_PORT"] == str(environ["asgi.scope"]["client"][1]))
        lab.note("server", environ["SERVER_PORT"] == str(environ["asgi.scope"]["server"][1]))

    await lab.client("/")


@scenario()
async def an_empty_frame_closes(lab: Lab) -> None:
    """A websocket frame that is no packet ends the session at once."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send_frames("")


@scenario()
async def an_unknown_frame_closes(lab: Lab) -> None:
    """So does one of an unknown type."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send_frames("x")


@scenario()
async def a_post_is_answered_in_lower_case(lab: Lab) -> None:
    """The protocol's answer is "ok"."""
    lab.server()
    client = await lab.client("/", polling=True)

    await client.post_raw("3")


@scenario()
async def bad_requests_are_answered_with_code_and_message(lab: Lab) -> None:
    """Unknown transport, session and protocol version."""
    lab.server()

    await lab.get("/socket.io/?EIO=4&transport=pigeon")
    await lab.get("/socket.io/?EIO=4&transport=polling&sid=unknown")
    await lab.get("/socket.io/?EIO=3&transport=polling")
    await lab.get("/socket.io/?EIO=4")
