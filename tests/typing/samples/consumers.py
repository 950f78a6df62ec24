"""What type checkers see in consumers and their messages; not run."""

# ruff: noqa: D103 - samples for type checkers, never run
from __future__ import annotations

from typing import Any, Literal, assert_type

from pydantic import BaseModel

from fastsio import Depends, Session
from fastsio.consumers import (
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    BaseAuthenticator,
    ConsumerInfo,
    WebSocketDisconnectEvent,
    WebsocketRouter,
    channel,
    event_handler,
    exception_handler,
    ws_handler,
)
from fastsio.layers import BaseChannelLayer
from fastsio.messages import BaseMessage, PingMessage, PongMessage
from fastsio.testing import WebsocketCommunicator


class Text(BaseModel):
    text: str


class Say(BaseMessage):
    action: Literal["say"] = "say"
    payload: Text


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: Text


class Other(BaseMessage):
    action: Literal["other"] = "other"
    payload: None = None


class RoomConsumer(AsyncWebsocketConsumer):
    channel_layer_alias = "chat"

    async def connect(self) -> None:
        assert self.channel_layer
        assert_type(self.channel_layer, BaseChannelLayer)
        await self.accept()
        await self.channel_layer.group_add("room", self.channel_name)

    async def disconnect(self, code: int) -> None: ...

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        await self.send(text_data)

    async def room_message(self, event: dict[str, Any]) -> None:
        await self.send(event["message"])


class TokenAuthenticator(BaseAuthenticator):
    user: str = ""

    async def authenticate(self, scope: Any) -> bool:
        return self.get_query_param("token") == "t"


def stock() -> int:
    return 1


@channel(name="rooms", tags=["chat"])
class TypedConsumer(AsyncJsonWebsocketConsumer[Said]):
    authenticator_class = TokenAuthenticator
    authenticator: TokenAuthenticator
    groups = ["all"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room: str | None = None

    @ws_handler
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(output_type=Said, tags=["chat"])
    async def say(self, message: Say, session: Session, left: int = Depends(stock)) -> None:
        assert_type(message.payload.text, str)
        await self.broadcast_message(Said(payload=message.payload), groups=self.groups, exclude_current=True)

    @event_handler
    async def said(self, event: Said) -> Said:
        return event

    @exception_handler(LookupError)
    async def on_lookup(self, exc: LookupError) -> Said | None:
        return None

    async def websocket_disconnect(self, message: WebSocketDisconnectEvent) -> None:
        assert_type(message["code"], int)
        await super().websocket_disconnect(message)


class UntypedEvents(AsyncJsonWebsocketConsumer):
    """The type argument may be left out."""


async def use(router: WebsocketRouter) -> None:
    router.add_websocket_route("/room/{room_name}", TypedConsumer.as_asgi())
    assert_type(TypedConsumer.describe(), ConsumerInfo)
    await TypedConsumer.send_event(Said(payload=Text(text="x")), "channel")
    await TypedConsumer.send_event(Other(), "channel")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - not an event of it
    TypedConsumer.broadcast_event_sync(Said(payload=Text(text="x")), groups="all")
    await UntypedEvents.broadcast_event(Other(), groups=["all"])
    async with WebsocketCommunicator(router, "/room/x", consumer=TypedConsumer) as communicator:
        assert_type(communicator, WebsocketCommunicator)
        assert_type(await communicator.receive_message(), BaseMessage)
        assert_type(await communicator.receive_all_messages(), list[BaseMessage])
