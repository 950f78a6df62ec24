"""Gates without a connect handler, on the server for threads."""

from __future__ import annotations

import threading

import pytest

from fastsio import Depends, RouterSIO, SyncMiddleware, auth_middleware
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.sync.namespace import Namespace
from tests.shells.sync.fake_engine import wired
from tests.support.waiting import WAIT_S


class Gate(SyncMiddleware):
    """Refuses everybody."""

    def before_event(self, event, sid, data, **context):
        raise PermissionError


def refuse():
    """Refuse everybody."""
    raise PermissionError


class Chat(Namespace):
    """Handles one event."""

    def on_say(self, sid, data): ...


def router_of(handler, **around):
    """Return what adds a router."""

    def add(sio):
        router = RouterSIO(**around)
        if handler is None:
            router.on("say", lambda sid, data: None)
        else:
            router.register_namespace(handler("*"))
        sio.add_router(router)

    return add


GATES = {
    "a middleware": lambda sio: sio.add_middleware(Gate()),
    "auth_middleware": lambda sio: sio.add_middleware(auth_middleware(lambda sid, environ: False)),
    "a middleware of a router": router_of(None, middleware=[Gate()]),
    "a dependency of a router": router_of(None, dependencies=[Depends(refuse)]),
    "a dependency around a class": router_of(Chat, dependencies=[Depends(refuse)]),
}


@pytest.mark.parametrize("gate", GATES)
def test_who_is_refused_stays_out_without_a_connect_handler(gate):
    """A gate refuses clients although nobody wrote a connect handler for it to stand around."""
    sio, wire = wired()
    GATES[gate](sio)
    client = wire.open()

    client.send("0")

    assert client.receive().startswith("4")


@pytest.mark.parametrize("gate", GATES)
def test_who_is_refused_stays_out_with_engine_io_3(gate):
    """Clients that are in the root namespace without asking are refused by the same gates."""
    sio, wire = wired()
    GATES[gate](sio)

    client = wire.open(**{PROTOCOL_KEY: 3})

    assert client.receive().startswith("4")
    assert not list(sio.manager.get_participants("/", None))


def test_the_router_of_a_namespace_is_around_a_connect_handler_for_every_namespace():
    """A handler for all namespaces does not open one whose router refuses."""
    sio, wire = wired()
    sio.on("connect", lambda namespace, sid, environ: None, namespace="*")
    router = RouterSIO("/admin", dependencies=[Depends(refuse)])
    router.on("say", lambda sid, data: None)
    sio.add_router(router)
    client = wire.open()

    client.send("0/admin,")

    assert client.receive().startswith("4/admin,")


def test_a_middleware_hears_of_a_disconnect_without_a_handler():
    """What counts clients counts each of them out again."""
    sio, wire = wired()
    gone = threading.Event()

    class Counting(SyncMiddleware):
        def before_event(self, event, sid, data, **context):
            if event == "disconnect":
                gone.set()

    sio.add_middleware(Counting())
    client = wire.join()
    wire.close_client(client.eio_sid, "transport close")

    assert gone.wait(WAIT_S)


async def no():
    """Refuse everybody, once it is awaited."""
    raise PermissionError


class WrappedGate(SyncMiddleware):
    """Gives a coroutine without being a coroutine function."""

    def before_event(self, event, sid, data, **context):
        return no()


UNAWAITED = {
    "a connect handler": lambda sio: sio.on("connect", lambda sid, environ: no()),
    "a middleware": lambda sio: sio.add_middleware(WrappedGate()),
}


@pytest.mark.parametrize("gate", UNAWAITED)
def test_a_coroutine_in_place_of_an_answer_lets_nobody_in(gate):
    """It is true, and has not looked at the client."""
    sio, wire = wired()
    UNAWAITED[gate](sio)
    client = wire.open()

    client.send("0")

    assert client.receive().startswith("4")
