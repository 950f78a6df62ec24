"""CORS, with and without the framework's own middleware: one header, never two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import fastsio
from tests.integration.clients import http_client
from tests.support.servers import serve

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = "https://app.example"
HEADER = "access-control-allow-origin"
QUERY = "/socket.io/?EIO=4&transport=polling"


def alone(sio) -> Any:
    """No framework."""
    return fastsio.ASGIApp(sio)


def around_fastapi(sio) -> Any:
    """ASGIApp outside, FastAPI with its middleware inside."""
    return fastsio.ASGIApp(sio, with_middleware(FastAPI()))


def inside_fastapi(sio) -> Any:
    """FastAPI with its middleware outside, ASGIApp mounted inside."""
    app = with_middleware(FastAPI())
    app.mount("/", fastsio.ASGIApp(sio))
    return app


def middleware_around(sio) -> Any:
    """The middleware put around ASGIApp directly."""
    return CORSMiddleware(fastsio.ASGIApp(sio), allow_origins=[ORIGIN], allow_credentials=True, allow_methods=["*"])


def with_middleware(app: FastAPI) -> FastAPI:
    """Allow the origin in FastAPI's way."""
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN], allow_credentials=True, allow_methods=["*"])
    return app


async def exchange(address, origin: str) -> list[tuple[str, int, list[str]]]:
    """Make a preflight, a handshake, a POST and a poll; return name, status and the header's values of each."""
    results = []
    async with http_client({"Origin": origin}) as http:
        url = address.http + QUERY
        preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        answer = await http.options(url, headers=preflight)
        results.append(("OPTIONS", answer.status_code, answer.headers.get_list(HEADER)))
        answer = await http.get(url)
        results.append(("GET", answer.status_code, answer.headers.get_list(HEADER)))
        if answer.status_code == 200:
            url += "&sid=" + answer.text.split('"')[3]
            answer = await http.post(url, content="40")
            results.append(("POST", answer.status_code, answer.headers.get_list(HEADER)))
            answer = await http.get(url)
            results.append(("poll", answer.status_code, answer.headers.get_list(HEADER)))
    return results


ALLOWED = [("OPTIONS", 200, [ORIGIN]), ("GET", 200, [ORIGIN]), ("POST", 200, [ORIGIN]), ("poll", 200, [ORIGIN])]
WITHOUT = [(name, status, []) for name, status, _ in ALLOWED]


@pytest.mark.parametrize("allowed", ["*", ["*"], ORIGIN, ["https://other.example", ORIGIN]], ids=repr)
@pytest.mark.parametrize("layout", [alone, around_fastapi, inside_fastapi, middleware_around])
async def test_an_allowed_origin_gets_one_header(make_server, layout: Callable[[Any], Any], allowed):
    """C-39: preflight, handshake, POST and poll each carry exactly one Access-Control-Allow-Origin."""
    async with serve(layout(make_server(cors_allowed_origins=allowed))) as address:
        assert await exchange(address, ORIGIN) == ALLOWED


@pytest.mark.parametrize(("layout", "expected"), [(alone, WITHOUT), (inside_fastapi, ALLOWED)])
async def test_with_cors_off_the_framework_alone_decides(make_server, layout, expected):
    """`cors_allowed_origins=[]` leaves CORS to the framework's middleware, which adds its one header."""
    async with serve(layout(make_server(cors_allowed_origins=[]))) as address:
        assert await exchange(address, ORIGIN) == expected


async def test_a_callable_decides(make_server):
    """`cors_allowed_origins` may be a function of the origin."""
    sio = make_server(cors_allowed_origins=lambda origin: origin == ORIGIN)
    async with serve(alone(sio)) as address:
        assert await exchange(address, ORIGIN) == ALLOWED
        assert (await exchange(address, "https://evil.example"))[1][:2] == ("GET", 400)


async def test_a_callable_gets_the_environ_of_every_request(make_server):
    """A poll and a POST have as much in their environ as the handshake has."""
    environs: list[dict[str, Any]] = []

    def allow(_origin: str, environ: dict[str, Any]) -> bool:
        environs.append(environ)
        return True

    async with serve(alone(make_server(cors_allowed_origins=allow))) as address:
        assert await exchange(address, ORIGIN) == ALLOWED

    _preflight, handshake, *others = environs
    assert [environ["REQUEST_METHOD"] for environ in others] == ["POST", "GET"]
    assert all(handshake.keys() <= environ.keys() for environ in others)


async def test_by_default_the_own_origin_is_served(make_server):
    """CVE-2020-28481: the default allows the page's own origin and no other, and says so in one header."""
    async with serve(alone(make_server())) as address:
        assert await exchange(address, address.http) == [(name, 200, [address.http]) for name, _, _ in ALLOWED]


@pytest.mark.parametrize("layout", [alone, inside_fastapi])
async def test_by_default_a_foreign_origin_is_refused(make_server, layout):
    """CVE-2020-28481: by default a foreign origin is refused; no header is ever doubled."""
    async with serve(layout(make_server())) as address:
        results = await exchange(address, ORIGIN)

        assert results[1][:2] == ("GET", 400)
        assert all(len(values) <= 1 for _, _, values in results)


@pytest.mark.parametrize(
    ("allowed", "opens"), [(None, False), ("*", True), (ORIGIN, True), ([], True), (["https://other.example"], False)]
)
async def test_the_origin_of_a_websocket_is_checked(make_server, allowed, opens):
    """CVE-2020-28481: a WebSocket handshake, which browsers do not protect, is refused for a foreign origin."""
    async with serve(alone(make_server(cors_allowed_origins=allowed))) as address:
        url = address.ws + QUERY.replace("polling", "websocket")
        if opens:
            async with connect(url, origin=ORIGIN, proxy=None) as opened:
                assert (await opened.recv()).startswith("0{")
        else:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, origin=ORIGIN, proxy=None)
            assert refused.value.response.status_code == 400


async def test_credentials_are_allowed_unless_turned_off(make_server):
    """`cors_credentials` decides about Access-Control-Allow-Credentials, which appears once."""
    for option, expected in ((True, ["true"]), (False, [])):
        sio = make_server(cors_allowed_origins="*", cors_credentials=option)
        async with serve(alone(sio)) as address, http_client({"Origin": ORIGIN}) as http:
            answer = await http.get(address.http + QUERY)

            assert answer.headers.get_list("access-control-allow-credentials") == expected
