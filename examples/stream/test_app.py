"""The stream, tested as an application is: clients in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from fastsio.testing import TestClient

from .app import app, sio
from .model import Model, get_model


class StepModel(Model):
    """Says the next words when the test lets it."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()

    async def answer(self, question: str) -> AsyncIterator[str]:
        yield "one"
        yield " two"
        await self.turn.wait()
        yield " three"


@pytest.fixture
def model() -> Iterator[StepModel]:
    model = StepModel()
    sio.dependency_overrides[get_model] = lambda: model
    yield model
    sio.dependency_overrides.clear()


async def read(client: TestClient, count: int) -> tuple[str, str]:
    """Return the text of the next words, and the offset of the last."""
    events = [await client.receive("word") for _ in range(count)]
    return "".join(event.args[0] for event in events), next(iter(events[-1].args[1]["offsets"].values()))


async def test_a_page_that_is_reloaded_goes_on_reading(model: StepModel) -> None:
    async with TestClient(app) as page:
        await page.connect()
        asked = await page.call("ask", {"text": "What is it?"})
        await page.call("join_answer", {"id": asked["id"], "since": None})
        text, offset = await read(page, 2)

    model.turn.set()
    async with TestClient(app) as again:
        await again.connect()
        answer = await again.call("join_answer", {"id": asked["id"], "since": offset})
        rest, _ = await read(again, 1)
        await again.receive("end")

    assert text + rest == "one two three"
    assert answer["question"] == "What is it?"


async def test_a_friend_reads_from_the_first_word(model: StepModel) -> None:
    model.turn.set()
    async with TestClient(app) as page, TestClient(app) as friend:
        await page.connect()
        asked = await page.call("ask", {"text": "What is it?"})
        await page.call("join_answer", {"id": asked["id"], "since": None})
        await page.receive("end")

        await friend.connect()
        await friend.call("join_answer", {"id": asked["id"], "since": None})

        assert (await read(friend, 3))[0] == "one two three"
        assert (await friend.receive("joined")).data["complete"]


async def test_an_answer_that_is_not_kept_is_refused() -> None:
    async with TestClient(app) as page:
        await page.connect()

        answer = await page.call("join_answer", {"id": "guess", "since": None})

    assert answer["error"]["msg"] == "This answer is not kept any more."
