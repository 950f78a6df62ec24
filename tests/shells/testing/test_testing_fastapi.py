# ruff: noqa: D103 - examples
"""Socket.IO beside, or inside of, an application of FastAPI."""

from __future__ import annotations

from contextlib import suppress

import fastapi
import pytest
from fastapi.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request  # noqa: TC002 - annotations are resolved at run time

from fastsio import ASGIApp, AsyncServer, Depends, SocketID, register_dependency
from fastsio.consumers import AsyncWebsocketConsumer
from fastsio.exceptions import ConnectionRefusedError
from fastsio.testing import TestClient
from tests.support.rooms import present


def current_user() -> str:
    raise fastapi.HTTPException(401)


def make_api() -> fastapi.FastAPI:
    """Return an application with a route and something in its state."""
    api = fastapi.FastAPI()
    api.state.database = "the database"

    @api.get("/items/{number}")
    def item(number: int) -> int:
        return number

    return api


def beside(sio: AsyncServer, api: fastapi.FastAPI) -> ASGIApp:
    return ASGIApp(sio, api)


def beside_with_middleware(sio: AsyncServer, api: fastapi.FastAPI) -> ASGIApp:
    return ASGIApp(sio, CORSMiddleware(CORSMiddleware(api)))


def inside(sio: AsyncServer, api: fastapi.FastAPI) -> fastapi.FastAPI:
    api.mount("/", ASGIApp(sio))
    return api


@pytest.mark.parametrize("compose", [beside, beside_with_middleware, inside])
async def test_request_knows_the_application(compose):
    """``request.app``, its state and ``request.url_for``, as in a route."""
    sio, api = AsyncServer(async_mode="asgi"), make_api()
    app = compose(sio, api)

    def database(request: Request) -> str:
        return request.app.state.database

    @sio.event
    async def ask(sid: SocketID, connection: HTTPConnection, found: str = fastapi.Depends(database)):
        return [connection.app is api, found, str(connection.url_for("item", number=5).path)]

    async with TestClient(app) as client:
        await client.connect()

        assert await client.call("ask") == [True, "the database", "/items/5"]


@pytest.mark.parametrize("compose", [beside, beside_with_middleware, inside])
async def test_overrides_of_the_application_count_for_events(compose):
    """A test replaces the user once for routes and events; the server's own overrides come first."""
    sio, api = AsyncServer(async_mode="asgi"), make_api()
    app = compose(sio, api)

    @sio.event
    async def whoami(sid: SocketID, user: str = fastapi.Depends(current_user)):
        return user

    async with TestClient(app) as client:
        await client.connect()
        assert (await client.call("whoami"))["error"]["type"] == "unauthorized"

        api.dependency_overrides[current_user] = lambda: "ann"
        assert await client.call("whoami") == "ann"

        sio.dependency_overrides[current_user] = lambda: "bob"
        assert await client.call("whoami") == "bob"

        sio.dependency_overrides.clear()
        api.dependency_overrides = {}
        assert (await client.call("whoami"))["error"]["type"] == "unauthorized"


async def test_overrides_of_the_application_count_for_consumers():
    """Those of the application that a consumer is mounted in."""

    class Asking(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, user: str = Depends(current_user), **kwargs):
            await self.send(f"{user} of {self.host_app.state.database}")

    api = make_api()
    api.mount("/ws", Asking.as_asgi())
    api.dependency_overrides[current_user] = lambda: "ann"

    async with present(api, "/ws/") as (person,):
        await person.send_to("who?")
        assert await person.receive_from() == "ann of the database"


async def lifespan_of(app: ASGIApp) -> dict[str, str]:
    """Return what an ASGI server is told when it starts an application."""
    told = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        told.append(message)
        raise EOFError

    with suppress(EOFError):
        await app({"type": "lifespan", "state": {}}, receive, send)
    return told[0]


@pytest.mark.parametrize("api", [None, make_api()])
async def test_an_annotation_that_names_nothing_stops_the_start(api):
    """The ASGI server is told which handler and which parameter."""
    sio = AsyncServer(async_mode="asgi")

    @sio.event
    async def say(sid: SocketID, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - that is what is tested

    message = await lifespan_of(ASGIApp(sio, api))

    assert message["type"] == "lifespan.startup.failed"
    assert "say: parameter 'data' refers to what does not exist" in message["message"]


async def test_an_annotation_that_names_nothing_refuses_the_first_client(caplog):
    """Where no start is announced; the second client is refused as well."""
    sio = AsyncServer(async_mode="asgi")

    @sio.event
    async def say(sid: SocketID, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - that is what is tested

    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await TestClient(sio).connect()
        assert "say: parameter 'data' refers to what does not exist" in caplog.text
        caplog.clear()


async def test_a_name_that_is_registered_by_the_startup_hook_is_found():
    """What the application does when it starts comes first."""
    sio = AsyncServer(async_mode="asgi")

    @sio.event
    async def say(sid: SocketID, value: int = Depends("fastapi.test.value")): ...

    app = ASGIApp(sio, on_startup=lambda: register_dependency("fastapi.test.value", int))

    assert (await lifespan_of(app))["type"] == "lifespan.startup.complete"


async def test_names_that_exist_by_then_are_found():
    """A model further down the module, say; the application starts."""
    sio = AsyncServer(async_mode="asgi")

    @sio.event
    async def say(sid: SocketID, data: Later): ...

    assert (await lifespan_of(ASGIApp(sio)))["type"] == "lifespan.startup.complete"


Later = int
