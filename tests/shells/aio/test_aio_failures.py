"""What a client reads when its event failed: exception handlers, then the one error vocabulary."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Annotated

import pytest
from pydantic import BaseModel

from fastsio import Depends, RouterSIO, SocketID
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import ConnectionRefusedError, EventError
from tests.shells.aio.fake_engine import settled
from tests.support.waiting import WAIT_S


class Message(BaseModel):
    """What `say` takes."""

    text: str


class AppError(Exception):
    """An error of the application."""


class NarrowError(AppError):
    """A narrower one."""


async def test_the_error_is_the_acknowledgement(sio, wire, error_of):
    """With an ack id the client reads {"error": {...}}; the handler is not called."""
    called = []

    @sio.event
    async def say(sid: SocketID, message: Message):
        called.append(message)

    client = await wire.join()
    await client.send('21["say",{"text":5}]')
    error = error_of(await client.receive())

    assert (error["type"], error["event"]) == ("validation_error", "say")
    assert error["detail"][0]["loc"][-1] == "text"
    assert sorted(error["detail"][0]) == ["loc", "msg", "type"]
    assert called == []


async def test_a_failing_event_reads_no_signature(sio, wire, monkeypatch):
    """Exception handlers of routers and servers are compiled before the first event fails."""
    router = RouterSIO(dependencies=[Depends(lambda: 1)])

    @router.event
    async def say(sid: SocketID, message: Message):
        raise AppError

    @router.event
    async def shout(sid: SocketID):
        raise KeyError

    sio.add_router(router)

    @router.exception_handler(AppError)
    async def on_app_error(exc: AppError, sid: SocketID, word: Annotated[str, Depends(lambda: "router")]):
        return word

    @sio.exception_handler(KeyError)
    async def on_key_error(exc: KeyError, word: Annotated[str, Depends(lambda: "server")]):
        return word

    client = await wire.join()
    read = []
    signature = inspect.signature  # noqa: TID251 - to count what is read

    def recorded(function, **options):
        read.append(function)
        return signature(function, **options)

    monkeypatch.setattr(inspect, "signature", recorded)
    await client.send('21["say",{"text":"hello"}]')
    assert await client.receive() == '31["router"]'
    await client.send('22["shout"]')
    assert await client.receive() == '32["server"]'

    assert read == []


async def test_without_an_ack_id_it_is_an_event(sio, wire):
    """Without an ack id the client gets an `error` event whose payload is the object itself."""

    @sio.event
    async def say(sid: SocketID, message: Message):
        """Say nothing."""

    client = await wire.join()
    await client.send('2["say",{}]')
    event, error = json.loads((await client.receive())[1:])

    assert (event, error["type"], error["event"]) == ("error", "validation_error", "say")
    assert client.eio_sid in sio.environ


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (PermissionError("members only"), ("forbidden", "members only")),
        (PermissionError(13, "Permission denied", "/etc/shadow"), ("forbidden", "Not allowed.")),
        (EventError("not_found", "No such room.", {"room": 5}), ("not_found", "No such room.")),
        (RuntimeError("password=hunter2"), ("internal", "The server could not process the event.")),
    ],
)
async def test_the_vocabulary(sio, wire, error_of, caplog, raised, expected):
    """Expected errors have their own words; internal texts never reach the peer, but the log."""

    @sio.event
    async def fail(sid: SocketID):
        raise raised

    client = await wire.join()
    await client.send('21["fail"]')
    error = error_of(await client.receive())

    assert (error["type"], error["msg"]) == expected
    assert ("hunter2" in caplog.text) == (expected[0] == "internal")


async def test_a_plain_handler_fails_without_an_answer(sio, wire, caplog):
    """A handler without markers that raises is logged and gets no answer, as in python-socketio."""

    @sio.event
    async def fail(sid):
        raise RuntimeError("of the application")

    sio.on("next", lambda _sid: "fine")
    client = await wire.join()
    await client.send('21["fail"]', '2["fail"]')

    assert await client.ask("next", ack_id=2) == ["fine"]
    assert client.frames == []
    assert "of the application" in caplog.text


async def test_a_plain_handler_called_with_wrong_arguments_fails_likewise(sio, wire, caplog):
    """A payload with too many arguments is a TypeError in the log, once, without an answer."""
    sio.on("one", lambda _sid, _value: "fine")
    client = await wire.join()
    await client.send('21["one",1,2]')

    assert await client.ask("one", 1, ack_id=2) == ["fine"]
    assert caplog.text.count("TypeError") == 1


async def test_the_nearest_handler_of_the_mro_answers(sio, wire):
    """SIO, exception_handler: the nearest class wins; what it returns is the acknowledgement."""

    @sio.exception_handler(Exception)
    async def anything(exc):
        return "anything"

    @sio.exception_handler(AppError)
    def app_error(exc):
        return {"app": str(exc)}

    @sio.event
    async def fail(sid, kind):
        raise {"narrow": NarrowError, "app": AppError, "other": OSError}[kind](kind)

    client = await wire.join()

    assert await client.ask("fail", "narrow") == [{"app": "narrow"}]
    assert await client.ask("fail", "app") == [{"app": "app"}]
    assert await client.ask("fail", "other") == ["anything"]


async def test_a_router_answers_before_its_parent_before_the_server(sio, wire):
    """SIO, exception_handler: a broad handler of an inner router wins over a narrow one of the server."""
    inner, outer = RouterSIO(), RouterSIO()
    sio.exception_handler(NarrowError)(lambda exc: "server")
    outer.exception_handler(NarrowError)(lambda exc: "outer")
    inner.exception_handler(AppError)(lambda exc: "inner")

    async def fail(sid):
        raise NarrowError

    for registrar, name in ((inner, "in"), (outer, "out"), (sio, "top")):
        registrar.on(name, fail)
    outer.add_router(inner)
    sio.add_router(outer)
    client = await wire.join()

    assert [await client.ask(name) for name in ("in", "out", "top")] == [["inner"], ["outer"], ["server"]]


async def test_an_exception_handler_takes_injected_parameters(sio, wire):
    """SIO, exception_handler: it may ask for the sid and the event's other facts."""

    @sio.exception_handler(AppError)
    async def app_error(exc: AppError, sid: SocketID):
        return sid, str(exc)

    @sio.event
    async def fail(sid):
        raise AppError("why")

    client = await wire.join()

    assert await client.ask("fail") == [client.sid, "why"]


async def test_an_exception_handler_that_fails_is_described(sio, wire, error_of, caplog):
    """SIO, exception_handler: its own failure is logged and answered with the vocabulary."""

    @sio.exception_handler(AppError)
    async def app_error(exc):
        raise RuntimeError("in the exception handler")

    @sio.event
    async def fail(sid):
        raise AppError

    client = await wire.join()
    await client.send('21["fail"]')

    assert error_of(await client.receive())["type"] == "internal"
    assert "in the exception handler" in caplog.text


async def test_an_exception_handler_refuses_a_connect(sio, wire):
    """SIO, exception_handler: a connect handler's exception is answered with CONNECT_ERROR and the handler's result."""

    @sio.exception_handler(AppError)
    async def app_error(exc):
        return {"code": 7}

    @sio.event
    async def connect(sid, environ):
        raise AppError

    client = await wire.open()
    await client.send("0")
    refusal = json.loads((await client.receive())[1:])

    assert refusal["data"] == {"code": 7}
    assert dict(sio.manager.rooms) == {}


async def test_an_answer_that_cannot_be_encoded_is_an_error(sio, wire, error_of, caplog):
    """An answer JSON cannot hold is logged and answered `internal`, for a handler with markers."""

    @sio.event
    async def ask(sid: SocketID):
        return object()

    client = await wire.join()
    await client.send('21["ask"]')

    assert error_of(await client.receive())["type"] == "internal"
    assert client.frames == []


async def test_a_failure_after_the_client_left_is_only_logged(sio, wire, caplog):
    """A handler that fails after its client is gone is logged and nothing is sent."""
    gate = asyncio.Event()

    @sio.event
    async def fail(sid: SocketID):
        await gate.wait()
        raise RuntimeError("too late")

    client = await wire.join()
    await client.send('21["fail"]')
    connection = sio._connections[client.eio_sid]
    await settled(lambda: connection.tasks)
    tasks = set(connection.tasks)
    await client.lose()
    gate.set()
    await asyncio.wait(tasks, timeout=WAIT_S)

    assert "too late" in caplog.text
    assert client.frames == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (lambda sio: sio._runner, "start_task"),
        (lambda sio: sio._lifecycle._deadlines, "set"),
        (lambda sio: sio._lifecycle, "begin"),
    ],
)
async def test_a_connection_that_cannot_be_begun_leaves_no_records(sio, wire, owner, name, monkeypatch):
    """The engine refuses the client, and nobody would be told of its end."""

    def failing(*_args):
        raise RuntimeError("cannot begin")

    monkeypatch.setattr(owner(sio), name, failing)

    with pytest.raises(RuntimeError, match="cannot begin"):
        await wire.open(**{PROTOCOL_KEY: 3})

    assert sio.environ == {}
    assert sio._connections == {}


@pytest.mark.parametrize("detail", [b"bytes", {"at": object()}], ids=["bytes", "object"])
async def test_a_refusal_that_cannot_be_written_is_a_refusal_all_the_same(sio, wire, caplog, detail):
    """The client is answered; what could not be sent stands in the log."""

    @sio.event
    async def connect(sid, environ):
        raise ConnectionRefusedError("no", detail)

    client = await wire.open()
    await client.send("0")
    await settled(lambda: client.frames)

    assert client.frames == ['4{"message":"Connection rejected by server"}']
    assert "the refusal cannot be sent as it is" in caplog.text
