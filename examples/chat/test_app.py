"""The chat, tested as an application is: clients in the test's own process."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastsio import exceptions
from fastsio.testing import TestClient

from .app import app, sio


@pytest.fixture
async def ada() -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        await client.connect(auth={"name": "Ada"})
        await client.call("join", {"room": "lobby"})
        yield client


@pytest.fixture
async def ben(ada: TestClient) -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        await client.connect(auth={"name": "Ben"})
        await client.call("join", {"room": "lobby"})
        await ada.receive("joined")
        yield client


async def test_people_in_a_room_read_what_is_said(ada: TestClient, ben: TestClient) -> None:
    said = await ada.call("message", {"text": "hello"})

    assert said["user"]["name"] == "Ada"
    assert (await ben.receive("message")).data == said


async def test_the_answer_to_a_join_has_who_came_while_others_were_told(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = sio.emit

    async def take_long(event: str, data: Any, **options: Any) -> None:
        await emit(event, data, **options)
        if event == "joined" and data["user"].name == "Ben":
            await cleo.call("join", {"room": "lobby"})

    async with TestClient(app) as ben, TestClient(app) as cleo:
        await ben.connect(auth={"name": "Ben"})
        await cleo.connect(auth={"name": "Cleo"})
        monkeypatch.setattr(sio, "emit", take_long)

        room = await ben.call("join", {"room": "lobby"})

    assert [member["name"] for member in room["members"]] == ["Ben", "Cleo"]


async def test_who_comes_late_reads_what_was_said(ada: TestClient) -> None:
    said = await ada.call("message", {"text": "hello"})

    async with TestClient(app) as late:
        await late.connect(auth={"name": "Late"})
        assert (await late.call("join", {"room": "lobby"}))["messages"] == [said]
        assert (await late.call("join", {"room": "attic"}))["messages"] == []


async def test_other_rooms_read_nothing(ada: TestClient, ben: TestClient) -> None:
    await ben.call("join", {"room": "attic"})
    await ada.call("message", {"text": "hello"})

    await ben.call("typing", {"active": True})  # an answer that comes after whatever was sent before

    assert [event.event for event in ben.received] == []
    assert (await ada.receive("left")).data["user"]["name"] == "Ben"


async def test_a_message_must_have_a_text(ada: TestClient) -> None:
    answer = await ada.call("message", {"text": ""})

    assert answer["error"]["type"] == "validation_error"


async def test_a_name_is_needed() -> None:
    with pytest.raises(exceptions.ConnectionRefusedError, match="Choose a name"):
        await TestClient(app).connect(auth={"name": ""})
