"""Snippets that need more than the test's own process: a Redis that is started for them, or a process of their own."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from fastsio import AsyncRedisManager, AsyncRedisStreamsManager, AsyncServer, Client, configure_broadcasting
from fastsio.layers import channel_layers, get_channel_layer, unregister_channel_layer
from fastsio.testing import TestClient
from tests.docs.snippets import marked, snippets
from tests.docs.test_snippets import ROOT, WITH_REDIS, named, names
from tests.support.brokers import Broker, redis_server, running
from tests.support.ports import reserved_port
from tests.support.waiting import PROGRAM_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["names"]  # the fixture
HOWTO = ROOT / "docs" / "howto"
#: The addresses of the pages.
ADDRESS = r"redis://[\w-]+:6379/0"
MANAGERS = (AsyncRedisManager, AsyncRedisStreamsManager)


@pytest.fixture
def connections() -> Iterator[redis.Redis]:
    """A Redis of the test, which is left without a connection other than this one."""
    with redis_server() as broker, redis.Redis(port=broker.port) as connection:
        yield connection
        until = time.monotonic() + WAIT_S
        while len(connection.client_list()) > 1:
            assert time.monotonic() < until, connection.client_list()


@pytest.fixture
def _databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the databases that the test has opened: that of a store is open as long as its server."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def keep(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", keep)
    yield
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("page", WITH_REDIS, ids=named)
@pytest.mark.usefixtures("_databases")
def test_a_page_runs_with_a_redis(page: Path, names: dict[str, Any], connections: redis.Redis) -> None:
    """Its managers reach it: an event of theirs is sent, and received where the manager may have clients."""
    port = connections.get_connection_kwargs()["port"]
    used: list[Any] = []
    with asyncio.Runner() as runner:
        for snippet in snippets(page, "python"):
            if snippet.runs_with_its_page:
                snippet.run(names, runner.run, (ADDRESS, f"redis://127.0.0.1:{port}/0"))
                for thing in [*names.values()]:
                    if not any(thing is each for each in used) and is_on_redis(thing):
                        used.append(thing)
                        runner.run(use(thing, connections))
        assert runner.run(leave_nothing(names.values())) == set()


def is_on_redis(thing: object) -> bool:
    """Tell whether something is a server with a manager on a Redis, or such a manager that no server has yet."""
    if isinstance(thing, AsyncServer):
        return isinstance(thing.manager, MANAGERS)
    return isinstance(thing, MANAGERS) and thing.server is None


async def use(thing: Any, connections: redis.Redis) -> None:
    """Send an event with a manager that only writes, or to a client of a server."""
    if isinstance(thing, MANAGERS) and thing.write_only:
        await thing.emit("checked", 1)  # raises BusError without a Redis
        return
    server = thing if isinstance(thing, AsyncServer) else AsyncServer(async_mode="asgi", client_manager=thing)
    async with TestClient(server) as client:
        await client.connect()
        await server.emit("checked", 1)
        assert (await client.receive("checked", timeout=WAIT_S)).data == 1
        assert len(connections.client_list()) > 1
    await server.shutdown()


async def leave_nothing(things: Any) -> set[asyncio.Task[Any]]:
    """Close what a page has opened; return the tasks that are left."""
    configure_broadcasting(None)
    for thing in things:
        if isinstance(thing, MANAGERS) and thing.write_only:
            await thing.shutdown()
    for alias in channel_layers:
        await asyncio.to_thread(get_channel_layer(alias).sync.close)
        unregister_channel_layer(alias)
    return asyncio.all_tasks() - {asyncio.current_task()}


def program_of(page: str) -> str:
    """Return a page up to and with its block that is marked ``process``."""
    path = HOWTO / f"{page}.md"
    (last,) = marked(path, "process")
    above = [each for each in snippets(path, "python") if each.line < last.line and each.runs_with_its_page]
    return "\n\n".join(each.code for each in [*above, last])


def test_the_replaced_package_is_imported_by_its_old_name() -> None:
    """In a program of its own: a test process has imported the other one."""
    check = "assert socketio.AsyncServer is fastsio.AsyncServer\n"

    done = subprocess.run(
        [sys.executable, "-c", f"{program_of('migrate')}\n{check}"], capture_output=True, timeout=PROGRAM_S, check=False
    )

    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # a client's last poll may still be under way
def test_the_server_for_threads_serves(tmp_path: Path) -> None:
    """As the page starts it, on a port of the test."""
    with reserved_port() as port:
        program = program_of("threads")
        assert program.count("8000") == 1
        (tmp_path / "app.py").write_text(program.replace("8000", str(port)), encoding="utf-8")
        with running(Broker([sys.executable, "app.py"], port, f"http://127.0.0.1:{port}", tmp_path)) as site:
            client = Client()
            client.connect(site.url, wait_timeout=WAIT_S)
            try:
                assert client.call("say", {"text": "hello"}, timeout=WAIT_S) == "HELLO"
            finally:
                client.disconnect()


def test_the_application_for_flask_socketio_does_the_same(names: dict[str, Any]) -> None:
    """As the page shows it before; what it becomes is run with the page."""
    (before,) = marked(HOWTO / "from-flask-socketio.md", "before")
    before.run(names)
    people = []
    for name in ("ann", "ben"):
        web = names["app"].test_client()
        web.post("/login", json={"name": name})
        people.append(names["socketio"].test_client(names["app"], flask_test_client=web))
    ann, ben = people

    for client in people:
        client.emit("join", {"room": "lobby"}, callback=True)
    assert ann.emit("say", {"text": "hi"}, callback=True) == "ok"
    assert ben.get_received()[-1]["args"] == [{"name": "ann", "text": "hi"}]
    assert ann.get_received() == []
    assert not names["socketio"].test_client(names["app"]).is_connected()


def test_every_block_is_run() -> None:
    """No block of Python is left out."""
    pages = sorted((ROOT / "docs").rglob("*.md"))

    assert [page.stem for page in pages if marked(page, "no-run")] == []
    assert re.search(ADDRESS, (HOWTO / "scale.md").read_text(encoding="utf-8"))
