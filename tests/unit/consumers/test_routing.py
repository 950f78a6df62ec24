"""The small router: which path is served by what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio.consumers import AsyncWebsocketConsumer, WebsocketRouter
from fastsio.exceptions import SetupError


async def ask(router: WebsocketRouter, path: str, kind: str = "websocket", **scope: Any) -> Any:
    """Return what is sent for a request, and what the route was given."""
    sent: list[Any] = []
    received: asyncio.Queue[Any] = asyncio.Queue()
    for message in ("startup", "shutdown") if kind == "lifespan" else ("connect",):
        received.put_nowait({"type": f"{kind}.{message}"})

    async def send(message: Any) -> None:
        sent.append(message)

    await router({"type": kind, "path": path, **scope}, received.get, send)
    return sent


async def echo_parameters(scope, receive, send) -> None:
    """Say what the router found."""
    await send(scope["path_params"])


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("/room/{room_name}", "/room/general", {"room_name": "general"}),
        ("/room/{room_name}", "/room/team a", {"room_name": "team a"}),
        ("/room/{room_name}", "/room/a\nb", {"room_name": "a\nb"}),
        ("/{a}/{b}", "/x/y", {"a": "x", "b": "y"}),
        ("/item/{number:int}", "/item/42", {"number": 42}),
        ("/item/{number:float}", "/item/4.5", {"number": 4.5}),
        ("/files/{rest:path}", "/files/a/b.txt", {"rest": "a/b.txt"}),
        ("/a.b", "/a.b", {}),
    ],
)
async def test_a_path_is_served_with_its_parameters(route, path, parameters):
    """Texts in braces become path_params."""
    router = WebsocketRouter()
    router.add_websocket_route(route, echo_parameters)

    assert await ask(router, path) == [parameters]


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/room/{name}", "/room/"),
        ("/room/{name}", "/room/a/b"),
        ("/room/{name}", "/Room/a"),
        ("/item/{number:int}", "/item/x"),
        ("/item/{number:int}", "/item/" + "9" * 5000),
        ("/a.b", "/aXb"),
    ],
)
async def test_a_path_of_nobodys_is_refused(route, path):
    """The handshake is answered with a refusal."""
    router = WebsocketRouter()
    router.add_websocket_route(route, echo_parameters)

    assert await ask(router, path) == [{"type": "websocket.close", "code": 1000}]


async def test_the_first_route_that_matches_serves():
    """In the order of their registration."""

    async def other(scope, receive, send):
        raise AssertionError("comes later")

    router = WebsocketRouter()
    router.add_websocket_route("/{name}", echo_parameters)
    router.add_websocket_route("/exact", other)

    assert await ask(router, "/exact") == [{"name": "exact"}]


@pytest.mark.parametrize(("root", "path"), [("/ws", "/ws/a"), ("/ws/", "/ws/a"), ("", "/a"), ("/app/ws", "/app/ws/a")])
async def test_a_mounted_router_sees_the_path_below_its_mount(root, path):
    """root_path is what the frameworks took off, and what outer routes found is kept."""
    router = WebsocketRouter()
    router.add_websocket_route("/{name}", echo_parameters)

    found = await ask(router, path, root_path=root, path_params={"outer": 1})

    assert found == [{"outer": 1, "name": "a"}]


async def test_a_router_on_its_own_answers_http_and_lifespan():
    """404 for requests, and what servers want to hear of start and end."""
    router = WebsocketRouter()

    start, body = await ask(router, "/", "http")

    assert (start["status"], body["body"]) == (404, b"Not Found")
    assert [message["type"] for message in await ask(router, "/", "lifespan")] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


async def test_another_application_serves_the_rest():
    """HTTP, the lifespan and sockets without a route."""
    router = WebsocketRouter(other_app=lambda scope, receive, send: send(scope["type"]))
    router.add_websocket_route("/mine", echo_parameters)

    assert await ask(router, "/", "http") == ["http"]
    assert await ask(router, "/", "lifespan") == ["lifespan"]
    assert await ask(router, "/other") == ["websocket"]
    assert await ask(router, "/mine") == [{}]


@pytest.mark.parametrize(
    ("path", "route", "complaint"),
    [
        ("room", echo_parameters, "begins with a slash: '/room'"),
        ("/{a}/{a}", echo_parameters, "'a' stands in it twice"),
        ("/{a:uuid}", echo_parameters, "'uuid' is not one of str, path, int, float"),
        ("/{a", echo_parameters, "a parameter is written"),
        ("/a", AsyncWebsocketConsumer, r"write AsyncWebsocketConsumer\.as_asgi\(\)"),
        ("/a", None, "is no ASGI application"),
    ],
)
def test_mistakes_in_routes_are_found_at_registration(path, route, complaint):
    """They say what to write instead."""
    with pytest.raises(SetupError, match=complaint):
        WebsocketRouter().add_websocket_route(path, route)
