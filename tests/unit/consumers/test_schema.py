"""Consumers as an AsyncAPI document."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from fastsio.consumers import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    WebsocketRouter,
    asyncapi_document,
    channel,
    event_handler,
    ws_handler,
)
from fastsio.exceptions import SetupError
from fastsio.messages import BaseMessage, PingMessage, PongMessage


class News(BaseMessage):
    action: Literal["news"] = "news"
    payload: str


class Done(BaseMessage):
    action: Literal["done"] = "done"
    payload: int


@channel(name="news", description="What is new", tags=["n"])
class Reader(AsyncJsonWebsocketConsumer):
    @ws_handler(summary="Ping", description="Whether we are here", tags=["health"])
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(action="raw", output_type=News)
    async def raw(self, message: dict[str, Any]) -> None:
        """Take anything."""

    @event_handler
    async def done(self, event: Done) -> News:
        return News(payload=str(event.payload))


def test_routes_give_the_addresses() -> None:
    """A router's consumers are described where they stand; other applications are not consumers."""
    router = WebsocketRouter()
    router.add_websocket_route("/news/{page:int}", Reader.as_asgi())
    router.add_websocket_route("/other", lambda _scope, _receive, _send: None)  # type: ignore[arg-type,return-value] # never called

    document = asyncapi_document(router, title="t", version="1", prefix="/ws")

    assert document["channels"]["news"]["address"] == "/ws/news/{page}"
    assert document["channels"]["news"]["description"] == "What is new"
    assert list(document["operations"]) == ["news.ping", "news.raw", "news.done"]
    assert document["operations"]["news.ping"]["reply"]["messages"] == [{"$ref": "#/channels/news/messages/pong"}]
    assert document["operations"]["news.done"]["action"] == "send"
    assert document["operations"]["news.done"]["messages"] == [{"$ref": "#/channels/news/messages/news"}]
    assert document["components"]["messages"]["news.raw"]["payload"] == {}


def test_classes_and_applications_have_no_address() -> None:
    """Where they stand is not known."""

    class Plain(AsyncWebsocketConsumer):
        """Text."""

    document = asyncapi_document(Reader, Plain.as_asgi(), title="t", version="1")

    assert list(document["channels"]) == ["news", "Plain"]
    assert "address" not in document["channels"]["news"]


def test_what_is_no_consumer_is_refused() -> None:
    """The error says what may be given."""
    with pytest.raises(SetupError, match="no consumer class and no WebsocketRouter"):
        asyncapi_document(object(), title="t", version="1")  # type: ignore[arg-type] # on purpose
