"""What clients decide without sending or waiting."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace

import pytest

from fastsio.base import client as client_module
from fastsio.base.client import BaseClient, Membership, not_connected, pop_callback
from fastsio.base.namespace import BaseClientNamespace, BaseNamespace
from fastsio.exceptions import SetupError
from fastsio.injection import ConnectionScope


@pytest.fixture
def client() -> BaseClient:
    """A client that cannot connect."""
    return BaseClient()


class Threaded(BaseClientNamespace):
    """A namespace of clients for threads."""

    def is_asyncio_based(self) -> bool:
        """Not."""
        return False


class Asynchronous(BaseClientNamespace):
    """A namespace of clients for asyncio."""

    def is_asyncio_based(self) -> bool:
        """It is."""
        return True


def test_ids_of_acknowledgements_count_in_each_namespace(client):
    """From 1, as zero is falsy."""
    ids = [client._generate_ack_id(namespace, print) for namespace in ("/", "/", "/a")]

    assert ids == [1, 2, 1]
    assert client.callbacks == {"/": {1: print, 2: print}, "/a": {1: print}}


def test_what_waits_for_an_acknowledgement_is_taken_once(client):
    """Unknown ids and namespaces have nothing."""
    ack_id = client._generate_ack_id("/", print)

    assert pop_callback(client.callbacks, "/", ack_id) is print
    assert pop_callback(client.callbacks, "/", ack_id) is None
    assert pop_callback(client.callbacks, "/", None) is None
    assert pop_callback(client.callbacks, "/a", 1) is None


def test_a_class_is_registered_with_its_client(client):
    """One of the other kind, or of servers, is refused."""
    chat = Threaded("/chat")
    client.register_namespace(chat)

    assert client.namespace_handlers == {"/chat": chat}
    assert chat.client is client
    with pytest.raises(SetupError, match="Not a valid namespace class for this client"):
        client.register_namespace(Asynchronous("/a"))
    for other in (BaseNamespace("/a"), object()):
        with pytest.raises(SetupError, match="Not a namespace instance"):
            client.register_namespace(other)


def test_there_is_no_sid_without_a_connection(client):
    """In no namespace."""
    client.namespaces["/a"] = "one"

    assert client.get_sid("/a") == "one"
    assert client.get_sid() is None


def test_the_transport_is_that_of_the_connection(client):
    """Engine.IO knows it."""
    client.eio = SimpleNamespace(transport=lambda: "polling")

    assert client.transport() == "polling"


@pytest.mark.parametrize(
    ("changes", "reason", "comes_back"),
    [
        ({}, "transport error", True),
        ({}, "client disconnect", False),
        ({"reconnection": False}, "transport error", False),
        ({"_is_opening": True}, "transport error", False),
        ({"is_dismissed": True}, "transport error", False),
        ({"has_left": True}, "transport error", False),
    ],
)
def test_a_client_comes_back_after_a_loss_that_it_did_not_want(client, changes, reason, comes_back):
    """Neither side has ended the connection, and no call waits for it to begin."""
    shared = client.__fastsio__
    shared.dispatcher = SimpleNamespace(is_dismissed=changes.pop("is_dismissed", False))
    shared.reconnecting = SimpleNamespace(has_left=changes.pop("has_left", False))
    for name, value in changes.items():
        setattr(client, name, value)

    assert client._will_reconnect(reason) is comes_back


def test_attempts_are_ended_by_the_names_of_python_socketio(client):
    """Add-ons use them."""
    attempts = client.__fastsio__.reconnecting = SimpleNamespace(task="task", aborted=Event())
    other = Event()

    assert (client._reconnect_task, client._reconnect_abort) == ("task", attempts.aborted)
    client._reconnect_abort = other
    assert attempts.aborted is other


def test_the_signal_handler_passes_the_signal_on(monkeypatch):
    """To what was there before it, if anything was."""
    monkeypatch.setattr(client_module, "original_signal_handler", lambda *given: given)
    assert client_module.signal_handler(2, None) == (2, None)

    monkeypatch.setattr(client_module, "original_signal_handler", None)
    with pytest.raises(KeyboardInterrupt):
        client_module.signal_handler(2, None)


def test_the_signal_handler_ends_the_attempts_of_clients(monkeypatch):
    """Of those whose connection was lost."""
    aborted = Event()
    client = SimpleNamespace(__fastsio__=SimpleNamespace(reconnecting=SimpleNamespace(aborted=aborted)))
    monkeypatch.setattr(client_module, "reconnecting_clients", [client])
    monkeypatch.setattr(client_module, "original_signal_handler", lambda *_: None)

    client_module.signal_handler(2, None)

    assert aborted.is_set()


def test_a_membership_knows_its_sid_once_the_server_has_told_it():
    """The table of sids is the client's, read when asked."""
    sids: dict[str, str] = {"/": "root"}
    store = ConnectionScope()

    membership = Membership("/chat", sids, store)

    assert (membership.namespace, membership.scope_store, membership.sid) == ("/chat", store, "")
    sids["/chat"] = "abc"
    assert membership.sid == "abc"


@pytest.mark.parametrize(
    ("namespace", "told"),
    [
        ("/a", "/a is not a connected namespace."),
        ("a", "a is not a connected namespace. It has no slash; write '/a'"),
        ("*", "* is not a connected namespace. It is every namespace, for handlers to be registered in; name one"),
    ],
)
def test_what_is_wrong_with_a_namespace_is_said(namespace, told):
    """With the cure, if it never is one."""
    assert not_connected(namespace).startswith(told)
