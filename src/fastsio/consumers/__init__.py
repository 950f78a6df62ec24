"""
Consumers: one object for each WebSocket, with a method for each message.

For applications that speak plain WebSocket rather than Socket.IO, with FastAPI, Starlette or no framework.
"""

from __future__ import annotations

from fastsio.consumers.authorization import BaseAuthenticator, Credential
from fastsio.consumers.base import AsyncConsumer
from fastsio.consumers.class_reader import ConsumerInfo, HandlerInfo
from fastsio.consumers.decorators import ChannelInfo, Origin, channel, event_handler, exception_handler, ws_handler
from fastsio.consumers.routing import WebsocketRouter
from fastsio.consumers.schema import asyncapi_document
from fastsio.consumers.typed import AsyncJsonWebsocketConsumer
from fastsio.consumers.types import (
    AcceptConnection,
    DenyConnection,
    StopConsumer,
    WebSocketConnectEvent,
    WebSocketDisconnectEvent,
    WebSocketReceiveEvent,
)
from fastsio.consumers.websocket import AsyncWebsocketConsumer

__all__ = [
    "AcceptConnection",
    "AsyncConsumer",
    "AsyncJsonWebsocketConsumer",
    "AsyncWebsocketConsumer",
    "BaseAuthenticator",
    "ChannelInfo",
    "ConsumerInfo",
    "Credential",
    "DenyConnection",
    "HandlerInfo",
    "Origin",
    "StopConsumer",
    "WebSocketConnectEvent",
    "WebSocketDisconnectEvent",
    "WebSocketReceiveEvent",
    "WebsocketRouter",
    "asyncapi_document",
    "channel",
    "event_handler",
    "exception_handler",
    "ws_handler",
]
