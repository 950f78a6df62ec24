"""
Serve WSGI applications on a free port of the loopback interface: Werkzeug in threads of this process, others in their own.

An application for a server in another process is named as ``"module:attribute"``; a module found from the repository's root.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.servers import START_TIMEOUT_S, STOP_TIMEOUT_S, Address

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]


class _Quiet(WSGIRequestHandler):
    """Log no requests."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def serve_werkzeug(app: Any) -> Iterator[Address]:
    """Run a WSGI application under Werkzeug's server, with a thread for each request, for the length of the block."""
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Address(HOST, server.server_port)
    finally:
        server.shutdown()
        thread.join(STOP_TIMEOUT_S)
        server.server_close()


@contextmanager
def serve_gunicorn(app: str, *, worker: str = "gthread", threads: int = 16) -> Iterator[Address]:
    """
    Run an application under Gunicorn, one worker.

    Args:
        app: ``"module:attribute"``.
        worker: The worker class.
        threads: How many requests are served at once; a poll and a WebSocket take one each while they last.
    """
    options = ["--worker-class", worker, "--threads", str(threads), "--graceful-timeout", "1", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:0", *options, app]
    with _running(command, rb"Listening at: http://127\.0\.0\.1:(\d+)") as address:
        yield address


@contextmanager
def serve_uwsgi(app: str, *, greenlets: int = 32) -> Iterator[Address]:
    """Run an application under uWSGI's gevent loop, with its own WebSocket framing."""
    program = str(Path(sys.executable).with_name("uwsgi"))
    options = ["--master", "--die-on-term", "--need-app", "--gevent", str(greenlets), "--disable-logging"]
    home = ["--virtualenv", sys.prefix, "--pythonpath", str(ROOT)]
    command = [program, "--http-socket", f"{HOST}:0", *options, *home, "--module", app]
    with _running(command, rb"bound to TCP address 127\.0\.0\.1:(\d+)") as address:
        yield address


@contextmanager
def serve_gevent(app: str) -> Iterator[Address]:
    """Run an application under gevent's server, nothing patched."""
    with _running(_own("gevent", app), rb"port (\d+)\n") as address:
        yield address


@contextmanager
def serve_gevent_websocket(app: str) -> Iterator[Address]:
    """Run an application under gevent's server with the WebSocket handler of gevent-websocket."""
    with _running(_own("gevent_websocket", app), rb"port (\d+)\n") as address:
        yield address


@contextmanager
def serve_eventlet(app: str) -> Iterator[Address]:
    """Run an application under eventlet's server, the standard library patched as eventlet asks for."""
    with _running(_own("eventlet", app), rb"port (\d+)\n") as address:
        yield address


def _own(kind: str, app: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "tests.support.wsgi_process", kind, app]


@contextmanager
def _running(command: list[str], announcement: bytes) -> Iterator[Address]:
    """Run a server that writes its port; what it writes is shown when it does not start."""
    with tempfile.NamedTemporaryFile("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield Address(HOST, _port_of(process, Path(output.name), announcement))
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port_of(process: subprocess.Popen[bytes], output: Path, announcement: bytes) -> int:
    """Wait until the server has written its port."""
    waited = threading.Event()
    for _ in range(int(START_TIMEOUT_S / 0.02)):
        written = output.read_bytes()
        found = re.search(announcement, written)
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        waited.wait(0.02)
    raise RuntimeError(f"the server did not start: {output.read_bytes().decode(errors='replace')}")
