"""What handlers of clients are given, and what is refused when they are registered."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

import fastsio
from fastsio import (
    AsyncClient,
    Auth,
    Client,
    Data,
    Depends,
    Environ,
    Event,
    Header,
    NamespaceName,
    Reason,
    Session,
    SocketID,
)
from fastsio.exceptions import SignatureError
from tests.integration.client_sides import Heard, Side
from tests.support.waiting import WAIT_S


class Message(BaseModel):
    """What the server sends."""

    text: str = Field(min_length=1)
    stars: int = 0


async def asked(site: Any, client: Any, event: str, data: Any = None) -> Any:
    """Let the server call a handler of the client."""
    return await site.sio.call(event, data, to=client.get_sid(), timeout=WAIT_S)


async def test_a_model_is_validated(side: Side, site, gate):
    """The handler gets the model; a payload that does not fit is answered with the error object."""
    client = side.client()

    @client.event
    def said(message: Message) -> str:
        return message.text * message.stars

    await side.run(client.connect, gate.address.http)

    assert await asked(site, client, "said", {"text": "ab", "stars": "2"}) == "abab"
    answer = await asked(site, client, "said", {"text": "", "stars": "many"})
    assert answer["error"]["type"] == "validation_error"
    assert {tuple(entry["loc"])[-1] for entry in answer["error"]["detail"]} == {"text", "stars"}


async def test_what_a_handler_returns_is_written_as_json(side: Side, site, gate):
    """Models too."""
    client = side.client()
    client.on("give", lambda: Message(text="x"))
    await side.run(client.connect, gate.address.http)

    assert await asked(site, client, "give") == {"text": "x", "stars": 0}


async def test_facts_are_injected_by_annotation(side: Side, site, gate):
    """The client, its sid, the event, the namespace, the payload."""
    client = side.client()
    own = AsyncClient if side.asynchronous else Client
    seen = Heard()

    def fact(this: Any, sid: SocketID, event: Event, place: NamespaceName, data: Data):
        seen(this is client, sid, event, place, data)

    fact.__annotations__["this"] = own
    client.on("fact", fact)
    await side.run(client.connect, gate.address.http)

    await asked(site, client, "fact", {"a": 1})

    assert await seen.next() == (True, client.get_sid(), "fact", "/", {"a": 1})


async def test_dependencies_are_resolved_and_closed(side: Side, site, gate):
    """Once for each event, or once for the connection; closed when that is over."""
    client = side.client()
    seen = Heard()

    def opened(what: str):
        def dependency():
            seen("opens", what)
            yield what
            seen("closes", what)

        return dependency

    of_event, of_connection = opened("event"), opened("connection")

    @client.event
    def use(
        first: Annotated[str, Depends(of_event)],
        second: Annotated[str, Depends(of_connection, scope="connection")],
    ):
        return [first, second]

    await side.run(client.connect, gate.address.http)

    for _ in range(2):
        assert await asked(site, client, "use") == ["event", "connection"]
    await side.run(client.disconnect)

    said = [await seen.next() for _ in range(6)]
    assert [what for done, what in said if done == "opens"] == ["event", "connection", "event"]
    assert [what for done, what in said if done == "closes"] == ["event", "event", "connection"]


async def test_dependencies_may_be_overridden(side: Side, site, gate):
    """For tests of the application."""
    client = side.client()

    def real() -> str:
        raise AssertionError

    client.dependency_overrides[real] = lambda: "fake"

    @client.event
    def use(value: Annotated[str, Depends(real)]):
        return value

    await side.run(client.connect, gate.address.http)

    assert await asked(site, client, "use") == "fake"


async def test_catch_all_handlers_are_injected(side: Side, site, gate):
    """They ask for the event and the namespace by annotation."""
    client = side.client()

    @client.on("*", namespace="*")
    def anything(event: Event, place: NamespaceName, message: Message):
        return [event, place, message.text]

    await side.run(client.connect, gate.address.http, namespaces=["/"])

    assert await asked(site, client, "whatever", {"text": "x"}) == ["whatever", "/", "x"]


async def test_methods_of_classes_are_injected(side: Side, site, gate):
    """As functions; connect and disconnect too."""
    seen = Heard()

    def on_said(self, message: Message, sid: SocketID):
        return [self.namespace, message.text, sid]

    def on_connect(self, sid: SocketID):
        seen("connect", sid)

    def on_disconnect(self, why: Reason, sid: SocketID):
        seen("disconnect", why, sid)

    members = {"on_said": on_said, "on_connect": on_connect, "on_disconnect": on_disconnect}
    client = side.client()
    client.register_namespace(type("Own", (side.named("ClientNamespace"),), members)("/"))
    await side.run(client.connect, gate.address.http)
    sid = client.get_sid()

    assert await asked(site, client, "said", {"text": "x"}) == ["/", "x", sid]
    await side.run(client.disconnect)

    assert await seen.next() == ("connect", sid)
    assert await seen.next() == ("disconnect", "client disconnect", sid)


async def test_an_error_of_the_application_is_answered(side: Side, site, gate):
    """EventError gives the server its code; what else is raised gives it none away."""
    client = side.client()

    @client.event
    def known():
        raise fastsio.exceptions.EventError("full", "no more of it")

    @client.event
    def unknown(message: Message):
        raise RuntimeError("a secret")

    await side.run(client.connect, gate.address.http)

    assert (await asked(site, client, "known"))["error"]["type"] == "full"
    answer = await asked(site, client, "unknown", {"text": "x"})
    assert answer["error"]["type"] == "internal"
    assert "secret" not in str(answer)


@contextmanager
def refused(sentence: str):
    """Expect that a handler is refused with a sentence."""
    with pytest.raises(SignatureError) as raised:
        yield
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (Environ, "a client made the handshake itself"),
        (Auth, "a client gives it to connect()"),
        (Session, "keep what you need on an object of your own"),
        (fastsio.AsyncServer, "in a handler of a client annotate it with the client's class"),
        (Reason, "only available in 'disconnect' handlers"),
    ],
)
async def test_what_only_servers_have_is_refused(side: Side, annotation, sentence):
    """When the handler is registered, with what to write instead."""
    client = side.client()

    def handler(it): ...

    handler.__annotations__["it"] = annotation

    with refused(sentence):
        client.on("news", handler)
    assert client.handlers == {}


async def test_the_handshake_of_a_server_cannot_be_read(side: Side):
    """Markers for headers and queries belong to servers."""
    client = side.client()

    def handler(agent: str = Header(alias="user-agent")): ...

    with refused("is read from the handshake of a server's client; a handler of a client has none"):
        client.on("news", handler)


async def test_a_connect_handler_takes_no_arguments(side: Side):
    """Those of a server's connect handler do not come."""
    client = side.client()

    with refused("a client connect handler is called with ()"):
        client.on("connect", lambda sid, environ, auth, more: None)


async def test_coroutine_functions_belong_to_asyncio():
    """The client for threads could not await them."""
    client = Client(handle_sigint=False)

    async def handler(): ...

    with pytest.raises(ValueError, match="coroutine function"):
        client.on("news", handler)


async def test_a_client_in_a_handler_of_a_server_is_refused():
    """There is none."""
    sio = fastsio.AsyncServer(async_mode="asgi")

    def handler(sid, client: AsyncClient): ...

    with refused("annotate it with the server's class"):
        sio.on("news", handler)


@pytest.mark.parametrize("is_plain", [True, False])
async def test_what_waited_for_a_cancelled_task_has_failed_and_the_client_stays(site, gate, caplog, is_plain):
    """Handlers of events, plain ones or not, and callbacks of acknowledgements."""
    side = Side(asynchronous=True)
    client = side.client()

    async def plain(*_):
        raise asyncio.CancelledError

    async def typed(message: Message) -> str:
        raise asyncio.CancelledError

    def callback(*_):
        raise asyncio.CancelledError

    client.on("said", plain if is_plain else typed)
    site.sio.on("asked", lambda _sid: 5)
    await side.run(client.connect, gate.address.http)
    await client.emit("asked", callback=callback)
    if is_plain:
        await site.sio.emit("said", {"text": "a"}, to=client.get_sid())
    else:
        answer = await asked(site, client, "said", {"text": "a"})
        assert answer["error"]["type"] == "internal"
    for text in ("error in the callback of an acknowledgement", "error in the handler of said"):
        async with asyncio.timeout(WAIT_S):
            while text not in caplog.text:  # noqa: ASYNC110 - what changes has no event
                await asyncio.sleep(0.01)

    assert await client.call("asked") == 5
    await client.shutdown()
