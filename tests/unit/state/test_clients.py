"""The records of connections and clients."""

from __future__ import annotations

import pytest

from fastsio.exceptions import LifecycleError
from fastsio.protocol import Decoder, Happening, NamespaceState
from fastsio.state import Client, Connection


@pytest.fixture
def connection() -> Connection:
    """Return a connection without clients."""
    return Connection("e1", {"REQUEST_METHOD": "GET"}, Decoder(), list)


def test_a_client_knows_its_connection(connection):
    """Engine.IO sid and environ come from the connection."""
    client = Client("s1", "/", connection, {"token": 1})

    assert (client.sid, client.namespace, client.eio_sid) == ("s1", "/", "e1")
    assert client.environ is connection.environ
    assert client.auth == {"token": 1}


def test_the_session_is_made_when_it_is_asked_for(connection):
    """A session is one dict until it is replaced."""
    client = Client("s1", "/", connection, None)

    client.session["a"] = 1
    assert client.session == {"a": 1}

    client.session = {"b": 2}
    assert client.session == {"b": 2}


def test_the_scope_store_is_made_once(connection):
    """Nothing is allocated for a client whose dependencies keep nothing."""
    client = Client("s1", "/", connection, None)
    assert client.used_scope is None

    store = client.scope_store

    assert client.scope_store is store
    assert client.used_scope is store


def test_only_connecting_and_connected_clients_are_active(connection):
    """A client that left is kept for its late packets, but is not active."""
    client = Client("s1", "/", connection, None)
    connection.clients["/"] = client
    assert not client.is_active

    client.advance(Happening.BEGIN)
    assert connection.active() == [client]
    client.advance(Happening.ACCEPT)
    assert connection.active() == [client]
    client.advance(Happening.LEAVE)
    client.advance(Happening.GONE)

    assert connection.active() == []
    assert client.state is NamespaceState.LEFT


def test_an_impossible_step_is_refused(connection):
    """The lifecycle table is obeyed."""
    with pytest.raises(LifecycleError):
        Client("s1", "/", connection, None).advance(Happening.ACCEPT)


def member(connection: Connection, namespace: str, *happenings: Happening) -> Client:
    """Put a client that went through *happenings* on the connection."""
    client = connection.clients[namespace] = Client("s1", namespace, connection, None)
    for happening in happenings:
        client.advance(happening)
    return client


def test_a_connection_is_deserted_once_the_last_handler_is_done(connection):
    """A client that is leaving still needs the record for its disconnect handler."""
    member(connection, "/left", Happening.BEGIN, Happening.GONE)
    assert connection.is_deserted

    client = member(connection, "/", Happening.BEGIN, Happening.ACCEPT, Happening.LEAVE)
    assert not connection.is_deserted
    client.advance(Happening.GONE)

    assert connection.is_deserted


def test_namespaces_that_were_left_make_place(connection):
    """The one left first is forgotten for one more namespace; one that is in use never is."""
    assert connection.make_place(1)
    member(connection, "/used", Happening.BEGIN)
    assert not connection.make_place(1)
    member(connection, "/first", Happening.BEGIN, Happening.GONE)
    member(connection, "/second", Happening.BEGIN, Happening.GONE)

    assert connection.make_place(3)
    assert list(connection.clients) == ["/used", "/second"]
