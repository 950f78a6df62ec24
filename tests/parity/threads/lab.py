"""
Runs one scenario on the sync server of one package, under Werkzeug's threads, and keeps the transcript.

Handlers of a scenario run one after the other (``async_handlers=False``) unless it says otherwise, so an event that is
acknowledged is a fence: everything that was caused before it has arrived.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import websocket

from tests.parity.wire import describe_error, describe_frame, render, sid_in, with_symbols
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FENCE = "fence"
FENCE_ID = 987


class Client:
    """A raw WebSocket client; what it reads goes into the transcript."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self._link = websocket.create_connection(
            f"{lab.url}/socket.io/?EIO=4&transport=websocket", timeout=WAIT_S, suppress_origin=True
        )
        self._open_frame = self._read()

    def _read(self) -> str | bytes:
        frame: Any = self._link.recv()
        while frame == "2":
            self._link.send("3")
            frame = self._link.recv()
        found = sid_in(frame)
        if found is not None:
            self.lab.symbols[found[1]] = f"<{self.name} {found[0]}>"
            self.lab.sids[self.name, found[0]] = found[1]
        return frame

    def send(self, *frames: str | bytes) -> None:
        """Send Socket.IO packets."""
        for frame in frames:
            if isinstance(frame, bytes):
                self._link.send_binary(frame)
            else:
                self._link.send(f"4{frame}")

    def take(self, count: int = 1) -> None:
        """Wait for a number of frames."""
        for _ in range(count):
            self.lab.note(f"{self.name}: {describe_frame(self._read())}")

    def join(self, namespace: str = "/", auth: str = "") -> None:
        """Connect to a namespace and wait for the answer."""
        place = "" if namespace == "/" else f"{namespace},"
        self.send(f"0{place}{auth}")
        self.take()

    def fence(self, namespace: str = "/") -> None:
        """Wait for everything that was caused before."""
        place = "" if namespace == "/" else f"{namespace},"
        self.send(f'2{place}{FENCE_ID}["{FENCE}"]')
        end = f"43{place}{FENCE_ID}[]"
        while (frame := self._read()) != end:
            self.lab.note(f"{self.name}: {describe_frame(frame)}")

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def closed(self) -> None:
        """Wait until the server has closed the connection."""
        try:
            while frame := self._read():
                self.lab.note(f"{self.name}: {describe_frame(frame)}")
        except (websocket.WebSocketConnectionClosedException, OSError):
            pass
        self.lab.note(f"{self.name}: closed")


class Lab:
    """
    What a scenario works with.

    Args:
        package: The package under test.
        serve: Makes an application the one that is served; returns the URL.
    """

    def __init__(self, package: str, serve: Callable[[Any], str]) -> None:
        self.socketio: Any = import_module(package)
        self._serve = serve
        self.symbols: dict[str, str] = {}
        self.sids: dict[tuple[str, str], str] = {}
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self.clients: list[Client] = []
        self.url = ""

    def server(self, *namespaces: str, **options: Any) -> Any:
        """Create the server, with a fence in each namespace, and serve it."""
        options = {"async_mode": "threading", "async_handlers": False, **options}
        sio = self.socketio.Server(**options)
        for namespace in ("/", *namespaces):
            sio.on(FENCE, _do_nothing, namespace=namespace)
        self.url = self._serve(self.socketio.WSGIApp(sio))
        return sio

    def note(self, line: str) -> None:
        """Write a line into the transcript."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def app(self, *values: Any) -> None:
        """Note what the application saw."""
        self.note("app: " + " ".join(map(render, values)))

    def wait_for(self, beginning: str) -> None:
        """Wait until a line that begins like this is in the transcript."""
        with self._changed:
            found = self._changed.wait_for(lambda: any(line.startswith(beginning) for line in self._lines), WAIT_S)
        assert found, (beginning, self._lines)

    def open(self, name: str) -> Client:
        """Open a connection."""
        client = Client(self, name)
        self.clients.append(client)
        return client

    def joined(self, name: str, namespace: str = "/", auth: str = "") -> Client:
        """Open a connection and connect to a namespace."""
        client = self.open(name)
        client.join(namespace, auth)
        return client

    def do(self, title: str, action: Callable[[], Any]) -> Any:
        """Call something of the server's and note what came of it."""
        try:
            result = action()
        except Exception as error:  # noqa: BLE001 - what is raised is compared
            self.note(f"{title}: raised {describe_error(error)}")
            return None
        self.note(f"{title}: {render(result)}")
        return result

    def sid(self, name: str, namespace: str = "/") -> str:
        """Return a client's sid."""
        return self.sids[name, namespace]

    def transcript(self) -> list[str]:
        """Return what happened, sids replaced by who they are."""
        return with_symbols(self._lines, self.symbols)

    def close(self) -> None:
        """Close every connection."""
        for client in self.clients:
            client.close()


def _do_nothing(_sid: str) -> None:
    pass


class Switch:
    """The WSGI application that is served: it passes everything on to the one of the current scenario."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Pass a request on."""
        return self.app(environ, start_response)


@contextmanager
def labs() -> Iterator[Callable[[str], Lab]]:
    """Serve for the length of the block; yields what makes the lab of a package."""
    switch = Switch()
    with serve_werkzeug(switch) as address:

        def make(package: str) -> Lab:
            def serve(app: Any) -> str:
                switch.app = app
                return address.ws

            return Lab(package, serve)

        yield make
