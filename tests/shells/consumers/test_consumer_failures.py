"""What becomes of what goes wrong: an answer, a line in the log, and a connection that lives on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import fastapi
import pytest

from fastsio import BaseMiddleware, Depends
from fastsio.consumers import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    event_handler,
    exception_handler,
    ws_handler,
)
from fastsio.exceptions import EventError, SetupError, ValidationFailed
from tests.shells.consumers.messages import Said, Say, say
from tests.support.rooms import Person, present


class TroubleError(Exception):
    """A failure that a consumer knows."""


class MishapError(TroubleError):
    """One that it knows as the other."""


class Failing(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    groups = ["all"]
    failures: dict[str, Exception] = {
        "forbidden": PermissionError("Members only."),
        "own word": EventError("sold_out", "Come back tomorrow.", {"left": 0}),
        "bug": KeyError("a secret"),
        "trouble": TroubleError("known"),
        "mishap": MishapError("known too"),
        "broken handler": LookupError("meant for the handler that fails"),
    }

    @ws_handler
    async def say(self, message: Say) -> Said:
        raise self.failures[message.payload.text]

    @exception_handler(TroubleError)
    async def on_trouble(self, exc: TroubleError, message: Say) -> Said:
        return Said(payload=[str(exc), message.payload.text])

    @exception_handler(UnicodeError)
    def on_unicode(self, exc: UnicodeError) -> None: ...

    @exception_handler(ZeroDivisionError)
    async def on_broken(self, exc: ZeroDivisionError) -> Said:
        raise RuntimeError("again")

    @event_handler
    async def heard(self, event: Said) -> Said:
        raise self.failures[event.payload]


async def ask(text: str) -> Any:
    """Return the answer to one message, and make sure that there is another."""
    async with present(Failing.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say(text))
        await ada.send_json_to({"action": "nope"})
        answer, after = await ada.hears_json(2)
        assert after["payload"]["type"] == "not_found"
        return answer


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize(
    ("text", "kind", "msg", "detail"),
    [
        ("forbidden", "forbidden", "Members only.", None),
        ("own word", "sold_out", "Come back tomorrow.", {"left": 0}),
        ("bug", "internal", "The server could not process the event.", None),
    ],
)
async def test_failures_speak_the_one_vocabulary(caplog, text, kind, msg, detail):
    """The client reads the error object; only what nobody expects is logged."""
    answer = await ask(text)

    assert answer == {"action": "error", "payload": {"type": kind, "event": "say", "msg": msg, "detail": detail}}
    assert [record.levelno for record in caplog.records] == ([logging.ERROR] if kind == "internal" else [])


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize(("text", "said"), [("trouble", "known"), ("mishap", "known too")])
async def test_an_exception_handler_answers_for_its_class_and_those_below(text, said, caplog):
    """It is given the exception and the message, and its result goes to the client."""
    assert await ask(text) == {"action": "said", "payload": [said, text]}
    assert caplog.records == []


@pytest.mark.usefixtures("layer")
async def test_an_exception_handler_may_fail_or_say_nothing(monkeypatch, caplog):
    """Its own failure is answered as any other's; no result is no answer."""
    monkeypatch.setitem(Failing.failures, "bug", ZeroDivisionError())
    monkeypatch.setitem(Failing.failures, "forbidden", UnicodeError())
    async with present(Failing.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("forbidden"))
        await ada.send_json_to(say("bug"))
        (error,) = await ada.hears_json()

    assert error["payload"]["type"] == "internal"
    assert "again" in caplog.text


async def test_a_failing_event_handler_is_answered_too(layer, caplog):
    """The client is told, the next event is handled."""
    async with present(Failing.as_asgi(), "/") as (ada,):
        for failure in ("bug", "forbidden"):
            await Failing.broadcast_event(Said(payload=failure))

        assert [frame["payload"]["type"] for frame in await ada.hears_json(2)] == ["internal", "forbidden"]


async def test_a_failing_raw_consumer_answers_and_lives_on(caplog):
    """receive() of a text consumer may fail as well."""

    class Echo(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            if text_data == "fail":
                raise RuntimeError("a secret")
            await self.send(text_data)

    async with present(Echo.as_asgi(), "/") as (ada,):
        await ada.send_to("fail")
        await ada.send_to("fine")
        error, fine = await ada.hears(2)

    assert '"internal"' in error
    assert "secret" not in error
    assert fine == "fine"


async def test_only_declared_handlers_can_be_called_from_the_layer(layer, caplog):
    """Neither the framework's methods, nor private ones, nor handlers of frames, nor anything undecorated."""
    called: list[str] = []

    class Typed(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        @ws_handler
        async def say(self, message: Say) -> None:
            called.append("say")

        async def helper(self, event: Any) -> None:
            called.append("helper")

        @event_handler
        async def fine(self, event: dict[str, Any]) -> None:
            await self.send("fine")

    class Raw(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def disconnect(self, code: Any) -> None: ...

        async def websocket_receive(self, message: Any) -> None:
            called.append("websocket_receive")

        async def _private(self, event: Any) -> None:
            called.append("private")

        async def fine(self, event: Any) -> None:
            await self.send("fine")

    names = [
        "close",
        "send",
        "accept",
        "disconnect",
        "websocket.receive",
        "websocket.disconnect",
        "_private",
        "as_asgi",
    ]
    async with present(Typed.as_asgi(), "/") as (ada,), present(Raw.as_asgi(), "/") as (ben,):
        for name in (*names, "say", "helper.", None, 7):
            await layer.group_send("all", {"type": name})
        await layer.group_send("all", {"type": "fastsio.event", "event": {"action": "unknown"}})
        await layer.group_send("all", {"type": "fine"})

        assert await ada.hears() == await ben.hears() == ["fine"]
        assert (ada.pending(), ben.pending()) == (0, 0)

    assert called == []
    assert "decorate one with @event_handler" in caplog.text


class Journal(BaseMiddleware):
    """Writes down what happens around it."""

    def __init__(self, name: str, log: list[Any], **scope: Any) -> None:
        super().__init__(**scope)
        self.name, self.log = name, log

    async def before_event(self, event, sid, data, **kwargs):
        self.log.append((self.name, "before", event, data["payload"]["text"]))
        return {**data, "payload": {"text": data["payload"]["text"] + self.name}}

    async def after_event(self, event, sid, response, **kwargs):
        self.log.append((self.name, "after", response.payload))


async def test_middlewares_stand_around_handlers():
    """In order, with the data replaced, and only for the actions they are scoped to."""
    log: list[Any] = []

    class Other(Say):
        action: Any = "other"

    class Around(AsyncJsonWebsocketConsumer):
        middleware = [Journal("A", log), Journal("B", log, events=["say"])]

        @ws_handler
        async def say(self, message: Say, extra: int = Depends(lambda: 1)) -> Said:
            log.append(message.payload.text)
            return Said(payload=extra)

        @ws_handler(action="free")
        async def free(self, message: dict[str, Any]) -> Said:
            return Said(payload=message["payload"]["text"])

    async with present(Around.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("x"))
        await ada.send_json_to({"action": "free", "payload": {"text": "y"}})
        answers = await ada.hears_json(2)

    assert [answer["payload"] for answer in answers] == [1, "yA"]
    assert log == [
        ("A", "before", "say", "x"),
        ("B", "before", "say", "xA"),
        "xAB",
        ("B", "after", 1),
        ("A", "after", 1),
        ("A", "before", "free", "y"),
        ("A", "after", "yA"),
    ]


def test_a_middleware_of_a_consumer_that_never_runs_is_told(caplog):
    """When the consumer is mounted: an action without a handler, connect, which is none, and a namespace."""

    class Base(AsyncJsonWebsocketConsumer):
        middleware = [
            Journal("A", [], events=["say", "shout"]),
            Journal("B", [], events="connect"),
            Journal("C", [], namespace="/chat"),
        ]

        @ws_handler
        async def say(self, message: Say) -> None: ...

    assert caplog.messages == []

    Base.as_asgi()

    assert [message.rpartition("<locals>.")[2] for message in caplog.messages] == [
        "Base: Journal is for the namespace '/chat', and a consumer has none: it never runs",
        "Base: Journal is for the event 'shout', which has no handler: it never runs for it",
        "Base: Journal is for the event 'connect', which has no handler: it never runs for it",
    ]


async def test_a_middleware_may_answer_for_a_failure():
    """handle_exception gives the answer instead; validation inside the middlewares is its business too."""

    class Soothing(BaseMiddleware):
        async def handle_exception(self, exc, event, sid, data, **kwargs):
            return Said(payload=type(exc).__name__)

    class Around(AsyncJsonWebsocketConsumer):
        middleware = [Soothing()]

        @ws_handler
        async def say(self, message: Say) -> Said:
            raise RuntimeError("no")

    async with present(Around.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("x"))
        await ada.send_json_to({"action": "say"})

        assert [frame["payload"] for frame in await ada.hears_json(2)] == ["RuntimeError", ValidationFailed.__name__]


def test_an_exception_handler_is_for_exceptions():
    """Anything else is a mistake of the developer."""
    with pytest.raises(SetupError, match="is not an exception class"):
        exception_handler(int)


async def no_token() -> None:
    """Refuse, as FastAPI's dependencies for WebSockets do."""
    raise fastapi.WebSocketException(1008, "no token")


class Guarded(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None, token: None = fastapi.Depends(no_token), **kwargs): ...


class Typed(AsyncJsonWebsocketConsumer):
    @ws_handler
    async def say(self, message: Say, token: None = fastapi.Depends(no_token)) -> None: ...


class Door(AsyncWebsocketConsumer):
    async def connect(self, token: None = fastapi.Depends(no_token)): ...


@pytest.mark.parametrize("consumer", [Guarded, Typed])
async def test_a_websocket_exception_closes_the_connection_as_it_says(consumer, caplog):
    """The code and the reason are FastAPI's words for it; it is no defect, and not an error message either."""
    async with present(consumer.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("a"))
        output = await ada.receive_output()

    assert output == {"type": "websocket.close", "code": 1008, "reason": "no token"}
    assert not caplog.records


async def test_a_websocket_exception_in_connect_refuses_the_client():
    """The handshake is answered with its code."""
    assert await Person(Door.as_asgi(), "/").connect() == (False, 1008)


async def test_an_answer_of_fastapi_in_connect_is_the_close_code(caplog):
    """4000 and the status, for both kinds of consumer; it is no defect."""
    for parent in (AsyncWebsocketConsumer, AsyncJsonWebsocketConsumer):

        class Paid(parent):
            async def connect(self):
                raise fastapi.HTTPException(402, "Pay first.")

        assert await Person(Paid.as_asgi(), "/").connect() == (False, 4402)
    assert not caplog.records


async def test_an_exception_that_a_dependency_translates_is_what_the_consumers_client_reads():
    """As in a route."""

    async def item():
        try:
            yield "item"
        except LookupError as error:
            raise fastapi.HTTPException(404, "No owner.") from error

    class Finding(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, value: str = fastapi.Depends(item)) -> None:
            raise LookupError("owner")

    async with present(Finding.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("a"))
        (answer,) = await ada.hears_json(1)

    assert (answer["payload"]["type"], answer["payload"]["msg"]) == ("not_found", "No owner.")


async def test_a_websocket_exception_for_a_client_that_has_left_is_nothing(caplog):
    """There is nobody to close the connection to."""

    class Late(AsyncWebsocketConsumer):
        async def disconnect(self, code):
            raise fastapi.WebSocketException(1008)

    async with present(Late.as_asgi(), "/"):
        pass
    assert not caplog.records


class Waiting(AsyncJsonWebsocketConsumer):
    @ws_handler
    async def say(self, message: Say) -> Said:
        raise asyncio.CancelledError


class Listening(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        if text_data == "cancelled":
            raise asyncio.CancelledError
        await self.send(text_data)


async def test_a_handler_that_waited_for_a_cancelled_task_has_failed(caplog):
    """The client is answered, the connection lives on, of both kinds of consumers."""
    async with present(Waiting.as_asgi(), "/") as (ada,):
        for _ in range(2):
            await ada.send_json_to(say("hi"))
        assert [frame["payload"]["type"] for frame in await ada.hears_json(2)] == ["internal", "internal"]
    async with present(Listening.as_asgi(), "/") as (ben,):
        await ben.send_to("cancelled")
        await ben.send_to("again")
        error, again = await ben.hears(2)
    assert '"internal"' in error
    assert again == "again"
    assert "what was waited for was cancelled" in caplog.text
