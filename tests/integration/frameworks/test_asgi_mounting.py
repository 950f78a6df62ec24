"""ASGIApp alone, around another application, and inside of one, at every path people put it."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import fastsio
from tests.integration.clients import OPENERS, http_client, open_websocket
from tests.support.servers import serve


@pytest.fixture
def sio(make_server):
    """A server that echoes."""
    sio = make_server()
    sio.on("echo", lambda _sid, data: data)
    return sio


def fastapi_application() -> FastAPI:
    """Return an application with a route at ``/`` and one with a parameter."""
    app = FastAPI()

    @app.get("/")
    async def index():
        return {"hello": "world"}

    @app.get("/items/{number}")
    async def item(number: int):
        return {"item": number}

    return app


def wrapped(sio):
    """Wrap ASGIApp around FastAPI."""
    return fastsio.ASGIApp(sio, fastapi_application())


def wrapped_elsewhere(sio):
    """Wrap ASGIApp around FastAPI, with a path of the application's."""
    return fastsio.ASGIApp(sio, fastapi_application(), socketio_path="/api/live/")


def mounted_in_fastapi(sio):
    """Mount ASGIApp below a prefix of FastAPI."""
    app = fastapi_application()
    app.mount("/ws", fastsio.ASGIApp(sio))
    return app


def mounted_in_starlette(sio):
    """Mount ASGIApp below a prefix of Starlette."""
    index = Route("/", lambda _request: PlainTextResponse("hello"))
    return Starlette(routes=[index, Mount("/ws", app=fastsio.ASGIApp(sio))])


def mounted_twice(sio):
    """Mount ASGIApp below a prefix of an application that is mounted itself."""
    inner = FastAPI()
    inner.mount("/live", fastsio.ASGIApp(sio))
    app = fastapi_application()
    app.mount("/api", inner)
    return app


def mounted_at_the_root(sio):
    """Mount ASGIApp at ``/``, after the routes of FastAPI."""
    app = fastapi_application()
    app.mount("/", fastsio.ASGIApp(sio))
    return app


def mounted_at_its_path(sio):
    """Mount ASGIApp at ``/socket.io`` with the default path."""
    app = fastapi_application()
    app.mount("/socket.io", fastsio.ASGIApp(sio))
    return app


def mounted_at_its_path_without_one(sio):
    """Mount ASGIApp at ``/socket.io`` with an empty path."""
    app = fastapi_application()
    app.mount("/socket.io", fastsio.ASGIApp(sio, socketio_path=""))
    return app


def mounted_anywhere(sio):
    """Mount ASGIApp with no path, which serves Socket.IO whatever the path."""
    app = fastapi_application()
    app.mount("/live", fastsio.ASGIApp(sio, socketio_path=None))
    return app


def mounted_with_the_prefix_in_its_path(sio):
    """Mount ASGIApp with the whole path given, as recipes for python-socketio do."""
    app = fastapi_application()
    app.mount("/ws", fastsio.ASGIApp(sio, socketio_path="/ws/socket.io"))
    return app


LAYOUTS = [
    (wrapped, "/socket.io/"),
    (wrapped, "/socket.io"),
    (wrapped_elsewhere, "/api/live/"),
    (mounted_in_fastapi, "/ws/socket.io/"),
    (mounted_in_fastapi, "/ws/socket.io"),
    (mounted_in_starlette, "/ws/socket.io/"),
    (mounted_twice, "/api/live/socket.io/"),
    (mounted_at_the_root, "/socket.io/"),
    (mounted_at_its_path, "/socket.io/"),
    (mounted_at_its_path_without_one, "/socket.io/"),
    (mounted_anywhere, "/live/"),
    (mounted_anywhere, "/live/socket.io/"),
    (mounted_with_the_prefix_in_its_path, "/ws/socket.io/"),
]


@pytest.mark.parametrize(("layout", "path"), LAYOUTS, ids=[f"{row[0].__name__}:{row[1]}" for row in LAYOUTS])
async def test_both_transports_and_rest_work_side_by_side(sio, layout, path):
    """Polling, WebSocket and the routes of the framework work wherever ASGIApp is put."""
    async with serve(layout(sio)) as address:
        for opener in OPENERS.values():
            async with opener(address, path) as client:
                await client.join()
                assert await client.ask("echo", 1) == [1]
        async with http_client() as http:
            answer = await http.get(f"{address.http}/")

        assert (answer.status_code, "hello" in answer.text) == (200, True)


@pytest.mark.parametrize(("layout", "path"), [(wrapped, "/socket.io/"), (mounted_in_fastapi, "/ws/socket.io/")])
async def test_a_prefix_that_a_proxy_strips_is_understood(sio, layout, path):
    """Behind a proxy that strips a prefix, with uvicorn told of it by root_path, the application is found."""
    async with serve(layout(sio), root_path="/proxied") as address:
        for opener in OPENERS.values():
            async with opener(address, path) as client:
                await client.join()


@pytest.mark.parametrize("prefix", ["/proxied", ""], ids=["kept", "stripped"])
@pytest.mark.parametrize(("layout", "path"), [(wrapped, "/socket.io/"), (mounted_in_fastapi, "/ws/socket.io/")])
async def test_a_root_path_in_the_scope_is_understood(sio, prefix, layout, path):
    """With a root_path in the scope the application is found with and without that prefix in the path."""
    app = layout(sio)

    async def proxied(scope, receive, send):
        await app({**scope, "root_path": "/proxied"}, receive, send)

    async with serve(proxied, lifespan="off") as address:
        for opener in OPENERS.values():
            async with opener(address, prefix + path) as client:
                await client.join()


async def test_rest_routes_with_parameters_answer_beside_sockets(sio):
    """A path that only begins like Socket.IO's belongs to the inner application."""
    async with serve(wrapped(sio)) as address, http_client() as http:
        assert (await http.get(f"{address.http}/items/5")).json() == {"item": 5}
        assert (await http.get(f"{address.http}/items/x")).status_code == 422
        assert (await http.get(f"{address.http}/socket.iox/")).json() == {"detail": "Not Found"}


async def test_alone_it_answers_404_elsewhere(sio):
    """Without another application every other path is 404."""
    async with serve(fastsio.ASGIApp(sio)) as address, http_client() as http:
        for path in ("/", "/favicon.ico", "/socket.iox", "/a/socket.io/"):
            answer = await http.get(f"{address.http}{path}")
            assert (answer.status_code, answer.text) == (404, "Not Found")


@pytest.mark.parametrize("layout", [fastsio.ASGIApp, wrapped, mounted_in_fastapi])
async def test_a_websocket_to_an_unknown_path_is_refused(sio, layout):
    """A WebSocket elsewhere is refused with a status, never answered with an HTTP event it cannot take."""
    async with serve(layout(sio)) as address:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{address.ws}/elsewhere", proxy=None)

        assert refused.value.response.status_code == 403


async def test_two_servers_live_in_one_application(make_server):
    """Two ASGIApps at two mounts know nothing of each other."""
    one, two = make_server(), make_server()
    app = FastAPI()
    app.mount("/one", fastsio.ASGIApp(one))
    app.mount("/two", fastsio.ASGIApp(two))
    async with (
        serve(app) as address,
        open_websocket(address, "/one/socket.io/") as first,
        open_websocket(address, "/two/socket.io/") as second,
    ):
        await first.join()
        await second.join()
        await one.emit("news", 1)
        await two.emit("news", 2)

        assert await first.receive() == '42["news",1]'
        assert await second.receive() == '42["news",2]'


async def test_a_subclass_may_set_attributes_before_it_is_initialised(sio):
    """Subclasses of ASGIApp with keyword arguments and attributes of their own work."""

    class Application(fastsio.ASGIApp):
        def __init__(self) -> None:
            self.other_asgi_app = None
            self.name = "mine"
            super().__init__(socketio_server=sio, socketio_path="live", other_asgi_app=fastapi_application())

    async with serve(Application()) as address, open_websocket(address, "/live/") as client:
        await client.join()


async def test_the_environ_names_the_path_and_the_scope(make_server, journal):
    """PATH_INFO, QUERY_STRING, RAW_URI, headers and the ASGI scope are in the environ."""
    sio = make_server()

    @sio.event
    async def connect(sid, environ):
        journal.note(environ)

    headers = {"Cookie": "session=abc", "X-Token": "t"}
    app = mounted_in_fastapi(sio)
    async with serve(app) as address, open_websocket(address, "/ws/socket.io/", "&room=5", headers) as client:
        await client.join()

        environ = journal[0]
        assert "room=5" in environ["QUERY_STRING"]
        assert environ["RAW_URI"] == f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        assert (environ["HTTP_COOKIE"], environ["HTTP_X_TOKEN"]) == ("session=abc", "t")
        assert environ["asgi.scope"]["type"] == "websocket"
