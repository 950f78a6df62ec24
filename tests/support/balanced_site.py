"""An application for several nodes behind a load balancer, and the command that serves one node of it."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastsio
from tests.support.brokers import Broker, folder, running
from tests.support.ports import HOST, reserved_port
from tests.support.waiting import START_S

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SITE = "tests.support.balanced_site"


def make() -> Any:
    """Make the application; the environment says which node it is, and how often it pings."""
    name = os.environ["SITE_NODE"]
    sio = fastsio.AsyncServer(
        async_mode="asgi",
        client_manager=fastsio.AsyncRedisManager(os.environ["SITE_REDIS"]),
        cookie="io",
        ping_interval=float(os.environ["SITE_PING_INTERVAL"]),
        ping_timeout=float(os.environ["SITE_PING_TIMEOUT"]),
    )

    @sio.event
    async def where(sid: str, data: Any) -> Any:
        environ = sio.get_environ(sid)
        assert environ is not None
        return {"node": name, "address": environ["REMOTE_ADDR"], "data": data}

    @sio.event
    async def say(_sid: str, data: Any) -> None:
        await sio.emit("said", data)

    async def ready(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        status = 200 if sio.is_ready and scope["path"] == "/ready" else 503
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-node", name.encode())]})
        await send({"type": "http.response.body", "body": b""})

    return fastsio.ASGIApp(sio, ready)


@contextmanager
def node(
    name: str, redis_url: str, *options: str, ping_interval: float = 25, ping_timeout: float = 20
) -> Iterator[Broker]:
    """
    Serve the application in a process of its own for the length of the block.

    Args:
        name: What the handlers say where they are.
        redis_url: Of the Redis that all nodes share.
        options: Further options of ``fastsio run``.
        ping_interval: Seconds.
        ping_timeout: Seconds.
    """
    environ = {
        "PYTHONPATH": str(ROOT),
        "SITE_NODE": name,
        "SITE_REDIS": redis_url,
        "SITE_PING_INTERVAL": str(ping_interval),
        "SITE_PING_TIMEOUT": str(ping_timeout),
    }
    with folder() as path, reserved_port() as port:
        command = [sys.executable, "-m", "fastsio", "run", f"{SITE}:make", "--factory", "--log-level", "warning"]
        # uvicorn takes a worker for a dead one that has not answered by then, also one that is still being imported.
        command += ["--timeout-worker-healthcheck", str(int(START_S))]
        command += ["--host", HOST, "--port", str(port), *options]
        with running(Broker(command, port, f"http://{HOST}:{port}", path, environ)) as process:
            yield process
