"""A namespace without its slash: every method that takes one says so, on servers, managers and clients of both kinds."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

import fastsio
from fastsio.exceptions import BadNamespaceError
from fastsio.testing import SyncTestClient, TestClient

REFUSAL = "namespace 'chat' has no slash; write '/chat'"


def done(call: Any) -> Any:
    """Return the result of a method that is a coroutine function in one of the two halves."""
    return asyncio.run(call) if inspect.isawaitable(call) else call


def server(kind: Any, **options: Any) -> Any:
    """Return a server of a kind."""
    return kind(async_mode="threading" if kind is fastsio.Server else "asgi", **options)


class Bus(fastsio.PubSubManager):
    """A manager that only emits, and keeps what it tells the other servers."""

    def __init__(self) -> None:
        super().__init__(write_only=True)
        self.told: list[Any] = []

    def _publish(self, data: Any) -> None:
        self.told.append(data)


class AsyncBus(fastsio.AsyncPubSubManager):
    """The same for asyncio."""

    def __init__(self) -> None:
        super().__init__(write_only=True)
        self.told: list[Any] = []

    async def _publish(self, data: Any) -> None:
        self.told.append(data)


#: The methods of servers, and what they are given before the namespace.
OF_SERVERS = {
    "emit": ("news",),
    "send": ("news",),
    "enter_room": ("sid", "room"),
    "leave_room": ("sid", "room"),
    "close_room": ("room",),
    "rooms": ("sid",),
    "get_session": ("sid",),
    "save_session": ("sid", {}),
    "session": ("sid",),
    "disconnect": ("sid",),
}
FURTHER = {"transport": ("sid",), "get_environ": ("sid",)}
#: The methods of managers, which take the namespace in the place where python-socketio has it.
OF_MANAGERS = {
    "emit": ("news", {}, "chat"),
    "enter_room": ("sid", "chat", "room"),
    "leave_room": ("sid", "chat", "room"),
    "close_room": ("room", "chat"),
    "can_disconnect": ("sid", "chat"),
}


@pytest.mark.parametrize("name", [*OF_SERVERS, *FURTHER])
@pytest.mark.parametrize("kind", [fastsio.AsyncServer, fastsio.Server])
def test_servers_refuse_it_at_once(kind, name):
    """C-188: nobody would be reached."""
    method = getattr(server(kind), name)
    before = {**OF_SERVERS, **FURTHER}[name]

    with pytest.raises(ValueError, match=REFUSAL):
        done(method(*before, namespace="chat"))


@pytest.mark.parametrize("kind", [fastsio.AsyncServer, fastsio.Server])
def test_call_refuses_it_and_does_not_wait(kind):
    """C-188: no client would ever answer."""
    with pytest.raises(ValueError, match=REFUSAL):
        done(server(kind).call("ask", to="sid", namespace="chat", timeout=None))


@pytest.mark.parametrize("name", OF_SERVERS)
@pytest.mark.parametrize(
    ("kind", "namespace_kind"),
    [(fastsio.AsyncServer, fastsio.AsyncNamespace), (fastsio.Server, fastsio.Namespace)],
)
def test_class_based_namespaces_refuse_it_too(kind, namespace_kind, name):
    """C-188: one for every namespace has no namespace of its own to use, so the call has to name it."""
    everywhere, somewhere = namespace_kind("*"), namespace_kind("/room")
    sio = server(kind)
    sio.register_namespace(everywhere)
    sio.register_namespace(somewhere)

    with pytest.raises(ValueError, match=r"namespace '\*' is every namespace"):
        done(getattr(everywhere, name)(*OF_SERVERS[name]))
    with pytest.raises(ValueError, match=REFUSAL):
        done(getattr(somewhere, name)(*OF_SERVERS[name], namespace="chat"))


@pytest.mark.parametrize("name", [*OF_MANAGERS, "disconnect"])
@pytest.mark.parametrize("kind", [AsyncBus, Bus])
def test_managers_that_only_write_refuse_it_and_tell_nobody(kind, name):
    """C-188: a script has no other way to notice that its events reach nobody."""
    manager = kind()
    arguments = {**OF_MANAGERS, "disconnect": ("sid", "chat")}[name]

    with pytest.raises(ValueError, match=REFUSAL):
        done(getattr(manager, name)(*arguments))
    assert manager.told == []


@pytest.mark.parametrize("name", [name for name in OF_MANAGERS if name != "enter_room"])
@pytest.mark.parametrize(
    ("kind", "server_kind"),
    [(fastsio.AsyncManager, fastsio.AsyncServer), (fastsio.Manager, fastsio.Server)],
)
def test_managers_of_one_process_refuse_it(kind, server_kind, name):
    """C-188: likewise where a program calls the manager itself."""
    manager = kind()
    server(server_kind, client_manager=manager)

    with pytest.raises(ValueError, match=REFUSAL):
        done(getattr(manager, name)(*OF_MANAGERS[name]))


@pytest.mark.parametrize("options", [{}, {"offline_buffer": True}, {"retries": 3}])
@pytest.mark.parametrize("kind", [fastsio.AsyncClient, fastsio.Client])
def test_clients_name_the_cure(kind, options):
    """BadNamespaceError, as for any namespace that is not connected; nothing waits for one that never will be."""
    client = kind(**options)
    with pytest.raises(BadNamespaceError, match=r"^chat is not a connected namespace\. It has no slash; write '/chat'"):
        done(client.emit("news", namespace="chat"))
    with pytest.raises(ValueError, match=REFUSAL):
        client.get_sid("chat")


@pytest.mark.parametrize("kind", [fastsio.AsyncClient, fastsio.Client])
def test_a_client_cannot_emit_to_every_namespace(kind):
    """A class-based namespace for all of them has to name one."""
    client = kind()
    with pytest.raises(BadNamespaceError, match="It is every namespace, for handlers to be registered in; name one"):
        done(client.emit("news", namespace="*"))


def test_test_clients_refuse_it():
    """A test that looks into a namespace that nobody can be in would pass whatever is sent."""
    client = SyncTestClient(fastsio.Server(async_mode="threading"))

    with pytest.raises(ValueError, match=REFUSAL):
        client.connect("chat")
    with pytest.raises(ValueError, match=REFUSAL):
        client.receive_nothing(namespace="chat")
    with pytest.raises(ValueError, match=REFUSAL):
        client.wait_disconnected("chat")
    with pytest.raises(BadNamespaceError, match="It has no slash; write '/chat'"):
        client.emit("news", namespace="chat")


async def test_async_test_clients_refuse_it():
    """Likewise for asyncio."""
    client = TestClient(fastsio.AsyncServer(async_mode="asgi"))

    with pytest.raises(ValueError, match=REFUSAL):
        await client.connect("chat")
    with pytest.raises(ValueError, match=REFUSAL):
        await client.receive_nothing(namespace="chat")
    with pytest.raises(BadNamespaceError, match="It has no slash; write '/chat'"):
        await client.call("news", namespace="chat")


def test_rooms_and_broadcast_events_refuse_it():
    """C-188: where a class or a room says the namespace."""

    class Hall(fastsio.Room):
        pass

    class Posted(fastsio.BroadcastEvent):
        broadcast_namespace = "chat"
        text: str = ""

        def broadcast_on(self) -> str:
            return "hall"

    sio = fastsio.Server(async_mode="threading")
    with pytest.raises(ValueError, match=REFUSAL):
        Hall(5).on(sio, "chat")
    with pytest.raises(ValueError, match=REFUSAL):
        fastsio.broadcast_sync(Posted(), via=sio)
