"""What a connect handler gets, and what its result means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def without_a_connect_handler_everybody_is_accepted(lab: Lab) -> None:
    """A namespace with any handler accepts clients by itself."""
    sio = lab.server()
    sio.on("news", lab.noting("news"), namespace="/chat")

    await lab.client("/", "/chat")


@scenario()
async def auth_is_none_when_the_client_sends_none(lab: Lab) -> None:
    """A handler of three parameters gets None."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> None:
        lab.note("connect", sid, environ, auth)

    await lab.client("/")


@scenario()
async def a_handler_of_two_parameters_gets_sid_and_environ(lab: Lab) -> None:
    """A handler without auth parameter works when the client sends no auth."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid, environ)

    await lab.client("/")


@scenario()
async def auth_may_be_an_object(lab: Lab) -> None:
    """The auth object arrives as a dict."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> None:
        lab.note("connect", sid, environ, auth)

    client = await lab.client()

    await client.join(auth='{"token":"t","n":[1]}')


@scenario()
async def auth_may_be_a_string(lab: Lab) -> None:
    """A client that sends a bare string as auth is heard."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> None:
        lab.note("connect", sid, environ, auth)

    client = await lab.client()

    await client.join(auth='"token"')


@scenario()
async def auth_with_a_default_or_star_arguments(lab: Lab) -> None:
    """A default of the auth parameter is overridden by None, and ``*args`` takes all three."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any = "default") -> None:
        lab.note("connect", sid, environ, auth)

    sio.on("connect", lab.noting("star"), namespace="/chat")
    client = await lab.client("/", "/chat")

    await client.send("1")
    await client.join(auth='{"a":1}')


@scenario()
async def only_false_refuses(lab: Lab) -> None:
    """Any other result, None and empty ones too, accepts the client."""
    sio = lab.server()
    answers = {"/true": True, "/none": None, "/zero": 0, "/empty": "", "/dict": {}, "/false": False, "/text": "no"}
    for namespace, answer in answers.items():
        sio.on("connect", lab.noting(f"connect {namespace}", returns=answer), namespace=namespace)

    await lab.client(*answers)


@scenario()
async def a_refusal_carries_what_was_raised(lab: Lab) -> None:
    """The first argument of ConnectionRefusedError is the message, the rest is the data."""
    sio = lab.server()
    refusals = {
        "/nothing": (),
        "/text": ("not today",),
        "/data": ("not today", {"retry": 5}),
        "/several": ("not today", 1, "two"),
        "/object": ({"code": 7},),
        "/number": (7,),
    }
    for namespace, arguments in refusals.items():

        def connect(sid: str, environ: Any, auth: Any, arguments: tuple[Any, ...] = arguments) -> None:
            lab.note("connect", sid)
            raise lab.exceptions.ConnectionRefusedError(*arguments)

        sio.on("connect", connect, namespace=namespace)

    await lab.client(*refusals)


@scenario()
async def a_refused_client_may_try_again_on_the_same_connection(lab: Lab) -> None:
    """A refusal leaves the transport open; a later attempt gets a fresh sid."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> bool:
        lab.note("connect", sid, auth)
        return bool(auth)

    client = await lab.client("/")

    await client.join(auth='{"token":1}')


@scenario()
async def a_refused_client_is_not_in_the_namespace(lab: Lab) -> None:
    """Nothing reaches a refused client, and its disconnect handler does not run."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect", returns=False))
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await lab.do("broadcast", sio.emit, "news", 1)
    await client.close()


@scenario()
async def a_client_that_left_may_come_back(lab: Lab) -> None:
    """After DISCONNECT the namespace can be joined again with a fresh sid."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send("1")
    await client.join()


@scenario()
async def rooms_and_session_made_while_connecting_stay(lab: Lab) -> None:
    """What a connect handler sets up is there afterwards."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.save_session(sid, {"user": "u"})
        await sio.enter_room(sid, "lobby")
        lab.note("rooms", lab.rooms(sio, sid), await sio.get_session(sid))

    @sio.event
    async def who(sid: str) -> Any:
        return [lab.rooms(sio, sid), await sio.get_session(sid)]

    client = await lab.client("/")

    await client.send('21["who"]')
    await lab.do("emit to the lobby", sio.emit, "news", 1, room="lobby")


@scenario()
async def a_refused_client_is_not_listened_to(lab: Lab) -> None:
    """Events of a client whose connection was refused reach no handler."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect", returns=False))
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await client.send('21["x"]')
