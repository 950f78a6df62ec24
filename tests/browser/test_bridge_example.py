"""The example of one room in two protocols and two processes, in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, chat_server, require_javascript_client
from tests.support.brokers import redis_server
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program
from tests.support.waiting import WAIT_S

PROGRAM = Path(__file__).parent / "bridge.mjs"
WORKER = (sys.executable, "-m", "bridge.worker")


@pytest.fixture
def servers(monkeypatch):
    """Two servers of the example on a Redis."""
    require_javascript_client()
    with redis_server() as broker:
        monkeypatch.setenv("REDIS_URL", broker.url)
        with chat_server("bridge.app:app") as one, chat_server("bridge.app:app") as other:
            yield one, other


def line(reader: str, author: str, via: str, text: str) -> str:
    """What a page shows of a message."""
    return f"{'You' if author == reader else author}\nover {via}\n{text}"


async def test_both_kinds_hear_each_other_once_across_processes(servers, tmp_path):
    """
    What one page says both read, once; a worker's result is for one user alone.

    Both pages show who is there, wherever they are connected, and that the other one has gone.
    """
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }
    arguments = (servers[0].url, servers[1].url, json.dumps(options))
    async with node_program(PROGRAM, *arguments, packages=("playwright-core",)) as program:
        await program.step("ready")
        worker = await asyncio.create_subprocess_exec(*WORKER, "Ben", "the report is ready", cwd=ROOT / "examples")
        assert await asyncio.wait_for(worker.wait(), WAIT_S) == 0
        await program.tell()
        result = await program.result()

    said = [("Ann", "Socket.IO", "<b>hello</b> from Socket.IO"), ("Ben", "WebSocket", "hello from a plain WebSocket")]
    end = ("Ann", "Socket.IO", "the end")
    for reader, page in (("Ann", "ann"), ("Ben", "ben")):
        job = ["For you, from a worker: the report is ready"] if reader == "Ben" else []
        assert result[page] == [*(line(reader, *each) for each in said), *job, line(reader, *end)]
    assert result["wide"] == 0
    assert result["at"] == f"{servers[1].url.removeprefix('http://')} as Ben"


async def test_a_worker_without_redis_says_what_it_needs(monkeypatch):
    """What is in the servers' memory cannot be reached from outside."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    worker = await asyncio.create_subprocess_exec(
        *WORKER, "Ben", "done", cwd=ROOT / "examples", stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(worker.communicate(), WAIT_S)

    assert worker.returncode == 1
    assert b"Without REDIS_URL" in said
