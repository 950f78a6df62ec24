"""What stands around the handlers of a namespace runs for connect and disconnect without a handler too."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest

from fastsio import (
    AsyncNamespace,
    BaseMiddleware,
    Data,
    Depends,
    RouterSIO,
    SocketID,
    auth_middleware,
    logging_middleware,
)
from fastsio.engine.request import PROTOCOL_KEY
from tests.shells.aio.fake_engine import settled


class Gate(BaseMiddleware):
    """Refuses everybody."""

    async def before_event(self, event, sid, data, **context):
        raise PermissionError


def refuse():
    """Refuse everybody."""
    raise PermissionError


class Chat(AsyncNamespace):
    """Handles one event."""

    async def on_say(self, sid, data): ...


def middleware(sio):
    """Add a gate to a server."""
    sio.add_middleware(Gate(events=["connect"]))


def checker(sio):
    """Add a check that everybody fails."""
    sio.add_middleware(auth_middleware(lambda sid, environ: False))


def event_of_router(sio, namespace=None, **around):
    """Add the handler of an event by a router."""
    router = RouterSIO(namespace, **around)
    router.on("say", lambda sid, data: None)
    sio.add_router(router)


def class_of_router(sio, namespace="/", **around):
    """Add a class-based namespace by a router."""
    router = RouterSIO(**around)
    router.register_namespace(Chat(namespace))
    sio.add_router(router)


def nested(sio, **around):
    """Add the handler of a router in a router."""
    outer, inner = RouterSIO(**around), RouterSIO()
    inner.on("say", lambda sid, data: None)
    outer.add_router(inner)
    sio.add_router(outer)


GATES = {
    "a middleware of the server": middleware,
    "auth_middleware": checker,
    "a middleware of a router": lambda sio: event_of_router(sio, middleware=[Gate()]),
    "a dependency of a router": lambda sio: event_of_router(sio, dependencies=[Depends(refuse)]),
    "a router around a router": lambda sio: nested(sio, middleware=[Gate()]),
    "a router for every namespace": lambda sio: event_of_router(sio, "*", dependencies=[Depends(refuse)]),
    "a middleware around a class": lambda sio: class_of_router(sio, middleware=[Gate()]),
    "a dependency around a class": lambda sio: class_of_router(sio, dependencies=[Depends(refuse)]),
    "a router around the class for every namespace": lambda sio: class_of_router(sio, "*", middleware=[Gate()]),
}


@pytest.mark.parametrize("always_connect", [False, True])
@pytest.mark.parametrize("gate", GATES)
async def test_who_is_refused_stays_out_without_a_connect_handler(make, gate, always_connect):
    """A gate refuses clients although nobody wrote a connect handler for it to stand around."""
    sio, wire = make(always_connect=always_connect)
    GATES[gate](sio)
    client = await wire.open()

    await client.send("0")
    answers = [await client.receive()]
    if always_connect:
        answers.append(await client.receive())

    assert answers[-1].startswith("1" if always_connect else "4")
    assert not list(sio.manager.get_participants("/", None))


@pytest.mark.parametrize("gate", GATES)
async def test_who_is_refused_stays_out_with_engine_io_3(make, gate):
    """Clients that are in the root namespace without asking are refused by the same gates."""
    sio, wire = make()
    GATES[gate](sio)

    client = await wire.open(**{PROTOCOL_KEY: 3})

    assert (await client.receive()).startswith("4")
    assert not list(sio.manager.get_participants("/", None))


async def test_the_routers_of_a_namespace_are_around_a_connect_handler_for_every_namespace(sio, wire):
    """A handler for all namespaces does not open one whose router refuses; the others are its own affair."""
    ran = []
    sio.on("connect", lambda namespace, sid, environ: ran.append(namespace), namespace="*")
    event_of_router(sio, "/admin", dependencies=[Depends(refuse)])
    sio.on("say", lambda sid, data: None, namespace="/public")
    client = await wire.open()

    await client.send("0/admin,")
    assert (await client.receive()).startswith("4/admin,")
    assert ran == []
    await client.join("/public")

    assert ran == ["/public"]


async def test_a_connect_handler_of_the_namespace_decides_by_itself(sio, wire):
    """A router stands around its own handlers, and not around the connect handler that another one has."""
    sio.on("connect", lambda sid, environ: None)
    event_of_router(sio, dependencies=[Depends(refuse)])

    await wire.join()


async def test_a_gate_of_one_namespace_leaves_the_others_open(sio, wire):
    """The middleware of a namespace, and the router of one, are asked there only."""
    sio.add_middleware(Gate(), namespace="/a")
    event_of_router(sio, "/b", middleware=[Gate()])
    for namespace in ("/a", "/c"):
        sio.on("say", lambda sid, data: None, namespace=namespace)
    client = await wire.open()

    for namespace in ("/a", "/b"):
        await client.send(f"0{namespace},")
        assert (await client.receive()).startswith(f"4{namespace},")
    await client.join("/c")


async def test_a_middleware_hears_of_a_disconnect_without_a_handler(sio, wire):
    """What counts clients counts each of them out again."""
    heard = []

    class Counting(BaseMiddleware):
        async def before_event(self, event, sid, data, **context):
            heard.append((event, sid))

    sio.add_middleware(Counting(events=["connect", "disconnect"]))
    client = await wire.join()
    await client.lose()

    assert heard == [("connect", client.sid), ("disconnect", client.sid)]


async def test_a_dependency_that_reads_the_payload_is_for_events_only(sio, wire):
    """A connection has no payload to be checked, and is not refused for that."""
    seen = []

    def check(body: dict[str, int], data: Data):
        seen.append(data)

    event_of_router(sio, dependencies=[Depends(check)])
    client = await wire.join()
    await client.send('2["say",{"n":1}]')
    await client.lose()

    assert seen == [{"n": 1}]


async def test_a_router_added_later_guards_the_next_client(sio, wire):
    """What was decided for one client is decided anew once something is registered."""
    sio.add_middleware(BaseMiddleware())
    await wire.join()
    event_of_router(sio, dependencies=[Depends(refuse)])
    client = await wire.open()

    await client.send("0")

    assert (await client.receive()).startswith("4")


async def test_a_gate_lets_in_whom_it_knows(sio, wire):
    """A client that every gate accepts is connected."""
    asked = []

    def account(sid: SocketID):
        asked.append(sid)

    event_of_router(sio, dependencies=[Depends(account)])
    client = await wire.join()

    assert asked == [client.sid]


async def test_the_classes_of_an_application_factory_are_found(sio, wire):
    """Annotations of a router's dependency may name what is local to the function that makes the application."""

    def install():
        class Account:
            def __init__(self, sid: SocketID):
                self.sid = sid

        def check(account: Annotated[Account, Depends()]):
            asked.append(account.sid)

        event_of_router(sio, dependencies=[Depends(check)])

    asked = []
    install()
    client = await wire.join()

    assert asked == [client.sid]


async def no(*args, **context):
    """Refuse everybody, once it is awaited."""
    raise PermissionError


class Wrapped(AsyncNamespace):
    """Has a connect handler that gives a coroutine without being a coroutine function."""

    on_connect = lambda self, sid, environ: no()  # noqa: E731 - so it is written


class WrappedGate(BaseMiddleware):
    """Likewise."""

    def before_event(self, event, sid, data, **context):
        return no()


UNAWAITED = {
    "a connect handler": lambda sio: sio.on("connect", lambda sid, environ: no()),
    "a class": lambda sio: sio.register_namespace(Wrapped("/")),
    "a middleware": lambda sio: sio.add_middleware(WrappedGate()),
}


@pytest.mark.parametrize("gate", UNAWAITED)
async def test_a_plain_function_around_a_coroutine_function_refuses_too(make, gate):
    """The coroutine that it returns is awaited: it is true, and has not looked at the client yet."""
    sio, wire = make()
    UNAWAITED[gate](sio)
    client = await wire.open()

    await client.send("0")

    assert (await client.receive()).startswith("4")
    assert not list(sio.manager.get_participants("/", None))


async def test_a_plain_function_around_a_coroutine_function_hears_of_a_disconnect(sio, wire):
    """What it counts out is counted out."""
    gone = []

    async def leave(sid, reason):
        gone.append(reason)

    sio.on("disconnect", lambda sid, reason: leave(sid, reason))  # noqa: PLW0108 - so that it is no coroutine function
    client = await wire.join()

    await client.lose("transport close")

    assert gone == ["transport close"]


async def test_a_task_that_a_connect_handler_returns_goes_on_by_itself(sio, wire):
    """Its client is let in without waiting for it."""
    sio.on("connect", lambda sid, environ: sio.start_background_task(asyncio.Event().wait))

    client = await wire.join()

    assert client.sid


async def test_the_logging_middleware_hides_the_session_of_an_old_client(make, caplog):
    """The sid of a client of Engine.IO 3 has its session id in it, which is a secret."""
    caplog.set_level("DEBUG", "fastsio.events")
    sio, wire = make()
    sio.add_middleware(logging_middleware())

    async def fail(sid, data):
        raise LookupError

    sio.on("fail", fail)
    client = await wire.open(**{PROTOCOL_KEY: 3})
    await client.receive()

    await client.send('2["fail",1]')
    await settled(lambda: "failed" in caplog.text)

    assert client.eio_sid.startswith("eio")
    lines = [record.getMessage() for record in caplog.records if record.name == "fastsio.events"]
    assert lines
    assert not [line for line in lines if f"{client.eio_sid}:" in line or f"{client.eio_sid} " in line]
