"""The authorised chat, tested as an application is: clients in the test's own process."""

from collections.abc import AsyncIterator

import pytest

from fastsio import exceptions
from fastsio.testing import TestClient, capture_broadcasts

from .accounts import CHATS, new_chats
from .app import app, sio


@pytest.fixture(autouse=True)
def _chats() -> None:
    CHATS.update(new_chats())


@pytest.fixture
async def ada() -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        yield await client.connect(auth={"token": "ada-token"})


@pytest.fixture
async def ben() -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        yield await client.connect(auth={"token": "ben-token"})


async def test_members_read_what_is_said(ada: TestClient, ben: TestClient) -> None:
    await ada.call("join_chat", {"chat_id": 1})
    await ben.call("join_chat", {"chat_id": 1})

    await ben.call("say", {"chat_id": 1, "text": "hello"})

    assert (await ada.receive("message_posted")).data == {"chat_id": 1, "author": "Ben", "text": "hello"}


async def test_members_are_told_who_comes_and_goes_and_may_ask_who_is_there(ada: TestClient, ben: TestClient) -> None:
    assert await ada.call("join_chat", {"chat_id": 1}) == {"title": "Everybody", "owner": "Ada"}
    await ben.call("join_chat", {"chat_id": 1})
    assert [(await ada.receive("presence")).data["user"] for _ in range(2)] == ["Ada", "Ben"]
    assert await ada.call("who", {"chat_id": 1}) == ["Ada", "Ben"]

    await ben.call("leave_chat", {"chat_id": 1})

    assert (await ada.receive("presence")).data["state"] == "left"
    assert await ada.call("who", {"chat_id": 1}) == ["Ada"]
    assert (await ben.call("who", {"chat_id": 1}))["error"]["type"] == "forbidden"


async def test_others_do_not_get_in(ben: TestClient) -> None:
    refused = await ben.call("join_chat", {"chat_id": 2})

    assert refused["error"]["type"] == "forbidden"
    assert ben.rooms() == set()


async def test_saying_something_takes_being_in_the_room(ada: TestClient) -> None:
    with capture_broadcasts(sio) as sent:
        answer = await ada.call("say", {"chat_id": 1, "text": "hello"})

    assert answer["error"]["type"] == "forbidden"
    assert sent == []


async def test_the_owner_removes_people(ada: TestClient, ben: TestClient) -> None:
    for client in (ada, ben):
        await client.call("join_chat", {"chat_id": 1})

    assert await ada.call("remove", {"chat_id": 1, "name": "Ben"}) == ["Ada"]

    await ben.receive("kicked")
    assert ben.rooms() == set()


async def test_a_client_learns_who_it_is_and_which_chats_there_are(ben: TestClient) -> None:
    welcome = await ben.call("hello")

    assert (welcome["name"], [chat["title"] for chat in welcome["chats"]]) == ("Ben", ["Everybody", "Ada's own"])


async def test_strangers_are_refused() -> None:
    with pytest.raises(exceptions.ConnectionRefusedError, match="Sign in first"):
        await TestClient(app).connect(auth={"token": "no"})
