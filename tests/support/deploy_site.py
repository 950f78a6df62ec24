"""
One Socket.IO server, for every web server that runs in a process of its own, which is stopped and started again.

It prints a line when a client comes or goes: the transport, or the reason. As a program it serves itself with the web
framework that its first argument names, on the port that is the second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastsio
from tests.docs.snippets import marked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "127.0.0.1"
# What the guide shows for Gunicorn, which is told to read this module: ``post_worker_init``.
marked(Path(__file__).parents[2] / "docs" / "howto" / "deploy.md", "gunicorn")[0].run(globals())


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def server(kind: Any, **options: Any) -> Any:
    """Make a server of a class."""
    sio = kind(allow_eio3=True, shutdown_timeout=60, **options)
    sio.on("connect", lambda sid, _environ: _say("connect", sio.transport(sid)))
    sio.on("disconnect", lambda _sid, reason: _say("disconnect", reason))
    return sio


def asgi() -> Any:
    """Make the ASGI application."""
    return fastsio.ASGIApp(server(fastsio.AsyncServer))


def around() -> Any:
    """Make the ASGI application around FastAPI, whose lifespan ends after the clients have gone."""
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        _say("the lifespan ends")

    sio = server(fastsio.AsyncServer)
    api = FastAPI(lifespan=lifespan)

    @api.get("/ready")
    async def ready() -> JSONResponse:
        return JSONResponse(sio.is_ready, 200 if sio.is_ready else 503)

    return fastsio.ASGIApp(sio, api)


def inside() -> Any:
    """Make the ASGI application mounted in FastAPI, which passes no lifespan on."""
    from fastapi import FastAPI

    api = FastAPI()
    api.mount("/", fastsio.ASGIApp(server(fastsio.AsyncServer)))
    return api


def wsgi() -> Any:
    """Make the WSGI application."""
    return fastsio.WSGIApp(server(fastsio.Server, async_mode="threading"))


def run_aiohttp(port: int) -> None:
    """Serve with aiohttp."""
    from aiohttp import web

    app = web.Application()
    server(fastsio.AsyncServer).attach(app)
    web.run_app(app, host=HOST, port=port, print=None)


def run_sanic(port: int) -> None:
    """Serve with Sanic."""
    from sanic import Sanic

    app = Sanic("deploy", configure_logging=False)
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 60
    server(fastsio.AsyncServer).attach(app)
    app.run(HOST, port, single_process=True, motd=False, access_log=False)


def run_tornado(port: int) -> None:
    """Serve with Tornado, which has no end of its own to tell of."""
    import tornado.web

    sio = server(fastsio.AsyncServer)

    async def main() -> None:
        leave = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
        tornado.web.Application([(r"/socket.io/", fastsio.get_tornado_handler(sio))]).listen(port, HOST)
        await leave.wait()
        await sio.shutdown()

    asyncio.run(main())


RUNNERS = {"aiohttp": run_aiohttp, "sanic": run_sanic, "tornado": run_tornado}

if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    RUNNERS[sys.argv[1]](int(sys.argv[2]))
