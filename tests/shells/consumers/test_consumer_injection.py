"""What handlers of consumers can be given, as handlers of Socket.IO events are."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from fastsio import AsyncServer, Cookie, Data, Depends, Event, Header, NamespaceName, Query, Session, SocketID
from fastsio.consumers import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, event_handler, ws_handler
from fastsio.exceptions import EventError, SignatureError
from tests.shells.consumers.messages import Said, Say, Text, say
from tests.support.rooms import present


async def answers(consumer: Any, *frames: Any, path: str = "/", headers: Any = None, count: int | None = None):
    """Return what one client reads that sends *frames*."""
    async with present(consumer.as_asgi(), path, headers=headers) as (ada,):
        for frame in frames:
            await ada.send_json_to(frame)
        return await ada.hears_json(len(frames) if count is None else count)


async def test_facts_of_the_connection(layer):
    """Markers are filled whatever the parameters are called and wherever they stand."""

    class Asking(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"

        @ws_handler
        async def say(
            self, who: SocketID, event: Event, message: Say, raw: Data, space: NamespaceName, session: Session
        ) -> Said:
            session["count"] = session.get("count", 0) + 1
            assert self.session is session
            return Said(payload=[who == self.channel_name, event, message.payload.text, raw["note"], space, session])

    first, second = await answers(Asking, say("a", note=1), say("b", note=2))

    assert first["payload"] == [True, "say", "a", 1, "/", {"count": 1}]
    assert second["payload"][-1] == {"count": 2}


async def test_values_of_the_handshake():
    """Headers, cookies and the query are read from the scope."""

    class Asking(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(
            self,
            message: Say,
            token: Annotated[str, Query()],
            user_agent: Annotated[str, Header()],
            theme: Annotated[str, Cookie()] = "light",
        ) -> Said:
            return Said(payload=[token, user_agent, theme])

    headers = [(b"user-agent", b"test"), (b"cookie", b"theme=dark")]
    (answer,) = await answers(Asking, say("a"), path="/?token=42", headers=headers)
    (error,) = await answers(Asking, say("a"), headers=headers)

    assert answer["payload"] == ["42", "test", "dark"]
    assert error["payload"]["detail"] == [{"loc": ["query", "token"], "msg": "Field required", "type": "missing"}]


async def test_dependencies_close_after_the_answer_was_sent():
    """What follows the yield runs once the client has its answer, or before it when the handler failed."""
    log: list[Any] = []

    async def resource():
        log.append("open")
        try:
            yield "thing"
        except ValueError as exc:
            log.append(str(exc))
            raise
        finally:
            log.append("close")

    class Asking(AsyncJsonWebsocketConsumer):
        async def send(self, text_data=None, bytes_data=None, close=False):
            log.append("sent")
            await super().send(text_data, bytes_data, close)

        @ws_handler
        async def say(self, message: Say, thing: str = Depends(resource)) -> Said:
            if message.payload.text == "fail":
                raise ValueError("no")
            return Said(payload=thing)

    await answers(Asking, say("a"), say("fail"))

    assert log == ["open", "sent", "close", "open", "no", "close", "sent"]


async def test_dependencies_of_the_connection_last_as_long():
    """They are resolved once, and closed when the client has left."""
    log: list[str] = []

    async def pool():
        log.append("open")
        yield "pool"
        log.append("close")

    class Asking(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, pool: str = Depends(pool, scope="connection")) -> Said:
            log.append("used")
            return Said(payload=pool)

    await answers(Asking, say("a"), say("b"))

    assert log == ["open", "used", "used", "close"]


async def test_dependencies_run_before_the_payload_is_validated():
    """Who is not allowed to ask learns nothing of the schema."""

    def refuse() -> None:
        raise EventError("unauthorized", "Sign in first.")

    class Secret(AsyncJsonWebsocketConsumer):
        dependencies = [Depends(refuse)]

        @ws_handler
        async def say(self, message: Say) -> Said:
            raise AssertionError("was refused")

    (error,) = await answers(Secret, {"action": "say", "payload": "wrong"})

    assert error["payload"] == {"type": "unauthorized", "event": "say", "msg": "Sign in first.", "detail": None}


async def test_places_of_mistakes_are_those_of_the_message():
    """A handler with dependencies reports a wrong payload as one without does."""

    def nothing() -> None: ...

    class Asking(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, _: None = Depends(nothing)) -> Said:
            return Said(payload=None)

    (error,) = await answers(Asking, {"action": "say", "payload": {"text": 1}})

    assert error["payload"]["detail"][0]["loc"] == ["payload", "text"]


async def test_overrides_replace_dependencies():
    """dependency_overrides of the class, for tests."""

    def real() -> str:
        raise AssertionError("was replaced")

    class Asking(AsyncJsonWebsocketConsumer):
        dependency_overrides = {real: lambda: "fake"}

        @ws_handler
        async def say(self, message: Say, value: str = Depends(real)) -> Said:
            return Said(payload=value)

    (answer,) = await answers(Asking, say("a"))

    assert answer["payload"] == "fake"


async def test_event_handlers_and_plain_methods_are_given_the_same(layer):
    """What comes over the layer may need dependencies too."""

    def number() -> int:
        return 7

    class Told(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        @event_handler
        async def said(self, event: Said, number: int = Depends(number)) -> Said:
            return Said(payload=[event.payload, number])

        @event_handler
        async def plain(self, event: dict[str, Any], number: int = Depends(number)) -> None:
            await self.send_json([event["text"], number])

    class Raw(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def plain(self, event, number: int = Depends(number)):
            await self.send(f"{event['text']} {number}")

    async with present(Told.as_asgi(), "/") as (ada,), present(Raw.as_asgi(), "/") as (ben,):
        await Told.broadcast_event(Said(payload="typed"))
        await layer.group_send("all", {"type": "plain", "text": "raw"})

        assert await ada.hears_json(2) == [{"action": "said", "payload": ["typed", 7]}, ["raw", 7]]
        assert await ben.hears() == ["raw 7"]


async def test_methods_of_the_connection_may_have_dependencies():
    """connect, receive, disconnect and post_authentication as well."""
    log: list[Any] = []

    async def user(name: str = "nobody"):
        yield name
        log.append("closed")

    class Raw(AsyncWebsocketConsumer):
        async def connect(self, user: str = Depends(user)):
            await self.accept()
            log.append(f"connect {user}")

        async def receive(self, text_data=None, bytes_data=None, user: str = Depends(user)):
            await self.send(f"{text_data} {bytes_data} {user}")

        async def disconnect(self, code, user: str = Depends(user)):
            log.append(f"disconnect {code} {user}")

    class Typed(AsyncJsonWebsocketConsumer):
        async def post_authentication(self, user: str = Depends(user)) -> None:
            await self.send_message(Said(payload=user))

    async with present(Raw.as_asgi(), "/?name=ada") as (ada,):
        await ada.send_to("hi")
        assert await ada.hears() == ["hi None ada"]
    async with present(Typed.as_asgi(), "/?name=ben") as (ben,):
        assert await ben.hears_json() == [{"action": "said", "payload": "ben"}]

    assert log == ["connect ada", "closed", "closed", "disconnect 1000 ada", "closed", "closed"]


async def test_what_has_no_annotation_gets_the_raw_message():
    """With the class given to the decorator it gets the valid one; without a class, by action, the plain object."""

    class Loose(AsyncJsonWebsocketConsumer):
        @ws_handler(input_type=Say)
        async def typed(self, message) -> Said:
            assert message == Say(payload=Text(text="a"))
            return Said(payload="typed")

        @ws_handler(action="free")
        def plain(self, message) -> Said:
            return Said(payload=message["payload"])

    said, free = await answers(Loose, say("a"), {"action": "free", "payload": [1, None]})

    assert (said["payload"], free["payload"]) == ("typed", [1, None])


def test_a_server_is_refused_where_there_is_none():
    """The mistake is found when the class is made, with a word on what to do."""
    with pytest.raises(SignatureError, match=r"Lost\.say: parameter 'server' .*a consumer has none"):

        class Lost(AsyncJsonWebsocketConsumer):
            @ws_handler
            async def say(self, message: Say, server: AsyncServer) -> None: ...
