"""Rooms over plain WebSockets, tested without a server."""

from collections.abc import Iterator

import pytest

from fastsio.layers import InMemoryChannelLayer
from fastsio.testing import WebsocketCommunicator, override

from .app import app


@pytest.fixture(autouse=True)
def _layer() -> Iterator[None]:
    with override("room-chat", InMemoryChannelLayer()):
        yield


async def test_a_room_reads_what_is_said_and_others_do_not() -> None:
    async with (
        WebsocketCommunicator(app, "/ws/room/general") as ada,
        WebsocketCommunicator(app, "/ws/room/general") as ben,
        WebsocketCommunicator(app, "/ws/room/attic") as eve,
    ):
        await ben.send_to("hello")

        assert [await ada.receive_from() for _ in range(3)] == [
            "Someone joined room 'general'",
            "Someone joined room 'general'",
            "> hello",
        ]
        assert await eve.receive_from() == "Someone joined room 'attic'"
        assert await eve.receive_nothing()


async def test_who_leaves_is_missed() -> None:
    async with WebsocketCommunicator(app, "/ws/room/general") as ada:
        async with WebsocketCommunicator(app, "/ws/room/general"):
            pass

        assert [await ada.receive_from() for _ in range(3)][-1] == "Someone left room 'general'"
