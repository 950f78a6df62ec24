"""Coroutine functions where only threads run, and managers without ears: what would be lost without a word is told."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import fastsio
from tests.shells.aio.fake_engine import Wire
from tests.shells.sync.fake_engine import wired


async def later(*data: Any) -> None:
    """Do something, once it is awaited."""


async def done(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a method that is a coroutine function in one of the two halves."""
    result = function(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


@pytest.mark.parametrize("kind", [fastsio.Server, fastsio.Client])
def test_background_tasks_of_threads_are_plain_functions(kind):
    """C-191: nobody would await them."""
    owner = kind(async_mode="threading") if kind is fastsio.Server else kind()
    owner.eio = owner.eio or object()

    with pytest.raises(
        TypeError, match=r"^later is a coroutine function, which is not awaited in threads; write 'def'"
    ):
        owner.start_background_task(later)
    with pytest.raises(TypeError, match="takes a function and its arguments, not a coroutine"):
        owner.start_background_task(later())


@pytest.mark.parametrize("kind", [fastsio.AsyncServer, fastsio.Server, fastsio.AsyncClient, fastsio.Client])
async def test_emit_refuses_a_callback_that_cannot_be_called(kind):
    """C-191: before anything is sent."""
    options = {"async_mode": "threading"} if kind is fastsio.Server else {}

    with pytest.raises(TypeError, match="callback=True cannot be called"):
        await done(kind(**options).emit, "ask", callback=True)


@pytest.mark.parametrize("kind", [fastsio.Server, fastsio.Client])
def test_emit_refuses_a_coroutine_function_as_callback_in_threads(kind):
    """C-191: the acknowledgement would be lost."""
    options = {"async_mode": "threading"} if kind is fastsio.Server else {}

    with pytest.raises(TypeError, match="callback later is a coroutine function"):
        kind(**options).emit("ask", callback=later)


TOLD = "write_only=True, and a client connects: what other processes emit does not reach it; leave it out"


class AsyncBus(fastsio.AsyncPubSubManager):
    """A manager that tells nobody anything."""

    async def _publish(self, data: Any) -> None: ...


class Bus(fastsio.PubSubManager):
    """The same for threads."""

    def _publish(self, data: Any) -> None: ...


async def test_an_asyncio_server_with_clients_and_a_manager_that_only_writes_is_told(caplog):
    """Once, with the first client, and also where only errors are logged."""
    sio = fastsio.AsyncServer(async_mode="asgi", client_manager=AsyncBus(write_only=True))
    wire = Wire(sio)

    await wire.join()
    await wire.join()

    assert caplog.messages == [f"asyncpubsub: {TOLD}"]
    assert caplog.records[0].name == "fastsio.server"


def test_a_server_for_threads_with_clients_and_a_manager_that_only_writes_is_told(caplog):
    """Likewise."""
    _, wire = wired(client_manager=Bus(write_only=True))

    wire.join()
    wire.join()

    assert caplog.messages == [f"pubsub: {TOLD}"]
