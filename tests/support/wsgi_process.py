"""
Serve a WSGI application in this process until it is terminated: ``python -m tests.support.wsgi_process KIND module:attribute``.

Writes ``port N`` once it listens. For :mod:`tests.support.wsgi_servers`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def load(name: str) -> Any:
    """Import ``module:attribute``."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def announce(port: int) -> None:
    """Write the port."""
    sys.stdout.write(f"port {port}\n")
    sys.stdout.flush()


def serve_werkzeug(app: str) -> None:
    """Serve with the development server of Flask, a thread for each request."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    server = make_server("127.0.0.1", 0, load(app), threaded=True, request_handler=Quiet)
    announce(server.server_port)
    server.serve_forever()


def serve_gevent(app: str, **options: Any) -> None:
    """Serve with gevent."""
    from gevent.pywsgi import WSGIServer

    server = WSGIServer(("127.0.0.1", 0), load(app), log=None, **options)
    server.start()
    announce(server.server_port)
    server.serve_forever()


def serve_gevent_websocket(app: str) -> None:
    """Serve with gevent and gevent-websocket."""
    from geventwebsocket.handler import WebSocketHandler

    serve_gevent(app, handler_class=WebSocketHandler)


def serve_eventlet(app: str) -> None:
    """Serve with eventlet."""
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi

    listener = eventlet.listen(("127.0.0.1", 0))
    announce(listener.getsockname()[1])
    eventlet.wsgi.server(listener, load(app), log_output=False)


KINDS = {
    "werkzeug": serve_werkzeug,
    "gevent": serve_gevent,
    "gevent_websocket": serve_gevent_websocket,
    "eventlet": serve_eventlet,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2])
