"""
Packets, queues, applications, mocks and loggers, on both servers.

``PARITY_OURS=socketio`` runs them on python-socketio, which must pass as well.
"""

from __future__ import annotations

import logging
from typing import Any
from unittest.mock import MagicMock

from tests.integration.compat_player import Kind, both, done, module, package

# Packets


def test_packets_can_be_built_and_read():
    """``encode()`` gives text, or a list with the attachments; the pieces make the packet again."""
    packet = module("packet")
    text = packet.Packet(packet.EVENT, ["x", 1], namespace="/n", id=3).encode()
    head, attachment = packet.Packet(packet.EVENT, ["x", b"\x01"]).encode()
    read = packet.Packet(encoded_packet=head)

    assert text == '2/n,3["x",1]'
    assert (head, attachment) == ('51-["x",{"_placeholder":true,"num":0}]', b"\x01")
    assert (read.packet_type, read.attachment_count, read.attachments) == (packet.BINARY_EVENT, 1, [])
    assert read.add_attachment(attachment)
    assert (read.data, read.namespace or "/", read.id) == (["x", b"\x01"], "/", None)


def test_packet_types_are_constants():
    """All seven, with the numbers of the protocol."""
    packet = module("packet")

    assert list(range(7)) == [
        packet.CONNECT,
        packet.DISCONNECT,
        packet.EVENT,
        packet.ACK,
        packet.CONNECT_ERROR,
        packet.BINARY_EVENT,
        packet.BINARY_ACK,
    ]


# Managers for several processes


@both
async def test_applications_write_their_own_queue(kind: Kind):
    """A subclass with ``_publish`` and ``_listen`` gets what is emitted, with the names python-socketio has."""
    published: list[dict[str, Any]] = []

    class Queue(kind.pubsub_class):
        name = "own queue"

        def __init__(self, channel: str = "mine", write_only: bool = False, logger: Any = None) -> None:
            super().__init__(channel=channel, write_only=write_only, logger=logger)

    if kind.is_async:

        async def publish(_self: Any, message: dict[str, Any]) -> None:
            published.append(message)

    else:

        def publish(_self: Any, message: dict[str, Any]) -> None:
            published.append(message)

    Queue._publish = publish
    queue = Queue(write_only=True, logger=logging.getLogger("queue"))

    await done(queue.emit("x", {"a": 1}, namespace="/", room="red"))

    assert isinstance(queue, kind.pubsub_class)
    assert (queue.channel, queue.write_only, queue.name) == ("mine", True, "own queue")
    assert queue._get_logger().name == "queue"
    (message,) = published
    assert (message["method"], message["event"], message["room"]) == ("emit", "x", "red")


# Applications


@both
async def test_applications_may_be_subclassed(kind: Kind):
    """Attributes before ``super().__init__``, with the keyword names; ``socketio_path=""`` serves every path."""

    class App(kind.app_class):
        def __init__(self, server: Any) -> None:
            self.prefix = "own"
            if kind.is_async:
                super().__init__(
                    socketio_server=server, socketio_path="", other_asgi_app=None, on_startup=None, on_shutdown=None
                )
            else:
                super().__init__(server, wsgi_app=None, socketio_path="")

    app = App(kind.server())

    assert "sid" in await kind.handshake(app, "/any/where")
    assert "sid" in await kind.handshake(app, "/")
    assert app.prefix == "own"


@both
async def test_other_requests_reach_the_other_application(kind: Kind):
    """The wrapped application gets what is not Socket.IO's."""
    if kind.is_async:

        async def other(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"other"})
    else:

        def other(_environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [b"other"]

    app = kind.app_class(kind.server(), other, socketio_path="own/path")

    assert await kind.request(app, "/elsewhere") == "other"
    assert "sid" in await kind.handshake(app, "/own/path/")


# Environ


@both
async def test_the_environ_has_the_keys_applications_read(kind: Kind):
    """Those of WSGI on both, and what the server passed in."""
    server = kind.server()
    environ: dict[str, Any] = {}
    server.eio.on("connect", kind.function(lambda eio_sid, given: environ.update(given)))

    await kind.handshake(kind.app_class(server), headers={"X-Own": "header"})

    assert environ["QUERY_STRING"] == "EIO=4&transport=polling"
    assert environ["PATH_INFO"] == "/socket.io/"
    assert environ["RAW_URI"] == "/socket.io/?EIO=4&transport=polling"
    assert environ["HTTP_X_OWN"] == "header"
    assert environ["HTTP_HOST"] == "testserver"
    assert environ["REQUEST_METHOD"] == "GET"
    assert "REMOTE_ADDR" in environ
    if kind.is_async:
        assert environ["asgi.scope"]["type"] == "http"
        assert callable(environ["asgi.send"])
        assert callable(environ["asgi.receive"])
    else:
        assert environ["own.key"] == "of the WSGI server"


# Mocks, clients, loggers


@both
def test_classes_can_be_mocked(kind: Kind):
    """``MagicMock(spec=...)`` finds the methods on the classes."""
    client_class = package.AsyncClient if kind.is_async else package.Client
    names = (
        "on",
        "event",
        "emit",
        "send",
        "call",
        "disconnect",
        "start_background_task",
        "sleep",
        "register_namespace",
    )

    for cls in (kind.server_class, client_class):
        mock = MagicMock(spec=cls)
        assert all(callable(getattr(mock, name)) for name in names)


@both
def test_clients_have_their_attributes(kind: Kind):
    """Before they are connected, too."""
    client = (package.AsyncClient if kind.is_async else package.Client)(reconnection=True, handle_sigint=False)
    client.on("x", handler := lambda: None)
    client.reconnection = False

    assert (client.connected, client.sid, client.reconnection) == (False, None, False)
    assert client.handlers["/"]["x"] is handler
    assert client.reason.CLIENT_DISCONNECT == "client disconnect"
    assert isinstance(client, module("base_client").BaseClient)


@both
def test_loggers_have_their_names(kind: Kind):
    """Applications configure them by these names."""
    server = kind.server()
    client = (package.AsyncClient if kind.is_async else package.Client)(handle_sigint=False)
    given = logging.getLogger("given")

    assert (server.logger.name, server.eio.logger.name) == ("socketio.server", "engineio.server")
    assert (client.logger.name, client.eio.logger.name) == ("socketio.client", "engineio.client")
    assert kind.server(logger=given, engineio_logger=given).logger is given
