"""What the signals to end do to a server: it is told before the web server's own handler is called."""

from __future__ import annotations

import asyncio
import os
import signal
from types import SimpleNamespace

import pytest

from fastsio.integrations.signals import DRAIN, SignalChain
from tests.support.waiting import WAIT_S


class Server:
    """Notes what it is asked; a drain ends when a test lets it."""

    def __init__(self) -> None:
        self.log: list[object] = []
        self.drained = asyncio.Event()
        self.logger = SimpleNamespace(exception=self.log.append)
        self.eio = SimpleNamespace(sockets={"client": None}, leave_client=lambda _eio_sid: None)

    async def drain(self, seconds: float) -> None:
        self.log.append(seconds)
        if seconds:
            await self.drained.wait()


@pytest.fixture
def server() -> Server:
    """What is told of the signals."""
    return Server()


@pytest.fixture
def web(server):
    """Handle both signals as a web server does; what is handled is noted."""

    def handle(number, _frame):
        server.log.append(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    yield handle
    for number, handler in before.items():
        signal.signal(number, handler)


async def until(condition) -> None:
    """Give the loop turns until *condition* holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - signals have no event
            await asyncio.sleep(0)


def send(number: int) -> None:
    """Send a signal to this process."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_server_lets_clients_go_and_the_web_server_goes_on(server, web, number):
    """In this order, with each of the signals: the web server ends no connection before its client has been let go."""
    chain = SignalChain(server)
    chain.install()

    send(number)
    await until(lambda: len(server.log) == 2)
    chain.remove()
    send(number)
    await until(lambda: len(server.log) == 3)

    name = signal.Signals(number).name
    assert server.log == [0.0, name, name]
    assert signal.getsignal(number) is web


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_clients_are_let_go_before_the_loop_calls_a_handler_of_its_own(server, web, number):
    """The loop calls it in its own time, whatever the program has for the signal."""
    loop, chain = asyncio.get_running_loop(), SignalChain(server)
    server.eio.leave_client = server.log.append
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, server.log.append, "the web server ends")
    chain.install()

    send(number)
    await until(lambda: len(server.log) == 3)
    chain.remove()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(each)

    assert server.log.index("client") < server.log.index("the web server ends")


async def test_a_program_that_handles_no_signal_is_left_alone(server):
    """It is no web server, or one that runs in a thread of something else."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    SignalChain(server).install()

    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_another_thread_than_the_main_one_handles_no_signals(server, web):
    """Python allows it in the main thread only."""
    chain = SignalChain(server)

    await asyncio.to_thread(chain.install)

    assert chain.is_installed
    assert signal.getsignal(signal.SIGTERM) is web


async def test_the_web_server_waits_for_a_drain(server, web, monkeypatch):
    """Its handler is called when the drain is over, and only with SIGTERM is there one."""
    monkeypatch.setenv(DRAIN, "30")
    chain = SignalChain(server)
    chain.install()

    send(signal.SIGTERM)
    await until(lambda: server.log)
    assert server.log == [30.0]
    server.drained.set()
    await until(lambda: len(server.log) == 2)
    chain.remove()

    assert server.log == [30.0, "SIGTERM"]
    assert not chain.is_urgent


async def test_a_second_signal_ends_a_drain(server, web, monkeypatch):
    """The web server's handler is called at once, and once."""
    monkeypatch.setenv(DRAIN, "30")
    chain = SignalChain(server)
    chain.install()

    send(signal.SIGTERM)
    await until(lambda: server.log)
    send(signal.SIGINT)
    await until(lambda: len(server.log) == 3)
    server.drained.set()
    await asyncio.sleep(0)
    chain.remove()

    assert sorted(server.log, key=str) == [0.0, 30.0, "SIGINT"]
    assert chain.is_urgent


async def test_a_handler_that_was_put_over_the_chain_stays(server, web):
    """It may call the one it found, which calls the web server's."""
    chain = SignalChain(server)
    chain.install()
    found = signal.getsignal(signal.SIGTERM)

    def over(number, frame):
        server.log.append("over")
        found(number, frame)

    signal.signal(signal.SIGTERM, over)
    chain.remove()
    send(signal.SIGTERM)
    await until(lambda: len(server.log) == 2)

    assert signal.getsignal(signal.SIGTERM) is over
    assert server.log == ["over", "SIGTERM"]


async def test_a_server_that_cannot_be_drained_does_not_keep_the_web_server(server, web, monkeypatch):
    """The failure is logged."""
    monkeypatch.setenv(DRAIN, "30")

    async def drain(_seconds):
        raise RuntimeError("no")

    server.drain = drain
    chain = SignalChain(server)
    chain.install()

    send(signal.SIGTERM)
    await until(lambda: len(server.log) == 2)
    chain.remove()

    assert server.log == ["The server could not be drained", "SIGTERM"]


async def test_installing_twice_is_once(server, web):
    """The first request and the lifespan may both ask for it."""
    chain = SignalChain(server)
    chain.install()
    chain.install()

    send(signal.SIGTERM)
    await until(lambda: len(server.log) == 2)
    chain.remove()

    assert signal.getsignal(signal.SIGTERM) is web


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_application_that_starts_again_under_a_handler_over_the_chain(server, web, number):
    """Each handler is called once, though the chain stands in front of the one that calls it."""
    chain = SignalChain(server)
    chain.install()
    found = signal.getsignal(number)

    def over(taken, frame):
        server.log.append("over")
        found(taken, frame)

    signal.signal(number, over)
    chain.remove()
    chain.install()
    send(number)
    await until(lambda: len(server.log) == 3)
    chain.remove()

    assert sorted(server.log, key=str) == [0.0, signal.Signals(number).name, "over"]
    assert signal.getsignal(number) is over


async def test_an_application_that_starts_again_under_another_web_server(server, web):
    """The handler that was put over the chain is gone by then, and nothing calls it any more."""
    chain = SignalChain(server)
    chain.install()
    signal.signal(signal.SIGTERM, lambda *_: None)
    chain.remove()

    signal.signal(signal.SIGTERM, web)
    chain.install()
    send(signal.SIGTERM)
    await until(lambda: len(server.log) == 2)
    chain.remove()

    assert sorted(server.log, key=str) == [0.0, "SIGTERM"]


@pytest.mark.parametrize("seconds", ["0", "30"])
async def test_the_servers_of_a_process_are_drained_at_the_same_time(server, web, monkeypatch, seconds):
    """The web server's handler is called once, after the last of them."""
    monkeypatch.setenv(DRAIN, seconds)
    other = Server()
    chains = [SignalChain(each) for each in (server, other)]
    for chain in chains:
        chain.install()

    send(signal.SIGTERM)
    await until(lambda: other.log and float(seconds) in server.log)
    if seconds != "0":
        assert (server.log, other.log) == ([30.0], [30.0])
        other.drained.set()
        await asyncio.sleep(0)
        server.drained.set()
    await until(lambda: len(server.log) == 2)
    for chain in chains:
        chain.remove()

    assert (sorted(server.log, key=str), other.log) == ([float(seconds), "SIGTERM"], [float(seconds)])
    assert signal.getsignal(signal.SIGTERM) is web


async def test_one_of_two_servers_that_has_shut_down_is_not_drained(server, web):
    """The signals are handled until the last of them has."""
    other = Server()
    first, second = SignalChain(server), SignalChain(other)
    first.install()
    second.install()

    first.remove()
    send(signal.SIGTERM)
    await until(lambda: other.log and server.log)
    second.remove()

    assert (server.log, other.log) == (["SIGTERM"], [0.0])
    assert signal.getsignal(signal.SIGTERM) is web


async def test_a_second_signal_is_urgent_for_each_server(server, web, monkeypatch):
    """None of them waits for handlers then."""
    monkeypatch.setenv(DRAIN, "30")
    other = Server()
    chains = [SignalChain(each) for each in (server, other)]
    for chain in chains:
        chain.install()

    send(signal.SIGTERM)
    await until(lambda: server.log and other.log)
    send(signal.SIGTERM)
    await until(lambda: len(server.log) == 3 and len(other.log) == 2)
    for chain in chains:
        chain.remove()

    assert [chain.is_urgent for chain in chains] == [True, True]
    assert sorted(server.log, key=str) == [0.0, 30.0, "SIGTERM"]


def test_a_loop_that_is_over_drains_nothing(server, web):
    """An application that was not told of its end leaves its handler behind."""

    async def install() -> None:
        SignalChain(server).install()

    asyncio.run(install())
    send(signal.SIGTERM)

    assert server.log == ["SIGTERM"]
