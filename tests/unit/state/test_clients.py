"""The records of connections and clients."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest

from fastsio.exceptions import LifecycleError
from fastsio.protocol import LEGACY, Decoder, Happening, NamespaceState
from fastsio.state import Client, Connection, Held
from fastsio.state.environs import LooseEnviron, Origin
from fastsio.state.recovery import NOT_RECOVERED, ClientRecovery, Recovered


@pytest.fixture
def connection() -> Connection:
    """Return a connection without clients."""
    return Connection("e1", {"REQUEST_METHOD": "GET"}, Decoder(), list)


def test_a_client_knows_its_connection(connection):
    """Engine.IO sid and environ come from the connection."""
    client = Client("s1", "/", connection)

    assert (client.sid, client.namespace, client.eio_sid) == ("s1", "/", "e1")
    assert client.environ is connection.environ
    assert client.auth is None


def test_the_session_is_made_when_it_is_asked_for(connection):
    """A session is one dict until it is replaced."""
    client = Client("s1", "/", connection)

    client.session["a"] = 1
    assert client.session == {"a": 1}

    client.session = {"b": 2}
    assert client.session == {"b": 2}


def test_the_scope_store_is_made_once(connection):
    """Nothing is allocated for a client whose dependencies keep nothing."""
    client = Client("s1", "/", connection)
    assert client.used_scope is None

    store = client.scope_store

    assert client.scope_store is store
    assert client.used_scope is store


def test_only_connecting_and_connected_clients_are_active(connection):
    """A client that left is kept for its late packets, but is not active."""
    client = Client("s1", "/", connection)
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
        Client("s1", "/", connection).advance(Happening.ACCEPT)


def member(connection: Connection, namespace: str, *happenings: Happening) -> Client:
    """Put a client that went through *happenings* on the connection."""
    client = connection.clients[namespace] = Client("s1", namespace, connection)
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
    assert connection.reserve_namespace(1)
    member(connection, "/used", Happening.BEGIN)
    assert not connection.reserve_namespace(1)
    member(connection, "/first", Happening.BEGIN, Happening.GONE)
    member(connection, "/second", Happening.BEGIN, Happening.GONE)

    assert connection.reserve_namespace(3)
    assert list(connection.clients) == ["/used", "/second"]


def test_a_step_is_taken_by_the_first_who_tries(connection):
    """Others find that it has been taken."""
    client = member(connection, "/", Happening.BEGIN, Happening.ACCEPT)

    assert not client.try_advance(Happening.GONE)
    assert not client.try_advance(Happening.LEAVE, only=NamespaceState.CONNECTING)
    assert client.try_advance(Happening.LEAVE)
    assert not client.try_advance(Happening.LEAVE)
    assert client.state is NamespaceState.LEAVING


def test_a_log_shows_what_is_no_secret(connection):
    """All of a sid of its own, the start of one that is made of the session id."""
    old = Connection("a session id", {}, Decoder(), list, dialect=LEGACY)

    assert Client("s1", "/", connection).label == "s1"
    assert Client("/n#a session id", "/n", old).label == "/n#a sess..."


def test_tasks_are_kept_until_they_are_taken_away(connection):
    """A connection without tasks has no set of its own; those that come are counted each."""
    other = Connection("e2", {}, Decoder(), list)

    first = connection.add_task("first")
    second = connection.add_task("second")
    assert connection.tasks == {"first", "second"}
    assert other.tasks == frozenset()

    first("first")
    assert connection.tasks == {"second"}
    second("second")
    connection.add_task("third")
    assert connection.tasks == {"third"}


def test_packets_are_held_within_limits():
    """By number and by size; the first are held whatever their size."""
    held = Held()

    assert held.add("ab", 10, most=4, most_bytes=5)
    assert not held.add("c", 1, most=4, most_bytes=5)
    assert held.add("c", 1, most=4, most_bytes=11)
    assert held.add("de", 0, most=4, most_bytes=11)
    assert not held.add("f", 0, most=4, most_bytes=11)
    assert (held.packets, held.size_bytes) == (list("abcde"), 11)


def test_the_size_of_events_under_way_is_counted(connection):
    """The first may be of any size, more only within the limit."""
    assert connection.claim(10, 5)
    assert not connection.claim(1, 5)
    assert connection.claim(1, 11)
    connection.release(10)
    assert connection.handler_bytes == 1
    connection.release(10)

    assert connection.handler_bytes == 0


def test_the_auth_of_a_connection_is_that_of_its_clients(connection):
    """Each namespace has its own."""
    for namespace in ("/a", "/b"):
        client = connection.clients[namespace] = Client("s", namespace, connection)
        client.auth_bytes = 5

    assert connection.auth_bytes == 10


def test_a_connection_that_is_over_keeps_nothing_that_refers_to_it(connection):
    """Its clients and its session are forgotten, and the session forgets it."""
    session = connection.session = SimpleNamespace(connection=connection)
    connection.clients["/"] = Client("s", "/", connection)

    connection.unlink()
    connection.unlink()

    assert (connection.clients, connection.session, session.connection) == ({}, None, None)


def test_frames_are_kept_for_a_client_that_connects(connection):
    """Within limits."""
    client = Client("s", "/", connection)

    assert client.hold_outgoing(["a"], 1, most=1, most_bytes=9)
    assert not client.hold_outgoing(["b"], 1, most=1, most_bytes=9)
    assert client.outgoing.packets == ["a"]


class Handshake(Origin):
    """The request of a client, of which its environ is made."""

    def make(self) -> dict[str, Any]:
        return {"PATH_INFO": "/"}


def test_a_loosened_environ_is_freed_and_made_again_when_it_is_asked_for(connection):
    """An environ that the server was given stays as it is."""
    environ = LooseEnviron(Handshake())
    freed = ref(environ)
    loose = Connection("e2", environ, Decoder(), list)
    given = connection.environ

    loose.loosen_environ()
    connection.loosen_environ()
    del environ

    assert freed() is None
    assert loose.environ == {"PATH_INFO": "/"}
    assert connection.environ is given


def test_an_environ_can_be_replaced(connection):
    """The clients of the connection have the new one too."""
    environ = {"REQUEST_METHOD": "POST"}

    connection.environ = environ

    assert Client("s1", "/", connection).environ is environ


def test_the_first_frame_that_is_dropped_is_reported(connection):
    """Later ones are not; other clients do not share the mark, and a client that was told has no frames to drop."""
    client, other, told = (Client(sid, "/", connection) for sid in ("s1", "s2", "s3"))
    told.outgoing = None

    assert [client.give_up_outgoing() for _ in range(2)] == [True, False]
    assert other.give_up_outgoing()
    assert not told.give_up_outgoing()


def test_frames_that_wait_for_the_answer_of_connect_can_be_dropped(connection):
    """Further frames wait as before; a client that was told is sent frames at once, as before."""
    client, told = Client("s1", "/", connection), Client("s2", "/", connection)
    client.hold_outgoing(["a"], 1, most=9, most_bytes=9)
    told.outgoing = None

    client.drop_outgoing()
    told.drop_outgoing()

    assert (client.outgoing.packets, told.outgoing) == ([], None)
    assert client.hold_outgoing(["b"], 1, most=9, most_bytes=9)
    assert client.outgoing.packets == ["b"]


def test_a_client_has_the_session_that_it_has_recovered(connection):
    """A new client has none, on a server with recovery and on one without."""
    client = Client("s1", "/", connection)
    assert client.recovered is NOT_RECOVERED

    client.recovery = ClientRecovery("pid", 0)
    assert client.recovered is NOT_RECOVERED

    recovered = client.recovery.recovered = Recovered("s1")
    assert client.recovered is recovered
