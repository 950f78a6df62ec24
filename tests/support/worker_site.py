"""
An application for several workers, and the command that serves it.

``/worker`` tells of the worker that answers, and ``/large`` answers with more than the system takes at once. The
environment variable ``SITE_BUS`` is how the workers hear each other: over Unix sockets, with ``off`` not at all, or over
a Redis whose URL it is.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import fastsio
from fastsio.brokers.worker_group import WorkerGroup
from tests.docs.snippets import marked
from tests.support.brokers import Broker
from tests.support.ports import HOST, reserved_port
from tests.support.waiting import START_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
SITE = "tests.support.worker_site"
LARGE_BYTES = 30_000_000
BUS = "SITE_BUS"


def make() -> Any:
    """Make the application."""
    bus = os.environ.get(BUS)
    manager = None
    if bus:
        manager = fastsio.AsyncManager() if bus == "off" else fastsio.AsyncRedisManager(bus)
    sio = fastsio.AsyncServer(
        async_mode="asgi", client_manager=manager, allow_eio3=True, max_http_buffer_size=2_000_000
    )

    @sio.event
    async def where(sid: str) -> Any:
        environ = sio.get_environ(sid)
        assert environ is not None
        scope = environ["asgi.scope"]
        return [os.getpid(), environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"]), scope["scheme"]]

    @sio.event
    async def length(_sid: str, data: str) -> int:
        return len(data)

    @sio.event
    async def shout(sid: str, data: Any) -> Any:
        await sio.emit("heard", data)
        return os.getpid()

    async def worker(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        told = {
            "number": _number(),
            "pid": os.getpid(),
            "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names only
            "sessions": len(sio.eio.sockets),
        }
        body = b"x" * LARGE_BYTES if scope["path"] == "/large" else json.dumps(told).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return fastsio.ASGIApp(sio, worker)


def _number() -> int | None:
    try:
        group = WorkerGroup.of_environment()
    except fastsio.exceptions.SetupError:
        return None
    return None if group is None else group.number


def gunicorn(count: int, port: int) -> str:
    """Return the configuration of Gunicorn that the documentation shows, with uvicorn's own worker."""
    (shown,) = marked(ROOT / "docs" / "howto" / "fast.md", "gunicorn")
    text = shown.code
    for before, after in {"from uvicorn_worker ": "from uvicorn.workers ", "workers = 4": f"workers = {count}"}.items():
        assert before in text, f"the guide has no {before!r}"
        text = text.replace(before, after)
    return f'{text}bind = "{HOST}:{port}"\n'


@contextmanager
def workers(
    count: int,
    *options: str,
    command: tuple[str, ...] = ("fastsio", "run"),
    is_ready: Callable[[int], bool] | None = None,
    **environ: str,
) -> Iterator[Broker]:
    """
    Serve the application with several workers for the length of the block.

    Args:
        count: Of workers.
        options: Further options of the command.
        command: What follows ``python -m``.
        is_ready: Tells whether the site at a port takes connections.
        environ: Environment variables.
    """
    with TemporaryDirectory() as folder, reserved_port() as port:
        line = [sys.executable, "-m", *command, f"{SITE}:make", "--factory", "--workers", str(count)]
        line += ["--host", HOST, "--port", str(port), "--log-level", "warning"]
        # The command may notice only after that time limit that a worker was killed; no connection of a test ends earlier.
        line += ["--timeout-keep-alive", "3600"]
        # uvicorn takes a worker for a dead one that has not answered by then, also one that is still being imported.
        line += ["--timeout-worker-healthcheck", str(int(START_S)), *options]
        environ = {"PYTHONPATH": str(ROOT), **environ}
        broker = Broker(line, port, f"http://{HOST}:{port}", Path(folder), environ, is_ready)
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()
