"""What makes connect() fail, what the application is told then, and trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.clients.lab import described
from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


@scenario()
async def unknown_transports_are_an_error(lab: Lab) -> None:
    """The error is Engine.IO's."""
    client = lab.client()

    await lab.do("connect", client.connect, lab.url, transports=["pigeon"])
    lab.note("then", client.connected)


@scenario()
async def a_refused_namespace_fails_connect(lab: Lab) -> None:
    """connect() raises, the connection is closed, connect_error is called with what the server said."""
    client = lab.client()
    for event in ("connect", "connect_error", "disconnect"):
        client.on(event, lab.noting(event))
    lab.deny("/", '{"message":"no","data":{"why":1}}')

    await lab.connected(client)
    lab.note("then", *described(client))


@scenario()
async def connect_error_takes_whatever_the_server_says(lab: Lab) -> None:
    """An object is one argument, a list several, nothing none."""
    for payload in ('{"message":"no"}', '"text"', "[1,2]", ""):
        client = lab.client()
        client.on("connect_error", lab.noting("connect_error"))
        lab.deny("/", payload)
        await lab.connected(client)


@scenario(
    differs=Difference(
        row="C-50",
        reason="A namespace that was joined before connect() failed is left like any other.",
        socketio=[
            "app: then False None {'/a': 's1/a'} ['/b'] 'websocket'",
        ],
        fastsio=[
            "app: disconnect /a 'client disconnect'",
            "app: then False None {} ['/b'] 'websocket'",
        ],
    )
)
async def one_refused_namespace_of_two_fails_connect(lab: Lab) -> None:
    """The error names those that failed."""
    client = lab.client()
    client.on("connect_error", lab.noting("connect_error"), namespace="/b")
    client.on("connect", lab.noting("connect"), namespace="/a")
    client.on("disconnect", lab.noting("disconnect /a"), namespace="/a")
    lab.deny("/b", '{"message":"no"}')

    await lab.connected(client, namespaces=["/a", "/b"])
    lab.note("then", *described(client))


@scenario()
async def a_server_that_does_not_answer_fails_connect(lab: Lab) -> None:
    """After wait_timeout."""
    client = lab.client()
    lab.answering = False

    await lab.connected(client, wait_timeout=0.05, namespaces=["/", "/a"])
    lab.note("then", *described(client))


@scenario()
async def an_http_error_fails_connect(lab: Lab) -> None:
    """The error has the text of the status, or what the server said."""
    client = lab.client()
    client.on("connect_error", lab.noting("connect_error"))
    client.on("disconnect", lab.noting("disconnect"))

    for status, body, kind in (
        (400, '"bad"', "application/json"),
        (404, "gone", "text/plain"),
        (500, '{"message":"x"}', "application/json"),
    ):
        lab.refuse(status, body, kind)
        await lab.do(f"connect to {status}", client.connect, lab.url, transports=["polling"])
    lab.refuse(403)
    await lab.do("connect by websocket", client.connect, lab.url, transports=["websocket"])
    lab.note("then", client.connected)


@scenario()
async def a_server_that_is_not_there_fails_connect(lab: Lab) -> None:
    """connect_error is called with the text of the error, for each namespace."""
    client = lab.client()
    client.on("connect_error", lambda *args: lab.note("connect_error", len(args), *[type(arg) for arg in args]))
    client.on("connect_error", lambda *args: lab.note("connect_error /a", len(args)), namespace="/a")

    async def connect(transport: str) -> str:
        try:
            await lab.run_action(client.connect, "http://127.0.0.1:9", transports=[transport], namespaces=["/", "/a"])
        except lab.exceptions.ConnectionError as error:
            return type(error).__name__
        return "no error"

    await lab.do("connect by websocket", connect, "websocket")
    await lab.do("connect by polling", connect, "polling")
    lab.note("then", client.connected)


@scenario()
async def connect_with_retry_tries_again(lab: Lab) -> None:
    """retry=True goes on after a refusal, with back-off."""
    client = lab.client(reconnection_delay=0.01, randomization_factor=0)
    client.on("connect", lab.noting("connect"))
    client.on("connect_error", lab.noting("connect_error"))
    lab.refuse(503)
    lab.refuse(503)

    await lab.do("connect", client.connect, lab.url, transports=["websocket"], retry=True)
    lab.note("then", *described(client))


@scenario()
async def connect_with_retry_gives_up(lab: Lab) -> None:
    """After reconnection_attempts."""
    client = lab.client(reconnection_delay=0.01, randomization_factor=0, reconnection_attempts=1)
    client.on("connect_error", lab.noting("connect_error"))
    for _ in range(6):
        lab.refuse(503)

    await lab.do("connect", client.connect, lab.url, transports=["websocket"], retry=True)
    lab.note("then", client.connected, len(lab.refusals))
