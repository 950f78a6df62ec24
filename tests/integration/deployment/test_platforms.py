"""What the guide says of platforms such as Heroku: its command serves and ends, and its table is true of the defaults."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from fastsio import AsyncClient
from fastsio.aio.engine import EngineServer
from fastsio.base.options import ServerOptions
from fastsio.engine.server_base import ServerBase
from tests.support.balancers import DEPLOY
from tests.support.brokers import Broker, running
from tests.support.ports import reserved_port
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (DEPLOY.parent / "howto" / "containers.md").read_text(encoding="utf-8")
(COMMAND,) = re.findall(r"^web: (.+)$", GUIDE, re.MULTILINE)
QUERY = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[list[Broker]]:
    """Two instances of the application of the guide, started as a platform does: by a shell that is told the port."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with reserved_port() as one, reserved_port() as other:
        brokers = []
        for port in (one, other):
            folder = tmp_path / str(port)
            folder.mkdir()
            shutil.copy(DEPLOY / "container" / "app.py", folder)
            environ = {"PORT": str(port), "PATH": path}
            brokers.append(Broker(["sh", "-c", COMMAND], port, f"http://127.0.0.1:{port}", folder, environ))
        with running(brokers[0]), running(brokers[1]):
            yield brokers


async def test_the_command_serves_and_the_second_instance_knows_no_session_of_the_first(
    instances: list[Broker],
) -> None:
    """Its polls are answered with 400; a WebSocket reaches either."""
    first, second = instances
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{first.url}/ready")).status_code == 200
        sid = re.findall(r'"sid":"([^"]+)"', (await http.get(first.url + QUERY)).text)[0]
        answer = await http.post(f"{second.url}{QUERY}&sid={sid}", content="40")
    assert (answer.status_code, "Session ID unknown" in answer.text) == (400, True)

    for each in instances:
        client = AsyncClient(reconnection=False)
        await client.connect(each.url, transports=["websocket"])
        await client.disconnect()


def test_the_command_ends_with_sigterm(instances: list[Broker]) -> None:
    """With the exit code 0: all connections have ended over the drain, here none."""
    process = instances[0].process
    assert process is not None

    os.killpg(process.pid, signal.SIGTERM)

    assert process.wait(WAIT_S) in {0, -signal.SIGTERM}  # the shell may have made way for the program


def test_the_defaults_fit_the_times_of_the_table() -> None:
    """Pings come before an idle connection is closed, and the drain of the command is over before the kill."""
    engine = {**inspect.signature(ServerBase).parameters, **inspect.signature(EngineServer).parameters}  # noqa: TID251 - no handlers
    (idle_s,) = re.findall(r"idle connection closed\? \(Heroku: (\d+);", GUIDE)
    (kill_s,) = re.findall(r"SIGTERM and SIGKILL\? \(Heroku: (\d+);", GUIDE)
    words = shlex.split(COMMAND)
    drain_s = float(words[words.index("--drain") + 1])

    assert engine["ping_interval"].default + engine["ping_timeout"].default < int(idle_s)
    assert drain_s + {each.name: each.default for each in fields(ServerOptions)}["shutdown_timeout"] < int(kill_s)
