"""Dependencies: every kind of callable, nesting, caching, cleaning up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import fastapi
import httpx

import fastsio
from fastsio import Depends, Header
from tests.acceptance.peers import connected
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Settings:
    """A class as dependency; its own parameters are dependencies too."""

    def __init__(self, sid: fastsio.SocketID) -> None:
        self.owner = sid


class Adder:
    """A callable object as dependency."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, event: fastsio.Event) -> str:
        return f"{event}+{self.number}"


def plain() -> str:
    """Give a value."""
    return "plain"


async def awaited(inner: str = Depends(plain)) -> str:
    """Give a value that depends on another."""
    return f"awaited {inner}"


def current_user(request: fastapi.Request, x_user: Annotated[str, fastapi.Header()]) -> str:
    """Say who asks, from the headers; written for FastAPI."""
    return f"{x_user} of {request.headers['host'].partition(':')[0]}"


User = Annotated[str, fastapi.Depends(current_user)]


async def test_dependencies_of_every_kind_are_resolved() -> None:
    """Functions, coroutine functions, classes, callable objects and registered names, nested."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    fastsio.register_dependency("acceptance.named", lambda: "named")

    @sio.on("all")
    async def everything(
        sid: fastsio.SocketID,
        settings: Annotated[Settings, Depends()],
        nested: str = Depends(awaited),
        added: str = Depends(Adder(3)),
        named: str = Depends("acceptance.named"),
    ) -> list[Any]:
        return [settings.owner == sid, nested, added, named]

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("all") == [True, "awaited plain", "all+3", "named"]


async def test_a_value_is_shared_within_one_event_only() -> None:
    """A dependency used twice in an event is resolved once, and again for the next event."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    numbers = iter(range(10))

    def number() -> int:
        return next(numbers)

    def through(inner: int = Depends(number)) -> int:
        return inner

    @sio.on("count")
    async def count(
        sid: fastsio.SocketID,
        a: int = Depends(number),
        b: int = Depends(through),
        fresh: int = Depends(number, use_cache=False),
    ) -> list[int]:
        return [a, b, fresh]

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        first, second = await peer.call("count"), await peer.call("count")

    assert first[0] == first[1] != first[2]
    assert second[0] == second[1] != second[2]
    assert not set(first) & set(second)


async def test_generators_are_closed_after_the_handler_in_reverse() -> None:
    """What follows ``yield`` runs after the handler, the innermost last, with the exception thrown in."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    notes: asyncio.Queue[str] = asyncio.Queue()

    def outer() -> Iterator[str]:
        yield "outer"
        notes.put_nowait("outer closed")

    async def inner(value: str = Depends(outer)) -> AsyncIterator[str]:
        try:
            yield f"{value} inner"
        except LookupError:
            notes.put_nowait("inner saw it")
            raise
        finally:
            notes.put_nowait("inner closed")

    @sio.on("use")
    async def use(sid: fastsio.SocketID, fail: bool, value: str = Depends(inner)) -> str:
        notes.put_nowait("handler")
        if fail:
            raise LookupError
        return value

    async def noted(count: int) -> list[str]:
        return [await asyncio.wait_for(notes.get(), WAIT_S) for _ in range(count)]

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("use", False) == "outer inner"
        assert await noted(3) == ["handler", "inner closed", "outer closed"]
        assert (await peer.call("use", True))["error"]["type"] == "internal"
        assert await noted(3) == ["handler", "inner saw it", "inner closed"]


async def test_a_connection_scoped_dependency_lives_as_long_as_the_connection() -> None:
    """It is resolved once per connection and closed at its end."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    closed = asyncio.Event()
    opened: list[str] = []

    async def account(auth: fastsio.Auth) -> AsyncIterator[str]:
        opened.append(auth["name"])
        yield auth["name"]
        closed.set()

    @sio.on("who")
    async def who(sid: fastsio.SocketID, name: str = Depends(account, scope="connection")) -> str:
        return name

    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, auth={"name": "ann"}) as peer:
            assert [await peer.call("who"), await peer.call("who")] == ["ann", "ann"]
            assert not closed.is_set()
        await asyncio.wait_for(closed.wait(), WAIT_S)

    assert opened == ["ann"]


async def test_dependencies_are_overridden_for_tests() -> None:
    """``server.dependency_overrides`` replaces a dependency wherever it is used."""
    sio = fastsio.AsyncServer(async_mode="asgi")

    @sio.on("nested")
    async def nested(sid: fastsio.SocketID, value: str = Depends(awaited)) -> str:
        return value

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        sio.dependency_overrides[plain] = lambda: "overridden"
        assert await peer.call("nested") == "awaited overridden"
        sio.dependency_overrides.clear()
        assert await peer.call("nested") == "awaited plain"


async def test_one_dependency_serves_routes_and_events() -> None:
    """FastAPI's own Depends, Header and Request work in events as they do in routes."""
    api = fastapi.FastAPI()
    sio = fastsio.AsyncServer(async_mode="asgi")

    @api.get("/me")
    async def me(user: User) -> str:
        return user

    @sio.on("me")
    async def socket_me(user: User, agent: Annotated[str, Header(alias="user-agent")]) -> list[Any]:
        return [user, bool(agent)]

    async with (
        serve(fastsio.ASGIApp(sio, api)) as address,
        connected(address.http, headers={"X-User": "ann"}) as peer,
        httpx.AsyncClient() as http,
    ):
        answer = await http.get(f"{address.http}/me", headers={"X-User": "ann"})
        assert answer.json() == "ann of 127.0.0.1"
        assert await peer.call("me") == ["ann of 127.0.0.1", True]
