"""Typed messages over plain WebSockets, tested without a server."""

from collections.abc import Iterator

import pytest

from fastsio.layers import InMemoryChannelLayer
from fastsio.testing import WebsocketCommunicator, override

from .app import app


@pytest.fixture(autouse=True)
def _layer() -> Iterator[None]:
    with override("typed-chat", InMemoryChannelLayer()):
        yield


async def test_newcomers_are_announced_to_the_others_and_all_read_what_is_said() -> None:
    async with (
        WebsocketCommunicator(app, "/ws/room/general") as ada,
        WebsocketCommunicator(app, "/ws/room/general") as ben,
    ):
        await ben.send_json_to({"action": "room_chat", "payload": {"message": "hello"}})

        texts = [(await ada.receive_json_from())["payload"]["message"] for _ in range(2)]
        assert texts == ["Someone joined room 'general'", "hello"]
        assert (await ben.receive_json_from())["payload"]["message"] == "hello"


async def test_a_frame_that_makes_no_sense_is_answered() -> None:
    async with WebsocketCommunicator(app, "/ws/room/general") as ada:
        await ada.send_json_to({"action": "room_chat", "payload": {"message": 5}})
        await ada.send_json_to({"action": "ping"})

        assert (await ada.receive_json_from())["action"] == "error"
        assert (await ada.receive_json_from())["action"] == "pong"
