"""The description of an application's channels as an AsyncAPI document."""

from __future__ import annotations

from fastsio.asyncapi.model import AsyncAPIConfig, Channel, Direction, Message, Operation
from fastsio.asyncapi.render import render

__all__ = ["AsyncAPIConfig", "Channel", "Direction", "Message", "Operation", "render"]
