"""What python-socketio and fastsio make of options and names that cannot be meant."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.parity.packages import OURS, THEIRS

SERVERS: dict[str, dict[str, Any]] = {"AsyncServer": {"async_mode": "asgi"}, "Server": {"async_mode": "threading"}}


def made(package: str, name: str, **options: Any) -> str:
    """Make an object of a package; tell whether that was possible, or what is said about it."""
    try:
        getattr(importlib.import_module(package), name)(**options)
    except Exception as error:  # noqa: BLE001 - which one it is, is what the test asks
        return f"{type(error).__name__}: {error}"
    return "made"


@pytest.mark.filterwarnings("ignore:.*has no option 'loop'")
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_made_with_an_option_that_never_did_anything(name: str) -> None:
    """Programs written for older versions of python-socketio pass some."""
    assert made(THEIRS, name, loop=None, **SERVERS[name]) == "made"
    assert made(OURS, name, loop=None, **SERVERS[name]) == "made"


@pytest.mark.parametrize("name", SERVERS)
def test_a_misspelt_option_is_ignored_there_and_refused_here(name: str) -> None:
    """C-180: with the name that was meant."""
    assert made(THEIRS, name, cors_allowed_origin="*", **SERVERS[name]) == "made"
    assert "did you mean 'cors_allowed_origins'?" in made(OURS, name, cors_allowed_origin="*", **SERVERS[name])


@pytest.mark.filterwarnings("ignore:.*has no option 'loop'")
def test_an_unknown_option_of_a_client_is_an_error_there_and_a_warning_here() -> None:
    """C-180: servers and clients are alike."""
    assert made(THEIRS, "Client", handle_sigint=False, loop=None).startswith("TypeError")
    assert made(OURS, "Client", handle_sigint=False, loop=None) == "made"


@pytest.mark.parametrize("name", SERVERS)
def test_an_origin_without_its_scheme_is_taken_there_and_refused_here(name: str) -> None:
    """C-181: no browser sends it."""
    assert made(THEIRS, name, cors_allowed_origins=["example.com"], **SERVERS[name]) == "made"
    assert "write 'https://example.com'" in made(OURS, name, cors_allowed_origins=["example.com"], **SERVERS[name])


@pytest.mark.parametrize("name", ["AsyncNamespace", "Namespace", "AsyncClientNamespace", "ClientNamespace"])
def test_a_namespace_without_its_slash_is_taken_there_and_refused_here(name: str) -> None:
    """C-181: no packet can name it."""
    assert made(THEIRS, name, namespace="chat") == "made"
    assert "write '/chat'" in made(OURS, name, namespace="chat")


#: What is done wrongly, what python-socketio says, and what fastsio says besides.
MISTAKES: dict[str, tuple[Any, str, str]] = {
    "a server for threads in ASGIApp": (
        lambda package: package.ASGIApp(package.Server(async_mode="threading")),
        "made",
        "ASGIApp serves an AsyncServer; serve a Server with WSGIApp",
    ),
    "an asyncio server in WSGIApp": (
        lambda package: package.WSGIApp(package.AsyncServer(async_mode="asgi")),
        "made",
        "WSGIApp serves a Server; serve an AsyncServer with ASGIApp",
    ),
    "no server in ASGIApp": (
        lambda package: package.ASGIApp(None),
        "made",
        "ASGIApp serves an AsyncServer, which is its first argument; this is None",
    ),
    "a namespace of the other kind": (
        lambda package: package.AsyncServer(async_mode="asgi").register_namespace(package.Namespace("/a")),
        "ValueError: Not a valid namespace class for this server",
        "AsyncServer takes subclasses of AsyncNamespace, Namespace is one of Namespace",
    ),
    "a namespace for threads of a client": (
        lambda package: package.Client(handle_sigint=False).register_namespace(package.AsyncClientNamespace("/a")),
        "ValueError: Not a valid namespace class for this client",
        "Client takes subclasses of ClientNamespace, AsyncClientNamespace is one of AsyncClientNamespace",
    ),
    "the class instead of an object": (
        lambda package: package.Server(async_mode="threading").register_namespace(package.Namespace),
        "ValueError: Not a namespace instance",
        "Namespace is a class; register an object, Namespace('/name')",
    ),
    "a namespace of the other end": (
        lambda package: package.Server(async_mode="threading").register_namespace(package.ClientNamespace("/a")),
        "ValueError: Not a namespace instance",
        "ClientNamespace is one for the other end",
    ),
    "no namespace at all": (
        lambda package: package.Server(async_mode="threading").register_namespace("/a"),
        "ValueError: Not a namespace instance",
        "Not a namespace instance: this is of type 'str'",
    ),
    "a mode that there is not": (
        lambda package: package.AsyncServer(async_mode="fastapi"),
        "ValueError: Invalid async_mode specified",
        "Invalid async_mode 'fastapi': AsyncServer has 'aiohttp', 'asgi', 'sanic', 'tornado'",
    ),
    "a mode of the other kind of server": (
        lambda package: package.AsyncServer(async_mode="threading"),
        "ValueError: Invalid async_mode specified",
        "'threading' is for Server",
    ),
    "a mode of asyncio for a server for threads": (
        lambda package: package.Server(async_mode="asgi"),
        "ValueError: Invalid async_mode specified",
        "Server has 'eventlet', 'gevent', 'gevent_uwsgi', 'threading'; 'asgi' is for AsyncServer",
    ),
    "a URL without its scheme": (
        lambda package: package.Client(handle_sigint=False).connect("localhost:9"),
        "ConnectionError: Invalid URL",
        "ConnectionError: the URL has no scheme; write it like 'http://localhost:9'",
    ),
    "a URL of something else": (
        lambda package: package.Client(handle_sigint=False).connect("redis://localhost:9"),
        "ConnectionError: HTTPConnectionPool",
        "ConnectionError: the URL's scheme 'redis' is unknown; it is one of http, https, ws, wss",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_cure(mistake: str) -> None:
    """The kind of error is python-socketio's where it has one; the text says what to write."""
    do, theirs, ours = MISTAKES[mistake]

    def said(package: str) -> str:
        try:
            do(importlib.import_module(package))
        except Exception as error:  # noqa: BLE001 - which one it is, is what the test asks
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            return f"{kind}: {error}"
        return "made"

    assert said(THEIRS).startswith(theirs)
    assert ours in said(OURS)
    assert theirs == "made" or said(OURS).partition(":")[0] == theirs.partition(":")[0]
