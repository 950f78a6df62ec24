"""Who is let in, and what connect handlers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.threads.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab


@scenario
def connect_without_handler(lab: Lab) -> None:
    """A client joins the root namespace."""
    lab.server()
    lab.joined("ann").fence()


@scenario
def connect_handler_gets_environ_and_auth(lab: Lab) -> None:
    """Three arguments."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        lab.app("connect", sid, environ["REQUEST_METHOD"], environ["PATH_INFO"], auth)

    lab.joined("ann", auth='{"token":1}').fence()


@scenario
def connect_handler_without_auth(lab: Lab) -> None:
    """Two arguments."""
    sio = lab.server()
    sio.on("connect", lambda sid, environ: lab.app("connect", sid, "HTTP_HOST" in environ))
    lab.joined("ann").fence()


@scenario
def connect_refused_by_false(lab: Lab) -> None:
    """The client is told."""
    sio = lab.server()
    sio.on("connect", lambda sid, environ, auth: False)
    lab.joined("ann")


@scenario
def connect_refused_by_error(lab: Lab) -> None:
    """Message and data reach the client."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> None:
        raise lab.socketio.exceptions.ConnectionRefusedError("not today", {"code": 7})

    lab.joined("ann")


@scenario
def connect_refused_in_a_namespace(lab: Lab) -> None:
    """The other namespace lives on."""
    sio = lab.server("/admin")
    sio.on("connect", lambda sid, environ, auth: False, namespace="/admin")
    ann = lab.joined("ann")
    ann.join("/admin")
    ann.fence()


@scenario
def always_connect_refusal(lab: Lab) -> None:
    """CONNECT comes first, DISCONNECT after it."""
    sio = lab.server(always_connect=True)
    sio.on("connect", lambda sid, environ, auth: lab.app("connect", sid))
    lab.joined("ann").fence()


@scenario
def two_namespaces(lab: Lab) -> None:
    """A sid each."""
    sio = lab.server("/chat")
    sio.on("who", lambda sid: sid)
    sio.on("who", lambda sid: sid, namespace="/chat")
    ann = lab.joined("ann")
    ann.join("/chat")
    ann.send('21["who"]', '2/chat,1["who"]')
    ann.fence()
    ann.fence("/chat")
