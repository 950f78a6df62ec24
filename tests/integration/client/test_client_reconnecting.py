"""What clients do when their server goes and comes back, and when the program is interrupted."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from fastsio import AsyncClient
from fastsio.exceptions import BadNamespaceError
from tests.integration.client_sides import QUICK, SLOW, Heard
from tests.support.ports import reserved_port
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[3]
SERVER = "tests.integration.client_server_program"
PROGRAM = "tests.integration.client_waiting_program"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is given to no other program."""
    with reserved_port() as port:
        yield port


@asynccontextmanager
async def program(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends, which begins when it has said a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), START_S) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_client_comes_back_to_a_server_that_was_killed(side, port):
    """It joins its namespaces again, with new sids, and events flow."""
    connected, lost, failed, news = Heard(), Heard(), Heard(), Heard()
    client = side.client(**QUICK)
    client.on("disconnect", lost)
    client.on("connect_error", failed)
    for namespace in ("/", "/chat"):
        client.on("connect", connected, namespace=namespace)
        client.on("news", news, namespace=namespace)
    async with program(SERVER, str(port)) as server:
        await side.run(client.connect, f"http://127.0.0.1:{port}", transports=["websocket"], wait_timeout=WAIT_S)
        before = dict(client.namespaces)
        server.kill()
        assert await lost.next() == ("transport error",)
        # Attempts fail while the server is away.
        for _ in range(3):
            await failed.next()
        with pytest.raises(BadNamespaceError):
            await side.run(client.emit, "publish", 1)

    async with program(SERVER, str(port)):
        for _ in range(4):
            await connected.next()
        await side.run(client.emit, "publish", (1, b"two"))
        await side.run(client.emit, "publish", 3, namespace="/chat")
        assert {await news.next(), await news.next()} == {(1, b"two"), (3,)}
        assert client.namespaces.keys() == before.keys()
        assert all(client.namespaces[name] != before[name] for name in before)
        await side.run(client.disconnect)


async def test_url_headers_and_auth_are_asked_for_at_each_attempt(side, site, gate):
    """Those that fail included; the server gets what the functions return then."""
    asked, told = Heard(), Heard()
    numbers = count()

    @site.sio.event
    async def connect(_sid, environ, auth):
        told(environ["HTTP_X_NUMBER"], auth)

    def answer(what, value):
        asked(what)
        return value

    client = side.client(**QUICK)
    failed = Heard()
    client.on("connect_error", failed)
    await side.run(
        client.connect,
        lambda: answer("url", gate.address.http),
        headers=lambda: answer("headers", {"X-Number": str(next(numbers))}),
        auth=lambda: answer("auth", {"number": next(numbers)}),
        transports=["websocket"],
        wait_timeout=WAIT_S,
    )
    assert await told.next() == ("0", {"number": 1})
    await gate.shut()
    await failed.next()
    await gate.open()

    number, auth = await told.next()

    assert int(number) >= 4
    assert auth == {"number": int(number) + 1}
    assert [(await asked.next())[0] for _ in range(9)] == ["url", "headers", "auth"] * 3


async def test_attempts_come_further_and_further_apart(side, site, gate):
    """Each wait is twice the one before, up to a bound."""
    client = await side.connected(
        gate.address, reconnection_delay=0.05, reconnection_delay_max=0.2, randomization_factor=0
    )
    times = []
    enough = Heard()
    client.on("connect_error", lambda _why: (times.append(monotonic()), enough()))

    begun = monotonic()
    await gate.shut()
    for _ in range(4):
        await enough.next()

    waits = [after - before for before, after in zip([begun, *times[:3]], times[:4], strict=True)]
    assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.2, 0.2), strict=True))


@pytest.mark.parametrize("method", ["shutdown", "disconnect"])
async def test_leaving_while_away_ends_the_attempts(side, site, gate, method):
    """wait() returns, the handlers hear of the end, and nobody comes back."""
    client = await side.connected(gate.address, **SLOW)
    lost, ended = Heard(), Heard()
    client.on("disconnect", lost)
    client.on("__disconnect_final", ended)
    waiting = side.begin(client.wait)
    await gate.shut()
    await lost.next()
    assert not waiting.done()

    await side.run(getattr(client, method))

    await waiting
    assert await ended.next() == ()
    assert (client.connected, client.namespaces, client.sid) == (False, {}, None)


async def test_leaving_between_attempts_that_fail_ends_them(side, site, gate):
    """Also while one is under way."""
    client = await side.connected(gate.address, **QUICK)
    failed = Heard()
    client.on("connect_error", failed)
    await gate.shut()
    await failed.next()

    await side.run(client.disconnect)
    while not failed.is_empty:
        await failed.next()
    await gate.open()
    await side.run(client.connect, gate.address.http, transports=["websocket"])

    assert await side.run(client.call, "note", 1) == 1


async def test_a_namespace_that_fails_while_coming_back_is_not_the_end(side, site, gate):
    """Handlers of the final end are called when there are no attempts any more."""
    refusing = {"now": False}
    reached, final = Heard(), Heard()

    @site.sio.on("connect", namespace="/chat")
    async def connect(sid, environ, auth):
        return not refusing["now"]

    client = side.client(**QUICK)
    client.on("connect", reached)
    for namespace in ("/", "/chat"):
        client.on("__disconnect_final", final, namespace=namespace)
    await side.run(client.connect, gate.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await reached.next()
    refusing["now"] = True
    gate.cut()
    for _ in range(2):
        await reached.next()
    assert final.is_empty
    refusing["now"] = False
    async with asyncio.timeout(WAIT_S):
        while not client.connected:  # noqa: ASYNC110 - what happens in threads sets no event
            await asyncio.sleep(0.01)

    assert await side.run(client.call, "note", 1, namespace="/chat") == 1
    assert final.is_empty
    await side.run(client.disconnect)
    assert [await final.next(), await final.next()] == [(), ()]


async def test_a_disconnect_handler_may_disconnect(side, site, gate):
    """It has no effect on a connection that ends already, and stands in nobody's way."""
    client = await side.connected(gate.address)
    left = Heard()

    if side.asynchronous:

        async def disconnect(reason):
            await client.disconnect()
            left(reason)
    else:

        def disconnect(reason):
            client.disconnect()
            left(reason)

    client.on("disconnect", disconnect)

    await side.run(client.disconnect)

    assert await left.next() == ("client disconnect",)
    assert not client.connected


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("half", ["aio", "sync"])
async def test_an_interrupt_ends_a_program_that_waits(site, gate, half, transport):
    """The client leaves, its handlers run, and the program ends as Python programs do."""
    left = Heard()
    site.sio.on("disconnect", lambda _sid, reason: left(reason))

    async with program(PROGRAM, half, gate.address.http, transport) as waiting:
        waiting.send_signal(signal.SIGINT)
        said, _ = await asyncio.wait_for(waiting.communicate(), WAIT_S)

    assert said.decode().split("\n") == ["disconnect client disconnect", "interrupted", ""]
    assert waiting.returncode == 0
    assert await left.next() == ("client disconnect",)


@pytest.mark.parametrize("half", ["aio", "sync"])
async def test_an_interrupt_ends_a_program_whose_server_is_away(site, gate, half):
    """Nothing waits for the next attempt."""
    async with program(PROGRAM, half, gate.address.http, "websocket") as waiting:
        await gate.shut()
        assert waiting.stdout is not None
        assert await asyncio.wait_for(waiting.stdout.readline(), WAIT_S) == b"disconnect transport error\n"
        waiting.send_signal(signal.SIGINT)
        said, _ = await asyncio.wait_for(waiting.communicate(), WAIT_S)

    assert said == b"interrupted\n"
    assert waiting.returncode == 0


@pytest.mark.parametrize("handle_sigint", [True, False])
async def test_a_handler_of_the_applications_own_stays(site, gate, handle_sigint):
    """The client for asyncio does not replace it."""
    before = signal.getsignal(signal.SIGINT)

    def own(*_args):
        raise AssertionError

    client = AsyncClient(handle_sigint=handle_sigint)
    signal.signal(signal.SIGINT, own)
    try:
        await client.connect(gate.address.http)

        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
        await client.disconnect()
