"""
The Socket.IO servers that the tests of WSGI servers talk to, in the process of the web server.

``ASYNC_MODE`` in the environment says for which, threads if none. At ``/socket.io`` the handlers run one after the other for each client,
at ``/concurrent`` each has a thread of its own, and pages of the server's own origin only may connect. The one at
``/impatient`` reads a body for a second at most. What is not Socket.IO is answered with who left and why, as JSON.
"""

from __future__ import annotations

import json
import os
from typing import Any

import fastsio
from tests.support.waiting import WAIT_S

ORIGIN = "https://app.example"
MAX_MESSAGE_BYTES = 900_000
left: list[tuple[Any, str]] = []


def seen(environ, start_response):
    """Tell who left why."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(left).encode()]


def make_server(**options: Any) -> fastsio.Server:
    """Make a server that exercises what a transport carries."""
    sio = fastsio.Server(
        async_mode=os.environ.get("ASYNC_MODE", "threading"),
        **options,
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        ping_interval=0.25,
        ping_timeout=10,
    )
    _note_who_leaves(sio)
    _answer_events(sio)
    _use_the_server(sio)
    return sio


def _note_who_leaves(sio: fastsio.Server) -> None:
    names: dict[str, Any] = {}

    @sio.event
    def connect(sid, environ, auth):
        names[sid] = auth

    @sio.event
    def disconnect(sid, reason):
        left.append((names.pop(sid), reason))


def _answer_events(sio: fastsio.Server) -> None:
    @sio.event
    def echo(sid, *args):
        return args

    @sio.event
    def mirror(sid, *args):
        sio.emit("mirrored", args, to=sid)


def _use_the_server(sio: fastsio.Server) -> None:
    @sio.event
    def ask(sid, question):
        return sio.call("question", question, to=sid, timeout=WAIT_S)

    @sio.event
    def enter(sid, room):
        sio.enter_room(sid, room)

    @sio.event
    def hang(sid):
        sio.sleep(60)

    @sio.event
    def transport(sid):
        return sio.transport(sid)

    @sio.event
    def environ(sid, *keys):
        return [sio.get_environ(sid).get(key) for key in keys]

    @sio.event
    def kick(sid):
        sio.disconnect(sid)


app = fastsio.WSGIApp(
    make_server(async_handlers=False, cors_allowed_origins=ORIGIN),
    fastsio.WSGIApp(
        make_server(async_handlers=True),
        fastsio.WSGIApp(make_server(body_timeout=1), seen, socketio_path="impatient"),
        socketio_path="concurrent",
    ),
)
