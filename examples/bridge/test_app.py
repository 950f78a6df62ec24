"""Both protocols in one test, over a layer that lives as long as the test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from fastsio import broadcast
from fastsio.layers import InMemoryChannelLayer
from fastsio.layers.manager import LayerManager
from fastsio.testing import TestClient, WebsocketCommunicator, override

from .app import app
from .layers import LAYER
from .rooms import JobDone

LOBBY = {"chat_id": "lobby"}


@pytest.fixture(autouse=True)
def _layer() -> Iterator[None]:
    with override(LAYER, InMemoryChannelLayer()):
        yield


@pytest.fixture
async def ada() -> AsyncIterator[TestClient]:
    """Who speaks Socket.IO."""
    async with TestClient(app) as client:
        await client.connect(auth={"name": "Ada"})
        await client.call("join_chat", LOBBY)
        yield client


@pytest.fixture
async def ben() -> AsyncIterator[WebsocketCommunicator]:
    """Who speaks plain WebSocket."""
    async with WebsocketCommunicator(app, "/ws?name=Ben") as client:
        await client.send_json_to({"action": "subscribe", "payload": {"room": "chat", "data": LOBBY}})
        await hear(client, "subscribed")
        yield client


async def hear(client: WebsocketCommunicator, action: str) -> dict[str, object]:
    """Return the next frame of that kind."""
    while (frame := await client.receive_json_from())["action"] != action:
        pass
    return frame


async def test_a_room_is_one_for_both(ada: TestClient, ben: WebsocketCommunicator) -> None:
    await ada.call("say", {**LOBBY, "text": "hello"})
    await ben.send_json_to({"action": "say", "payload": {**LOBBY, "text": "hi"}})

    assert [(await ada.receive("message_posted")).data["via"] for _ in range(2)] == ["Socket.IO", "WebSocket"]
    assert (await hear(ben, "message_posted"))["payload"]["author"] == "Ada"
    assert (await hear(ben, "message_posted"))["payload"]["author"] == "Ben"


async def test_who_comes_is_told_to_both_and_listed_to_both(ada: TestClient, ben: WebsocketCommunicator) -> None:
    assert [(await ada.receive("presence")).data["user"] for _ in range(2)] == ["Ada", "Ben"]
    assert (await hear(ben, "presence"))["payload"]["user"] == "Ben"

    # Both ask at once, as pages do that hear of the same change.
    await ben.send_json_to({"action": "who", "payload": LOBBY, "ref": 1})
    assert await ada.call("who", LOBBY) == ["Ada", "Ben"]
    assert await hear(ben, "present") == {"action": "present", "payload": ["Ada", "Ben"], "ref": 1}


async def test_who_leaves_is_told_and_not_listed_any_more(ada: TestClient, ben: WebsocketCommunicator) -> None:
    await ada.call("leave_chat", LOBBY)
    while (await hear(ben, "presence"))["payload"]["state"] != "left":
        pass

    await ben.send_json_to({"action": "who", "payload": LOBBY})
    assert (await hear(ben, "present"))["payload"] == ["Ben"]
    assert (await ada.call("who", LOBBY))["error"]["type"] == "forbidden"


async def test_a_worker_reaches_one_user(ada: TestClient, ben: WebsocketCommunicator) -> None:
    await broadcast(JobDone(user="Ben", result="ready"), via=LayerManager(LAYER, write_only=True))

    assert (await hear(ben, "job_done"))["payload"]["result"] == "ready"
    assert await ada.receive_nothing("job_done")
