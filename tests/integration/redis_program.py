"""
A server on a Redis in a process of its own: ``python -m tests.integration.redis_program KIND URL CHANNEL``.

Writes ``port N`` once it listens. Clients send ``shout`` with text for everybody, and ``ask`` with a sid, which is
answered with what that client answers.
"""

from __future__ import annotations

import sys
from typing import Any

from tests.support.waiting import WAIT_S


def announce(port: int) -> None:
    """Write the port."""
    sys.stdout.write(f"port {port}\n")
    sys.stdout.flush()


def run_asyncio(url: str, channel: str) -> None:
    """Serve with uvicorn."""
    import asyncio

    import fastsio
    from tests.support.servers import serve

    sio = fastsio.AsyncServer(async_mode="asgi", client_manager=fastsio.AsyncRedisManager(url, channel))

    @sio.event
    async def shout(sid: str, text: str) -> None:
        await sio.emit("heard", text)

    @sio.event
    async def ask(sid: str, other: str) -> Any:
        return await sio.call("asked", to=other, timeout=WAIT_S)

    async def main() -> None:
        async with serve(fastsio.ASGIApp(sio)) as address:
            announce(address.port)
            await asyncio.Event().wait()

    asyncio.run(main())


def run_streams(url: str, stream: str) -> None:
    """Serve with uvicorn; clients are in the room "listeners", and recover."""
    import asyncio

    import fastsio
    from tests.support.servers import serve

    manager = fastsio.AsyncRedisStreamsManager(url, stream)
    sio = fastsio.AsyncServer(async_mode="asgi", client_manager=manager, connection_state_recovery=True)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await sio.enter_room(sid, "listeners")

    async def main() -> None:
        async with serve(fastsio.ASGIApp(sio)) as address:
            announce(address.port)
            await asyncio.Event().wait()

    asyncio.run(main())


def run_streams_threads(url: str, stream: str) -> None:
    """Serve with Werkzeug; clients are in the room "listeners", and recover."""
    import threading

    import fastsio
    from tests.support.wsgi_servers import serve_werkzeug

    manager = fastsio.RedisStreamsManager(url, stream)
    sio = fastsio.Server(async_mode="threading", client_manager=manager, connection_state_recovery=True)

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        sio.enter_room(sid, "listeners")

    with serve_werkzeug(fastsio.WSGIApp(sio)) as address:
        announce(address.port)
        threading.Event().wait()


def sync_app(url: str, channel: str, async_mode: str) -> Any:
    """Make the application for threads and greenlets."""
    import fastsio

    sio = fastsio.Server(async_mode=async_mode, client_manager=fastsio.RedisManager(url, channel))

    @sio.event
    def shout(sid: str, text: str) -> None:
        sio.emit("heard", text)

    @sio.event
    def ask(sid: str, other: str) -> Any:
        return sio.call("asked", to=other, timeout=WAIT_S)

    return fastsio.WSGIApp(sio)


def run_threads(url: str, channel: str) -> None:
    """Serve with Werkzeug."""
    import threading

    from tests.support.wsgi_servers import serve_werkzeug

    with serve_werkzeug(sync_app(url, channel, "threading")) as address:
        announce(address.port)
        threading.Event().wait()


def run_gevent(url: str, channel: str) -> None:
    """Serve with gevent."""
    from gevent import monkey

    monkey.patch_all()
    from gevent.pywsgi import WSGIServer

    server = WSGIServer(("127.0.0.1", 0), sync_app(url, channel, "gevent"), log=None)
    server.start()
    announce(server.server_port)
    server.serve_forever()


def run_eventlet(url: str, channel: str) -> None:
    """Serve with eventlet."""
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi

    listener = eventlet.listen(("127.0.0.1", 0))
    announce(listener.getsockname()[1])
    eventlet.wsgi.server(listener, sync_app(url, channel, "eventlet"), log_output=False)


KINDS = {
    "asyncio": run_asyncio,
    "eventlet": run_eventlet,
    "gevent": run_gevent,
    "streams": run_streams,
    "streams_threads": run_streams_threads,
    "threads": run_threads,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](*sys.argv[2:])
