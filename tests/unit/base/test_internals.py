"""What a server shares with its parts: whom it refuses, and which sids it knows before a client is admitted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastsio.base.server import BaseServer
from fastsio.protocol import Decoder
from fastsio.state import Client, Connection


@pytest.fixture
def server() -> BaseServer:
    """Return a server that is open, with low limits."""
    server = BaseServer(
        client_manager=SimpleNamespace(set_server=lambda server: None), max_namespaces=2, max_auth_bytes=10
    )
    server.__fastsio__.lifecycle = SimpleNamespace(is_closed=False)
    return server


@pytest.fixture
def connection() -> Connection:
    """Return a connection without clients."""
    return Connection("e1", {}, Decoder(), dict)


def join(connection: Connection, namespace: str, auth_bytes: int = 0) -> None:
    """Add a client in a namespace."""
    client = connection.clients[namespace] = Client("s", namespace, connection)
    client.auth_bytes = auth_bytes


def refusal(server: BaseServer, connection: Connection, namespace: str, auth_bytes: int = 0) -> str | None:
    """Return why a client is refused by a server that serves some namespaces without handlers."""
    return server.__fastsio__.reason_to_refuse(connection, namespace, auth_bytes, ["/", "/a", "/b", "/c"])


def test_a_client_joins_the_namespaces_that_the_server_has(server, connection):
    """Those of handlers, and those that the server serves without; others are refused."""
    server.on("hello", print, namespace="/handled")

    assert [refusal(server, connection, namespace) for namespace in ("/", "/handled", "/other")] == [
        None,
        None,
        "Invalid namespace",
    ]


def test_a_server_that_shuts_down_refuses_clients(server, connection):
    """Whatever their namespace."""
    server.__fastsio__.lifecycle.is_closed = True

    assert refusal(server, connection, "/") == "The server is shutting down"


def test_a_connection_joins_a_limited_number_of_namespaces(server, connection):
    """It can join again one that it has been in."""
    for namespace in ("/a", "/b"):
        assert refusal(server, connection, namespace) is None
        join(connection, namespace)

    assert refusal(server, connection, "/c") == "Too many namespaces"
    assert refusal(server, connection, "/a") is None


def test_the_auth_of_a_connection_has_a_limited_size(server, connection):
    """That of all its clients counts; a client without auth is not refused for that of others."""
    join(connection, "/a", auth_bytes=6)

    assert [refusal(server, connection, "/b", size) for size in (4, 5, 0)] == [None, "Too much auth", None]


def test_a_client_that_comes_back_is_known_by_its_sid(server):
    """In its namespace; other clients of the connection are new."""
    server.__fastsio__.recovery = SimpleNamespace(returning={("e1", "/"): "s1"})

    assert server.__fastsio__.known_sid("e1", "/") == "s1"
    assert server.__fastsio__.known_sid("e1", "/chat") is None


def test_the_ways_of_packets_are_chosen_anew_when_what_they_depend_on_changes(server):
    """An observer comes or goes, or the application replaces a method."""
    shared, seen = server.__fastsio__, []
    shared.dispatcher = SimpleNamespace(choose_ways=lambda: seen.append((shared.observer, shared.shows_frames)))
    observer = object()

    shared.observe(observer)
    shared.observe(None)
    server._send_eio_packet = print
    del server._send_eio_packet

    assert seen == [(observer, False), (None, False), (None, True), (None, False)]
