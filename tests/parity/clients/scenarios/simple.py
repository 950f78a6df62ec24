"""The simple client."""

from __future__ import annotations

import asyncio
from time import sleep
from typing import TYPE_CHECKING, Any

from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab

QUICK = {"reconnection": True, "reconnection_delay": 0.02, "randomization_factor": 0}


async def connected(lab: Lab, **options: Any) -> Any:
    """Connect a simple client over a websocket."""
    namespace = options.pop("namespace", "/")
    client = lab.simple_client(**options)
    await lab.do("connect", client.connect, lab.url, transports=["websocket"], namespace=namespace)
    return client


async def lost(lab: Lab, client: Any) -> None:
    """Wait until a client has noticed that its connection is lost; what it sends before goes nowhere."""
    async with asyncio.timeout(WAIT_S):
        while client.client.connected:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.001)
    await lab.settle()


@scenario()
async def it_sends_and_receives(lab: Lab) -> None:
    """Events are lists of name and arguments, in order."""
    client = await connected(lab)
    lab.note("then", client.sid, client.transport)

    await lab.do("emit", client.emit, "x", (1, 2))
    await lab.session.send('2["one"]', '2["two",1,{"a":2}]', '21["three"]')
    for _ in range(3):
        await lab.do("receive", client.receive)
    await lab.do("receive nothing", client.receive, timeout=0.02)
    task = await lab.begin("call", client.call, "ask", 1)
    await lab.session.send('31["yes"]')
    await lab.finish(task)
    await lab.do("disconnect", client.disconnect)


@scenario()
async def it_joins_one_namespace(lab: Lab) -> None:
    """Whatever it sends and receives is in it."""
    client = await connected(lab, namespace="/a")
    lab.note("then", client.sid, client.transport)

    await lab.do("emit", client.emit, "x")
    await lab.session.send('2/a,["one"]', '2["root"]')
    await lab.do("receive", client.receive, timeout=WAIT_S)
    await lab.do("receive", client.receive, timeout=0.02)


@scenario()
async def it_waits_for_an_event(lab: Lab) -> None:
    """receive() returns when one comes."""
    client = await connected(lab)

    task = await lab.begin("receive", client.receive, timeout=WAIT_S)
    await lab.session.send('2["one",1]')
    await lab.finish(task)


@scenario()
async def a_call_times_out(lab: Lab) -> None:
    """TimeoutError."""
    client = await connected(lab)

    await lab.do("call", client.call, "ask", timeout=0.02)


@scenario()
async def it_is_a_context_manager(lab: Lab) -> None:
    """At the end of the block it is disconnected."""
    client = lab.simple_client()

    async def use() -> None:
        if lab.asynchronous:
            async with client as entered:
                await entered.connect(lab.url, transports=["websocket"])
                await entered.emit("x")
                await lab.until('s1: EVENT / ["x"]')
        else:

            def block() -> None:
                with client as entered:
                    entered.connect(lab.url, transports=["websocket"])
                    entered.emit("x")
                    while not lab.has_seen('s1: EVENT / ["x"]'):
                        sleep(0.001)

            await lab.run_action(block)
        lab.note("after", client.client is None)

    await lab.do("use", use)


@scenario()
async def a_second_connect_is_an_error(lab: Lab) -> None:
    """RuntimeError."""
    client = await connected(lab)

    await lab.do("connect again", client.connect, lab.url)


@scenario()
async def a_failed_connect_may_be_repeated(lab: Lab) -> None:
    """The error is the client's."""
    client = lab.simple_client()
    lab.refuse(503)
    await lab.do("connect", client.connect, lab.url, transports=["websocket"])
    await lab.do("connect again", client.connect, lab.url, transports=["websocket"])


@scenario()
async def a_refused_simple_client_says_so(lab: Lab) -> None:
    """ConnectionError."""
    client = lab.simple_client()
    lab.deny("/", '{"message":"no"}')

    await lab.do("connect", client.connect, lab.url, transports=["websocket"])


@scenario()
async def before_connect_everything_is_an_error(lab: Lab) -> None:
    """DisconnectedError, at once or after connect's time."""
    client = await connected(lab)
    await lab.do("disconnect", client.disconnect)

    lab.note("then", client.sid, client.transport)
    await lab.do("disconnect again", client.disconnect)


@scenario(
    differs=Difference(
        row="C-21",
        reason="An error without a text is hard to read in a log.",
        socketio=[
            "app: receive raised package.DisconnectedError: ",
            "app: emit raised package.DisconnectedError: ",
            "app: call raised package.DisconnectedError: ",
        ],
        fastsio=[
            "app: receive raised package.DisconnectedError: the client is not connected",
            "app: emit raised package.DisconnectedError: the client is not connected",
            "app: call raised package.DisconnectedError: the client is not connected",
        ],
    )
)
async def without_reconnection_a_lost_connection_is_an_error(lab: Lab) -> None:
    """DisconnectedError; what arrived before may still be received."""
    client = await connected(lab)
    await lab.session.send('2["one"]')
    await lab.session.close()

    await lab.do("receive", client.receive, timeout=WAIT_S)
    await lab.do("receive", client.receive, timeout=WAIT_S)
    await lab.do("emit", client.emit, "x")
    await lab.do("call", client.call, "x", timeout=0.1)


@scenario()
async def emit_waits_for_the_reconnection(lab: Lab) -> None:
    """Then the event is sent."""
    client = await connected(lab, **QUICK)
    lab.refuse(503)
    lab.admission.clear()
    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("s1: gone")
    await lost(lab, client)

    task = await lab.begin("emit", client.emit, "x", 1)
    lab.admission.set()
    await lab.until('s2: EVENT / ["x", 1]')
    await lab.finish(task)
    lab.note("then", client.sid)


@scenario()
async def call_waits_for_the_reconnection(lab: Lab) -> None:
    """Then the event is sent."""
    client = await connected(lab, **QUICK)
    lab.refuse(503)
    lab.admission.clear()
    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("s1: gone")
    await lost(lab, client)

    task = await lab.begin("call", client.call, "ask", 1)
    lab.admission.set()
    await lab.until('s2: EVENT / #1 ["ask", 1]')
    await lab.session.send('31["yes"]')
    await lab.finish(task)


@scenario()
async def receive_waits_for_the_reconnection(lab: Lab) -> None:
    """Then for an event."""
    client = await connected(lab, **QUICK)
    task = await lab.begin("receive", client.receive, timeout=WAIT_S)
    lab.session.cut()
    await lab.until("s2: CONNECT / {}")

    await lab.session.send('2["one"]')
    await lab.finish(task)
