"""How a connection ends, and what the application hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.clients.lab import described
from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


def watched(lab: Lab, *namespaces: str, **options: Any) -> Any:
    """Make a client whose comings and goings are noted."""
    client = lab.client(**options)
    for namespace in namespaces or ("/",):
        for event in ("connect", "connect_error", "disconnect", "__disconnect_final"):
            client.on(event, lab.noting(f"{event} {namespace}"), namespace=namespace)
    return client


@scenario()
async def disconnect_leaves_every_namespace(lab: Lab) -> None:
    """The handlers are told that the client left."""
    client = watched(lab, "/", "/a")
    await lab.connected(client, namespaces=["/", "/a"])

    await lab.do("disconnect", client.disconnect)
    lab.note("then", *described(client), client.get_sid())
    await lab.do("disconnect again", client.disconnect)


@scenario()
async def disconnect_handlers_may_leave_out_the_reason(lab: Lab) -> None:
    """With and without, plain and coroutine."""
    client = lab.client()
    client.on("disconnect", lambda: lab.note("left"))
    client.on("disconnect", lambda reason: lab.note("left /b", reason), namespace="/b")

    if lab.asynchronous:

        async def disconnect() -> None:
            lab.note("left /a")
    else:

        def disconnect() -> None:
            lab.note("left /a")

    client.on("disconnect", disconnect, namespace="/a")
    await lab.connected(client, namespaces=["/", "/a", "/b"])

    await lab.do("disconnect", client.disconnect)


@scenario()
async def the_server_ends_a_namespace(lab: Lab) -> None:
    """The others live on; with the last one the connection ends."""
    client = watched(lab, "/", "/a")
    _, session = await lab.connected(client, namespaces=["/", "/a"])

    await session.send("1")
    lab.note("then", *described(client))
    await lab.do("emit", client.emit, "x")
    lab.step("the server ends the last")
    await session.write("41/a,")
    await lab.settle()
    lab.note("then", *described(client))


@scenario()
async def the_server_ends_the_only_namespace(lab: Lab) -> None:
    """The connection ends with it."""
    client = watched(lab)
    _, session = await lab.connected(client)

    lab.step("the server ends it")
    await session.write("41")
    await lab.settle()
    lab.note("then", *described(client))


@scenario(
    differs=Difference(
        row="C-52",
        reason="A namespace that was never joined cannot be left.",
        socketio=[
            "app: disconnect /b 'server disconnect'",
            "app: __disconnect_final /b",
        ],
        fastsio=[],
    )
)
async def the_server_ends_a_namespace_nobody_joined(lab: Lab) -> None:
    """Nothing happens."""
    client = watched(lab, "/", "/b")
    _, session = await lab.connected(client, namespaces=["/"])

    await session.send("1/b,")
    lab.note("then", *described(client))


@scenario()
async def the_server_closes_the_websocket(lab: Lab) -> None:
    """Transport error."""
    client = watched(lab, "/", "/a")
    _, session = await lab.connected(client, namespaces=["/", "/a"])

    await session.close()
    await lab.until("app: __disconnect_final /a")
    lab.note("then", *described(client))


@scenario()
async def the_connection_is_cut(lab: Lab) -> None:
    """Transport error."""
    client = watched(lab)
    _, session = await lab.connected(client)

    lab.step("the connection is cut")
    session.cut()
    await lab.until("app: __disconnect_final /")
    lab.note("then", *described(client))


@scenario()
async def the_server_sends_a_close_packet(lab: Lab) -> None:
    """Engine.IO's own."""
    client = watched(lab)
    _, session = await lab.connected(client)

    lab.step("the server sends CLOSE")
    await session.write("1")
    await lab.until("app: __disconnect_final /")
    lab.note("then", *described(client))


@scenario(
    differs=Difference(
        row="C-51",
        reason="One defect must not keep the client from leaving.",
        socketio=[
            "app: then True 's1' {'/': 's1/', '/a': 's1/a'} [] 'websocket'",
        ],
        fastsio=[
            "app: __disconnect_final /",
            "app: disconnect /a 'client disconnect'",
            "app: __disconnect_final /a",
            "app: then False None {} [] 'websocket'",
        ],
    )
)
async def a_disconnect_handler_that_raises_changes_nothing(lab: Lab) -> None:
    """The others are called and the client is disconnected."""
    client = watched(lab, "/", "/a")

    @client.event
    def disconnect(reason: str) -> None:
        raise RuntimeError("defect")

    await lab.connected(client, namespaces=["/", "/a"])

    await lab.do("disconnect", client.disconnect)
    lab.note("then", *described(client))


@scenario()
async def waiting_ends_with_the_connection(lab: Lab) -> None:
    """wait() returns when the client has disconnected."""
    client = lab.client()
    await lab.connected(client)

    task = await lab.begin("wait", client.wait)
    await lab.quietly(client.disconnect)
    await lab.finish(task)


@scenario()
async def waiting_ends_when_the_server_goes(lab: Lab) -> None:
    """Without reconnection."""
    client, session = await lab.connected()

    task = await lab.begin("wait", client.wait)
    await session.close()
    await lab.finish(task)


@scenario()
async def waiting_without_a_connection_returns(lab: Lab) -> None:
    """There is nothing to wait for."""
    await lab.do("wait", lab.client().wait)


@scenario()
async def shutdown_disconnects(lab: Lab) -> None:
    """As disconnect()."""
    client = watched(lab)
    await lab.connected(client)

    await lab.do("shutdown", client.shutdown)
    lab.note("then", *described(client))
    await lab.do("shutdown again", client.shutdown)


@scenario()
async def callbacks_are_forgotten(lab: Lab) -> None:
    """A new connection begins its ids anew."""
    client, _ = await lab.connected()
    await lab.do("emit", client.emit, "x", callback=lab.noting("callback"))
    await lab.do("disconnect", client.disconnect)
    await lab.connected(client)

    await lab.session.send('31["late"]')
    await lab.do("emit", client.emit, "x", callback=lab.noting("callback"))


@scenario()
async def a_call_whose_connection_is_lost_times_out(lab: Lab) -> None:
    """Nobody tells it."""
    client, session = await lab.connected()

    task = await lab.begin("call", client.call, "ask", timeout=2)
    await session.close()
    await lab.finish(task)


@scenario()
async def disconnect_in_a_handler(lab: Lab) -> None:
    """A handler may end the connection it runs on."""
    client = watched(lab)

    if lab.asynchronous:

        async def leave() -> None:
            await client.disconnect()
            lab.note("left")
    else:

        def leave() -> None:
            client.disconnect()
            lab.note("left")

    client.on("leave", leave)
    _, session = await lab.connected(client)

    lab.step("the server says leave")
    await session.write('42["leave"]')
    await lab.until("app: left")
    lab.note("then", *described(client))
