"""Sessions, the environ, and the transport of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_session_is_an_empty_dict_at_first(lab: Lab) -> None:
    """Without ``save_session`` changes are made to the dict that was given out."""
    sio = lab.server()
    client = await lab.client("/")

    session = await lab.do("get", sio.get_session, client.sid)
    session["changed"] = True
    await lab.do("get again", sio.get_session, client.sid)


@scenario()
async def a_saved_session_is_given_back(lab: Lab) -> None:
    """Saving replaces the whole session."""
    sio = lab.server()
    client = await lab.client("/")

    await lab.do("save", sio.save_session, client.sid, {"a": 1})
    await lab.do("get", sio.get_session, client.sid)
    await lab.do("save another", sio.save_session, client.sid, {"b": 2})
    await lab.do("get", sio.get_session, client.sid)


@scenario()
async def a_session_may_be_any_object(lab: Lab) -> None:
    """What is saved is not looked at."""
    sio = lab.server()
    client = await lab.client("/")

    await lab.do("save", sio.save_session, client.sid, ["a", "list"])
    await lab.do("get", sio.get_session, client.sid)


@scenario()
async def the_context_manager_saves_on_exit(lab: Lab) -> None:
    """Changes made inside are there afterwards, also when the block raises."""
    sio = lab.server()

    @sio.event
    async def count(sid: str) -> int:
        async with sio.session(sid) as session:
            session["count"] = session.get("count", 0) + 1
            return session["count"]

    @sio.event
    async def fail(sid: str) -> None:
        async with sio.session(sid) as session:
            session["failed"] = True
            raise RuntimeError("inside")

    client = await lab.client("/")

    await client.send('21["count"]')
    await client.send('22["count"]')
    await client.send('23["fail"]')
    await lab.do("get", sio.get_session, client.sid)


@scenario()
async def sessions_belong_to_a_namespace(lab: Lab) -> None:
    """The same connection has one session for each namespace."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")
    chat = client.sids["/chat"]

    await lab.do("save", sio.save_session, client.sid, {"in": "/"})
    await lab.do("save", sio.save_session, chat, {"in": "/chat"}, namespace="/chat")
    await lab.do("get", sio.get_session, client.sid)
    await lab.do("get", sio.get_session, chat, namespace="/chat")
    await lab.do("wrong namespace", sio.get_session, client.sid, namespace="/chat")


@scenario()
async def a_stranger_has_no_session(lab: Lab) -> None:
    """Reading, saving and the context manager raise KeyError for an unknown sid."""
    sio = lab.server()
    await lab.client("/")

    async def context() -> None:
        async with sio.session("nobody") as session:
            lab.note("inside", session)

    await lab.do("get", sio.get_session, "nobody")
    await lab.do("save", sio.save_session, "nobody", {})
    await lab.do("context", context)


@scenario()
async def a_session_ends_with_its_client(lab: Lab) -> None:
    """After the client left, its session is gone, and a new connection starts with an empty one."""
    sio = lab.server()
    client = await lab.client("/")
    sid = client.sid
    await lab.do("save", sio.save_session, sid, {"a": 1})

    await client.close()
    await lab.do("get", sio.get_session, sid)
    await lab.do("save", sio.save_session, sid, {})
    newcomer = await lab.client("/")
    await lab.do("get", sio.get_session, newcomer.sid)


@scenario()
async def the_environ_describes_the_handshake(lab: Lab) -> None:
    """The keys applications read are those of WSGI, the query and the headers of the client among them."""
    sio = lab.server()
    keys = "REQUEST_METHOD PATH_INFO QUERY_STRING RAW_URI SCRIPT_NAME SERVER_PROTOCOL wsgi.url_scheme HTTP_X_TOKEN HTTP_COOKIE"

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        lab.note("keys", sorted(environ))
        lab.note("values", {key: environ.get(key, "(absent)") for key in keys.split()})
        lab.note("scope", environ["asgi.scope"]["type"])
        lab.note("same object", environ is sio.get_environ(sid))

    headers = {"X-Token": "t", "Cookie": "a=1; b=2"}
    await lab.client("/", query="&room=r%20s", headers=headers)
    await lab.client("/", query="&room=r%20s", headers=headers, polling=True)


@scenario()
async def the_environ_is_kept_by_sid_and_by_connection(lab: Lab) -> None:
    """``get_environ`` knows the sids of each namespace; ``environ`` is keyed by the Engine.IO sid."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")

    await lab.do("of /", sio.get_environ, client.sid)
    await lab.do("of /chat", sio.get_environ, client.sids["/chat"], namespace="/chat")
    await lab.do("wrong namespace", sio.get_environ, client.sid, namespace="/chat")
    await lab.do("nobody", sio.get_environ, "nobody")
    await lab.do("kept", lambda: [key == client.sids["eio"] for key in sio.environ])
    await client.close()
    await lab.do("kept afterwards", lambda: list(sio.environ))


@scenario()
async def the_transport_of_a_client_is_known(lab: Lab) -> None:
    """``transport()`` says polling or websocket, and follows an upgrade."""
    sio = lab.server(namespaces=["/", "/chat"])
    direct = await lab.client("/", "/chat")
    polling = await lab.client("/", polling=True)

    await lab.do("direct", sio.transport, direct.sid)
    await lab.do("in a namespace", sio.transport, direct.sids["/chat"], "/chat")
    await lab.do("polling", sio.transport, polling.sid)
    await polling.upgrade()
    await lab.do("upgraded", sio.transport, polling.sid)


@scenario()
async def a_stranger_has_no_transport(lab: Lab) -> None:
    """Asking for the transport of an unknown sid is an error."""
    sio = lab.server()

    await lab.do("nobody", sio.transport, "nobody")
