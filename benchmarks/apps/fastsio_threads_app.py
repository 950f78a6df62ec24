"""The echo workload on fastsio's sync server, under Werkzeug's threads."""

# ruff: noqa: ARG001 - handlers take what the framework passes

from __future__ import annotations

import logging
import sys
from typing import Any

from werkzeug.serving import make_server

from fastsio import Server, WSGIApp

sio = Server(async_mode="threading")


@sio.event
def connect(sid: str, environ: dict[str, Any]) -> None:
    """Enter the room that a broadcast goes to."""
    sio.enter_room(sid, "all")


@sio.event
def echo(sid: str, data: Any) -> Any:
    """Acknowledge with what came."""
    return data


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_server("127.0.0.1", int(sys.argv[1]), WSGIApp(sio), threaded=True).serve_forever()
