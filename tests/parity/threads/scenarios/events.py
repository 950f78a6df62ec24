"""Events of clients and what handlers answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.threads.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab


@scenario
def payload_shapes(lab: Lab) -> None:
    """Each JSON value arrives as one argument."""
    sio = lab.server()
    sio.on("take", lambda sid, *args: lab.app("take", *args))
    ann = lab.joined("ann")
    for payload in ("", ",1", ',"x"', ",null", ",[1,2]", ',{"a":[true]}', ",1,2,3"):
        ann.send(f'2["take"{payload}]')
    ann.fence()


@scenario
def acknowledgements(lab: Lab) -> None:
    """What a handler returns is what is acknowledged."""
    sio = lab.server()
    answers: list[Any] = [None, 0, "", "x", [1, 2], (), (1,), (1, "two"), {"a": 1}, True, b"\x01\x02"]
    sio.on("answer", lambda sid, index: answers[index])
    ann = lab.joined("ann")
    for index in range(len(answers)):
        ann.send(f'2{index + 1}["answer",{index}]')
    ann.fence()


@scenario
def handler_that_raises(lab: Lab) -> None:
    """The client gets no answer and lives on."""
    sio = lab.server()

    @sio.event
    def fail(sid: str) -> None:
        raise RuntimeError("secret")

    ann = lab.joined("ann")
    ann.send('21["fail"]')
    ann.fence()


@scenario
def unknown_event_is_not_acknowledged(lab: Lab) -> None:
    """Nobody handles it."""
    lab.server()
    ann = lab.joined("ann")
    ann.send('21["nothing",1]')
    ann.fence()


@scenario
def catch_all_event(lab: Lab) -> None:
    """The name comes first; reserved events do not come."""
    sio = lab.server()
    sio.on("*", lambda event, sid, *args: (event, *args))
    ann = lab.joined("ann")
    ann.send('21["one"]', '22["two",1,2]')
    ann.fence()


@scenario
def catch_all_namespace(lab: Lab) -> None:
    """The namespace comes first."""
    sio = lab.server("/a", namespaces="*")
    sio.on("say", lambda namespace, sid, data: f"{namespace}:{data}", namespace="*")
    ann = lab.joined("ann", "/a")
    ann.send('2/a,1["say","hi"]')
    ann.fence("/a")


@scenario
def binary_both_ways(lab: Lab) -> None:
    """Attachments arrive in place and go out in place."""
    sio = lab.server()
    sio.on("bin", lambda sid, data: {"got": data["b"], "size": len(data["b"])})
    ann = lab.joined("ann")
    ann.send('51-1["bin",{"b":{"_placeholder":true,"num":0}}]', b"\x00\x01\x02")
    ann.fence()
