"""
Serve WSGI applications on a free port of the loopback interface: Werkzeug in threads of this process, others in their own.

An application for a server in another process is named as ``"module:attribute"``, the module as from the repository's
root. In its environment ``ASYNC_MODE`` is what the server needs, besides what the caller gives.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.ports import HOST, reserved_port
from tests.support.servers import Address
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

ROOT = Path(__file__).parents[2]
GEVENT_WEBSOCKET_WORKER = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"


class _Quiet(WSGIRequestHandler):
    """Log no requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def serve_werkzeug(app: Any, **options: Any) -> Iterator[Address]:
    """Run a WSGI application under Werkzeug's server, with a thread for each request, for the length of the block."""
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Address(HOST, server.server_port)
    finally:
        server.shutdown()
        thread.join(WAIT_S)
        server.server_close()


@contextmanager
def serve_gunicorn(app: str, *, worker: str = "gthread", threads: int = 48, **environment: str) -> Iterator[Address]:
    """
    Run an application under Gunicorn, one worker.

    Args:
        app: ``"module:attribute"``.
        worker: The worker class.
        threads: How many requests are served at once; a poll and a WebSocket take one each while they last.
        environment: What the process finds in its environment.
    """
    options = ["--worker-class", worker, "--threads", str(threads), "--graceful-timeout", "1", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:0", *options, app]
    environment = {"ASYNC_MODE": "threading" if worker == "gthread" else "gevent", **environment}
    with _running(command, rb"Listening at: http://127\.0\.0\.1:(\d+)", environment) as address:
        yield address


@contextmanager
def serve_uwsgi(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under uWSGI's gevent loop, which reads HTTP itself."""
    command = [*_uwsgi(app), "--http-socket", f"{HOST}:0"]
    with _running(command, rb"bound to TCP address 127\.0\.0\.1:(\d+)", _in_uwsgi(environment)) as address:
        yield address


@contextmanager
def serve_uwsgi_router(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under uWSGI's gevent loop, behind its HTTP router."""
    with reserved_port() as port:
        command = [*_uwsgi(app), "--http", f"{HOST}:{port}", "--http-websockets"]
        with _running(command, rf"http bound on 127\.0\.0\.1:({port})".encode(), _in_uwsgi(environment)) as address:
            yield address


def _uwsgi(app: str) -> list[str]:
    program = str(Path(sys.executable).with_name("uwsgi"))
    home = ["--virtualenv", sys.prefix, "--pythonpath", str(ROOT)]
    return [
        program,
        "--master",
        "--die-on-term",
        "--need-app",
        "--gevent",
        "64",
        "--disable-logging",
        *home,
        "--module",
        app,
    ]


def _in_uwsgi(environment: dict[str, str]) -> dict[str, str]:
    return {"ASYNC_MODE": "gevent_uwsgi", **environment}


@contextmanager
def serve_werkzeug_process(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under Werkzeug's server, with a thread for each request."""
    with _own("werkzeug", "threading", app, environment) as address:
        yield address


@contextmanager
def serve_gevent(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under gevent's server, nothing patched."""
    with _own("gevent", "gevent", app, environment) as address:
        yield address


@contextmanager
def serve_gevent_websocket(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under gevent's server with the WebSocket handler of gevent-websocket."""
    with _own("gevent_websocket", "gevent", app, environment) as address:
        yield address


@contextmanager
def serve_eventlet(app: str, **environment: str) -> Iterator[Address]:
    """Run an application under eventlet's server, the standard library patched as eventlet asks for."""
    with _own("eventlet", "eventlet", app, environment) as address:
        yield address


def _own(kind: str, async_mode: str, app: str, environment: dict[str, str]) -> AbstractContextManager[Address]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.wsgi_process", kind, app]
    return _running(command, rb"port (\d+)\n", {"ASYNC_MODE": async_mode, **environment})


@contextmanager
def _running(command: list[str], announcement: bytes, environment: dict[str, str]) -> Iterator[Address]:
    """Run a server that writes its port; what it writes is shown when it does not start."""
    with tempfile.NamedTemporaryFile("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            address = Address(HOST, _port_of(process, Path(output.name), announcement))
            _await_answer(address)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port_of(process: subprocess.Popen[bytes], output: Path, announcement: bytes) -> int:
    """Wait until the server has written its port."""
    waited = threading.Event()
    for _ in range(int(START_S / 0.02)):
        written = output.read_bytes()
        found = re.search(announcement, written)
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        waited.wait(0.02)
    raise RuntimeError(f"the server did not start: {output.read_bytes().decode(errors='replace')}")


def _await_answer(address: Address) -> None:
    """Wait until the server, which may listen before it has imported the application, has answered a request."""
    connection = HTTPConnection(address.host, address.port, timeout=START_S)
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()
