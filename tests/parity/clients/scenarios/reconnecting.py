"""What happens after a connection was lost."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.parity.clients.lab import described
from tests.parity.clients.scenario import scenario
from tests.parity.clients.scenarios.disconnecting import watched
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab

QUICK = {"reconnection": True, "reconnection_delay": 0.02, "randomization_factor": 0}


@scenario()
async def a_lost_client_comes_back(lab: Lab) -> None:
    """It joins the same namespaces with the same auth and headers."""
    client = watched(lab, "/", "/a", **QUICK)
    await lab.connected(client, namespaces=["/", "/a"], auth={"n": 1}, headers={"X-A": "1"})

    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: connect /a")
    lab.note("then", *described(client))
    await lab.do("emit", client.emit, "x", callback=lab.noting("callback"))


@scenario()
async def a_closed_websocket_comes_back(lab: Lab) -> None:
    """Transport error is a reason to reconnect."""
    client = watched(lab, **QUICK)
    await lab.connected(client)

    await lab.session.close()
    await lab.until("app: connect /")
    lab.note("then", *described(client))


@scenario()
async def a_close_packet_is_final(lab: Lab) -> None:
    """The server's goodbye ends it for good."""
    client = watched(lab, **QUICK)
    await lab.connected(client)

    lab.step("the server sends CLOSE")
    await lab.session.write("1")
    await lab.until("app: __disconnect_final /")
    lab.note("then", *described(client))


@scenario()
async def a_disconnect_packet_is_final(lab: Lab) -> None:
    """A client that the server dismissed stays away."""
    client = watched(lab, **QUICK)
    await lab.connected(client)

    lab.step("the server ends the namespace")
    await lab.session.write("41")
    await lab.until("app: __disconnect_final /")
    lab.note("then", *described(client))


@scenario()
async def disconnect_is_final(lab: Lab) -> None:
    """A client that left stays away."""
    client = watched(lab, **QUICK)
    await lab.connected(client)

    await lab.do("disconnect", client.disconnect)
    lab.note("then", *described(client))


@scenario()
async def attempts_go_on_until_one_succeeds(lab: Lab) -> None:
    """Each failure is told to the connect_error handlers."""
    client = watched(lab, **QUICK)
    await lab.connected(client)
    lab.refuse(503)
    lab.refuse(500, '{"message":"busy"}', "application/json")

    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: connect /")


@scenario()
async def the_task_that_reconnects_can_be_seen_and_ended(lab: Lab) -> None:
    """Through the names that programs use: the task, the list of such clients, the event that ends the attempts."""
    client = watched(lab, **{**QUICK, "reconnection_delay": 60, "reconnection_delay_max": 60})
    waiting = importlib.import_module(f"{lab.package.__name__}.base_client").reconnecting_clients
    await lab.connected(client)
    lab.note("before", client._reconnect_task, client in waiting)

    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: disconnect / 'transport error'")
    await lab.settle()
    lab.note("meanwhile", client._reconnect_task is not None, client in waiting)

    lab.step("the attempts are ended")
    client._reconnect_abort.set()
    await lab.until("app: __disconnect_final /")
    await lab.settle()
    lab.note("afterwards", client in waiting)


@scenario()
async def attempts_are_bounded(lab: Lab) -> None:
    """After reconnection_attempts it gives up and says so."""
    client = watched(lab, **QUICK, reconnection_attempts=2)
    await lab.connected(client)
    for _ in range(5):
        lab.refuse(503)

    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: __disconnect_final /")
    lab.note("then", *described(client), len(lab.refusals))


@scenario()
async def functions_are_asked_again(lab: Lab) -> None:
    """url, headers and auth as they are then."""
    client = watched(lab, **QUICK)
    count = iter(range(9))

    def auth() -> dict[str, int]:
        return {"n": next(count)}

    def headers() -> dict[str, str]:
        return {"X-N": str(next(count))}

    await lab.connected(client, auth=auth, headers=headers)
    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: connect /")


class Once(dict[str, list[str]]):
    """Answers of which each is given once: an attempt follows the other before a script could take them back."""

    def get(self, namespace: str, default: Any = None) -> Any:
        """Take an answer out."""
        return self.pop(namespace, default)


@scenario()
async def a_refused_namespace_is_tried_again(lab: Lab) -> None:
    """While reconnecting, CONNECT_ERROR is a failed attempt."""
    client = watched(lab, **QUICK)
    await lab.connected(client)
    lab.answers = Once({"/": ['4{"message":"no"}']})

    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: connect /")
    lab.note("then", *described(client))


@scenario(
    differs=Difference(
        row="C-53",
        reason="Who disconnects wants to stay away.",
        socketio=[],
        fastsio=[
            "app: __disconnect_final /",
        ],
    )
)
async def disconnect_stops_the_attempts(lab: Lab) -> None:
    """No more of them."""
    client = watched(lab, reconnection=True, reconnection_delay=60, randomization_factor=0)
    await lab.connected(client)

    await lab.session.close()
    await lab.until("app: disconnect / 'transport error'")
    await lab.do("disconnect", client.disconnect)
    lab.note("then", *described(client))


@scenario()
async def shutdown_stops_the_attempts(lab: Lab) -> None:
    """And says that they are over."""
    client = watched(lab, reconnection=True, reconnection_delay=60, randomization_factor=0)
    await lab.connected(client)

    await lab.session.close()
    await lab.until("app: disconnect / 'transport error'")
    await lab.do("shutdown", client.shutdown)
    lab.note("then", *described(client))


@scenario()
async def waiting_spans_reconnections(lab: Lab) -> None:
    """wait() returns only when the client stays away."""
    client = watched(lab, **QUICK)
    await lab.connected(client)

    task = await lab.begin("wait", client.wait)
    lab.session.cut()
    await lab.until("app: connect /")
    lab.note("waiting", not task.done())
    await lab.quietly(client.disconnect)
    await lab.finish(task)


@scenario()
async def emits_while_away_are_errors(lab: Lab) -> None:
    """There is no buffer by default."""
    client = watched(lab, reconnection=True, reconnection_delay=60, randomization_factor=0)
    await lab.connected(client)
    await lab.session.close()
    await lab.until("app: disconnect / 'transport error'")

    await lab.do("emit", client.emit, "x")
    lab.note("then", *described(client))


@scenario()
async def reconnection_may_be_switched_off_later(lab: Lab) -> None:
    """The attribute is read when the connection is lost."""
    client = watched(lab, **QUICK)
    await lab.connected(client)
    client.reconnection = False

    await lab.session.close()
    await lab.until("app: __disconnect_final /")


@scenario(
    differs=Difference(
        row="C-53",
        reason="Who disconnects wants to stay away.",
        socketio=[
            "app: connect /",
            "app: then True 's2' {'/': 's2/'} [] 'websocket'",
            "http: handshake /socket.io/ {'EIO': '4', 'transport': 'websocket'} {}",
            "s2: CONNECT / {}",
        ],
        fastsio=["app: __disconnect_final /", "app: then False None {} [] 'websocket'"],
    )
)
async def a_client_that_left_does_not_come_back(lab: Lab) -> None:
    """Also when it left between two attempts."""
    client = watched(lab, reconnection=True, reconnection_delay=1.0, randomization_factor=0)
    await lab.connected(client)
    await lab.session.close()
    await lab.until("app: disconnect / 'transport error'")
    lab.step("the application disconnects")
    await lab.quietly(client.disconnect)

    # As long as an attempt that was not stopped would need: nothing tells that none will come.
    with suppress(TimeoutError):
        async with asyncio.timeout(2.5):
            await lab.until("app: connect /")
    await lab.settle()
    lab.note("then", *described(client))


@scenario(
    differs=Difference(
        row="C-55",
        reason="The failure of connect() is told once, by connect(), and at once.",
        socketio=[
            "http: handshake /socket.io/ {'EIO': '4', 'transport': 'websocket'} {}",
            "s2: CONNECT / {}",
            "s2: gone",
        ],
    )
)
async def a_connection_lost_while_connecting_is_a_failure(lab: Lab) -> None:
    """connect() raises, and nobody comes back."""
    client = lab.client(**QUICK)
    lab.answering = False
    connect, waits_s = client.connect, iter([2.0])
    # An attempt to come back waits longer, so that it is under way when the application's has failed.
    client.connect = lambda *args, **options: connect(*args, **options, wait_timeout=next(waits_s, 4.0))
    task = await lab.begin("connect", client.connect, lab.url, transports=["websocket"])
    await lab.until("s1: CONNECT / {}")

    await lab.session.close()
    await lab.finish(task)
    lab.note("then", *described(client))


@scenario()
async def a_connect_while_away_takes_over(lab: Lab) -> None:
    """The attempts are over."""
    client = watched(lab, reconnection=True, reconnection_delay=60, randomization_factor=0)
    await lab.connected(client)
    await lab.session.close()
    await lab.until("app: disconnect / 'transport error'")

    await lab.connected(client)
    lab.note("then", *described(client))


#: What a server that recovers connections answers CONNECT with.
RECOVERABLE = '0{"sid":"s","pid":"p"}'


@scenario(
    differs=Difference(
        row="C-59",
        reason="A client that comes back is to get what it has missed, and handlers the arguments that were emitted.",
        socketio=["s2: CONNECT / {}"],
        fastsio=["app: news 1", 's2: CONNECT / {"offset": "offset", "pid": "p"}'],
    )
)
async def a_server_may_recover_the_connection(lab: Lab) -> None:
    """A client is told a pid, gets offsets, and comes back."""
    client = watched(lab, **QUICK)
    client.on("news", lambda number: lab.note("news", number))
    lab.answers["/"] = [RECOVERABLE]
    await lab.connected(client)

    await lab.session.send('2["news",1,"offset"]')
    lab.step("the connection is cut")
    lab.session.cut()
    await lab.until("app: connect /")
    lab.note("then", *described(client))
