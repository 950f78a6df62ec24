"""How a client connects: handshakes, namespaces, auth, waiting, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


def described(client: Any) -> tuple[Any, ...]:
    """Give what applications read of a client."""
    return (client.connected, client.sid, client.namespaces, client.failed_namespaces, client.transport())


@scenario()
async def a_websocket_client_joins_the_root(lab: Lab) -> None:
    """It sends CONNECT with an empty object."""
    client, _ = await lab.connected()

    lab.note("then", *described(client), client.get_sid(), client.get_sid("/chat"))


@scenario()
async def a_polling_client_joins_the_root(lab: Lab) -> None:
    """The same over HTTP."""
    client = lab.client()
    client.on("news", lab.noting("news"))

    await lab.do("connect", client.connect, lab.url, transports=["polling"])
    await lab.session.send('2["news",1]', '51-["news",{"_placeholder":true,"num":0}]', b"ab")
    await lab.do("emit", client.emit, "x", (1, b"cd"))
    lab.note("then", *described(client))


@scenario()
async def a_client_upgrades_to_websocket(lab: Lab) -> None:
    """Polling first, then the probe."""
    lab.upgrades = True
    client = lab.client()

    await lab.do("connect", client.connect, lab.url)
    lab.note("then", *described(client))


@scenario()
async def transports_may_be_text(lab: Lab) -> None:
    """One transport needs no list."""
    client = lab.client()

    await lab.do("connect", client.connect, lab.url, transports="websocket")


@scenario()
async def unknown_transports_are_an_error(lab: Lab) -> None:
    """The error is Engine.IO's."""
    client = lab.client()

    await lab.do("connect", client.connect, lab.url, transports=["pigeon"])
    lab.note("then", client.connected)


@scenario()
async def the_query_and_the_path_are_kept(lab: Lab) -> None:
    """The URL's query goes into the handshake."""
    client = lab.client()

    await lab.do(
        "connect", client.connect, f"{lab.url}/ignored?token=1", transports=["websocket"], socketio_path="/a/b/"
    )
    lab.note("then", client.connection_url.removeprefix(lab.url), client.socketio_path, client.connection_transports)


@scenario()
async def headers_and_auth_are_sent(lab: Lab) -> None:
    """Headers go into the handshake, auth into CONNECT."""
    client = lab.client()

    await lab.connected(client, headers={"X-One": "1"}, auth={"token": "t"})
    lab.note("then", client.connection_headers, client.connection_auth)


@scenario()
async def auth_may_be_any_value(lab: Lab) -> None:
    """What is falsy counts as nothing."""
    for auth in ("text", [1], 0, {}, ""):
        await lab.connected(auth=auth)


@scenario()
async def url_headers_and_auth_may_be_functions(lab: Lab) -> None:
    """They are called when they are needed."""
    client = lab.client()

    def auth() -> dict[str, int]:
        lab.note("auth is asked for")
        return {"n": 1}

    def headers() -> dict[str, str]:
        lab.note("headers are asked for")
        return {"X-Two": "2"}

    def url() -> str:
        lab.note("url is asked for")
        return lab.url

    await lab.do("connect", client.connect, url, headers=headers, auth=auth, transports=["websocket"])
    lab.note("then", client.connection_url is url, client.connection_auth is auth)


@scenario(halves=("aio",))
async def url_headers_and_auth_may_be_coroutine_functions(lab: Lab) -> None:
    """On asyncio they may be awaited."""
    client = lab.client()

    async def auth() -> dict[str, int]:
        return {"n": 1}

    async def headers() -> dict[str, str]:
        return {"X-Two": "2"}

    async def url() -> str:
        return lab.url

    await lab.do("connect", client.connect, url, headers=headers, auth=auth, transports=["websocket"])


@scenario()
async def namespaces_with_handlers_are_joined(lab: Lab) -> None:
    """Without a list the namespaces that have handlers are joined, but not "*"."""
    client = lab.client()
    client.on("news", lab.noting("news"), namespace="/chat")
    client.on("news", lab.noting("news"), namespace="*")

    await lab.do("connect", client.connect, lab.url, transports=["websocket"])
    lab.note("then", client.connection_namespaces, client.namespaces, client.sid)


@scenario()
async def namespaces_with_classes_are_joined(lab: Lab) -> None:
    """As those with functions."""
    client = lab.client()
    client.register_namespace(lab.class_named("ClientNamespace")("/admin"))

    await lab.do("connect", client.connect, lab.url, transports=["websocket"])
    lab.note("then", client.connection_namespaces, client.namespaces)


@scenario()
async def namespaces_may_be_named(lab: Lab) -> None:
    """Those of the list are joined, and no others."""
    client = lab.client()
    client.on("news", lab.noting("news"), namespace="/ignored")

    await lab.connected(client, namespaces=["/a", "/b"])
    lab.note("then", client.namespaces, client.sid, client.get_sid("/a"))


@scenario()
async def one_namespace_may_be_text(lab: Lab) -> None:
    """One namespace needs no list."""
    client, _ = await lab.connected(namespaces="/a")
    lab.note("then", client.namespaces, client.connection_namespaces)


@scenario()
async def an_empty_list_of_namespaces_joins_none(lab: Lab) -> None:
    """Nothing is sent."""
    client = lab.client()

    await lab.connected(client, namespaces=[], wait_timeout=0.05)
    lab.note("then", *described(client))


@scenario()
async def a_second_connect_is_an_error(lab: Lab) -> None:
    """A client has one connection."""
    client, _ = await lab.connected()

    await lab.do("connect again", client.connect, lab.url)
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
async def connect_need_not_wait(lab: Lab) -> None:
    """With wait=False it returns before the namespaces are joined."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    client.on("connect_error", lab.noting("connect_error"), namespace="/a")
    lab.answering = False

    _, session = await lab.connected(client, wait=False, namespaces=["/", "/a"])
    lab.note("then", *described(client))
    await session.send('0{"sid":"one"}')
    await session.send('4/a,{"message":"no"}')
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
async def a_client_may_connect_again(lab: Lab) -> None:
    """After it has left."""
    client, _ = await lab.connected()
    await lab.do("disconnect", client.disconnect)
    lab.note("between", *described(client))

    await lab.connected(client, namespaces=["/a"])
    lab.note("then", *described(client))


@scenario()
async def connect_handlers_run(lab: Lab) -> None:
    """Without arguments, once for each namespace; with "*" the namespace comes first."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    client.on("connect", lab.handler(lab.noting("connect anywhere")), namespace="*")

    await lab.connected(client, namespaces=["/", "/a"])


@scenario()
async def the_connect_handler_sees_its_namespace_connected(lab: Lab) -> None:
    """It may emit at once."""
    client = lab.client()

    if lab.asynchronous:

        async def connect() -> None:
            lab.note("in connect", client.connected, client.namespaces, client.sid)
            await client.emit("hello")
    else:

        def connect() -> None:
            lab.note("in connect", client.connected, client.namespaces, client.sid)
            client.emit("hello")

    client.on("connect", connect)
    await lab.connected(client)


@scenario()
async def a_connect_handler_that_raises_changes_nothing(lab: Lab) -> None:
    """The namespace is connected."""
    client = lab.client()

    @client.event
    def connect() -> None:
        raise RuntimeError("defect")

    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client)
    await session.send('2["news"]')
    lab.note("then", client.connected, client.namespaces)


@scenario()
async def a_second_connect_packet_is_ignored(lab: Lab) -> None:
    """The first sid stays and the handler is not called again."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    _, session = await lab.connected(client)

    await session.send('0{"sid":"other"}')
    lab.note("then", client.sid, client.namespaces)


@scenario()
async def a_connect_packet_of_a_namespace_nobody_asked_for(lab: Lab) -> None:
    """It is taken."""
    client = lab.client()
    client.on("connect", lab.noting("connect"), namespace="/b")
    _, session = await lab.connected(client, namespaces=["/"])

    await session.send('0/b,{"sid":"b1"}')
    lab.note("then", client.namespaces)


@scenario()
async def a_connect_packet_without_a_sid(lab: Lab) -> None:
    """The Engine.IO sid stands in."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    lab.answers["/"] = ["0"]

    await lab.connected(client)
    lab.note("then", client.namespaces)


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
