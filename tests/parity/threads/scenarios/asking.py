"""Callbacks, call() and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.threads.scenario import scenario
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.threads.lab import Lab


@scenario
def callbacks(lab: Lab) -> None:
    """Each answer calls the callback with its arguments."""
    sio = lab.server()
    ann = lab.joined("ann")
    sio.emit("ask", 1, to=lab.sid("ann"), callback=lambda *args: lab.app("answered", *args))
    ann.take()
    ann.send('31["yes",2]')
    ann.fence()
    ann.send('31["again"]', '377["unknown"]')
    ann.fence()


@scenario
def callback_with_attachment(lab: Lab) -> None:
    """A binary acknowledgement."""
    sio = lab.server()
    ann = lab.joined("ann")
    sio.emit("ask", to=lab.sid("ann"), callback=lambda *args: lab.app("answered", *args))
    ann.take()
    ann.send('61-1[{"_placeholder":true,"num":0}]', b"abc")
    ann.fence()


@scenario
def call_and_its_answers(lab: Lab) -> None:
    """None, one value, several; called from a background task while the client answers."""
    sio = lab.server(async_handlers=True)
    ann = lab.joined("ann")
    for number, answer in enumerate(("[]", "[1]", '[1,"two"]', "[[1]]"), 1):
        task = sio.start_background_task(
            lambda: lab.do(f"call {number}", lambda: sio.call("ask", to=lab.sid("ann"), timeout=WAIT_S))  # noqa: B023 - joined below
        )
        ann.take()
        ann.send(f"3{number}{answer}")
        task.join()


@scenario
def call_errors(lab: Lab) -> None:
    """Nobody named, no answer, handlers in line."""
    sio = lab.server(async_handlers=True)
    ann = lab.joined("ann")
    lab.do("nobody", lambda: sio.call("ask"))
    lab.do("timeout", lambda: sio.call("ask", to=lab.sid("ann"), timeout=0.01))
    ann.take()
    other = lab.server(async_handlers=False)
    lab.do("in line", lambda: other.call("ask", to="x"))


@scenario
def sessions(lab: Lab) -> None:
    """Saved, read, changed in a block, gone."""
    sio = lab.server("/chat")
    ann = lab.joined("ann")
    ann.join("/chat")
    sid = lab.sid("ann")
    lab.do("empty", lambda: sio.get_session(sid))
    sio.save_session(sid, {"name": "ann"})
    with sio.session(sid) as session:
        session["seen"] = 1
    lab.do("read", lambda: sio.get_session(sid))
    lab.do("other namespace", lambda: sio.get_session(lab.sid("ann", "/chat"), "/chat"))
    lab.do("unknown", lambda: type(_raised(lambda: sio.get_session("nobody"))).__name__)
    ann.fence()


def _raised(action: Callable[[], Any]) -> BaseException | None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - its kind is compared
        return error
    return None
