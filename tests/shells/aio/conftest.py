from __future__ import annotations

import json
import logging
from typing import Any

import pytest

import fastsio
from tests.shells.aio.fake_engine import Wire
from tests.shells.aio.rooms import ChatRoom
from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture
def sio() -> fastsio.AsyncServer:
    """A server whose Engine.IO is to be replaced by a wire."""
    return make_server()


@pytest.fixture
def wire(sio) -> Wire:
    """The fake Engine.IO of ``sio``."""
    return Wire(sio)


@pytest.fixture
def make():
    """Make a server with options, and its wire."""

    def make_pair(**options: Any) -> tuple[fastsio.AsyncServer, Wire]:
        server = make_server(**options)
        return server, Wire(server)

    return make_pair


def make_server(**options: Any) -> fastsio.AsyncServer:
    """Make a server that logs to ``tests.socketio``."""
    logger = logging.getLogger("tests.socketio")
    logger.setLevel(logging.WARNING)
    return fastsio.AsyncServer(async_mode="asgi", logger=logger, **options)


@pytest.fixture
def error_of():
    """Return the error object in the acknowledgement of an event."""

    def read(frame: str) -> dict[str, Any]:
        payload = json.loads(frame[frame.index("[") :])
        return payload[0]["error"]

    return read


@pytest.fixture
def log() -> list[Any]:
    """What the hooks of the room have seen."""
    ChatRoom.log = []
    return ChatRoom.log


@pytest.fixture
def chat(sio, wire, log):
    """A server with the room, and its wire."""
    sio.register_room(ChatRoom)
    return sio, wire


@pytest.fixture
def recovering(make):
    """A server that recovers connections, and its wire."""
    return make(connection_state_recovery=True)
