"""The guide on background jobs: its server queues a job, a worker of arq or Celery does it, and a client reads what that emits."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from arq.jobs import Job

from fastsio import ASGIApp, AsyncServer, Session, SocketID
from fastsio.testing import TestClient
from tests.docs.snippets import marked, snippets
from tests.docs.test_snippets import ROOT
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GUIDE = ROOT / "docs" / "howto" / "background-jobs.md"


ADDRESS = "redis://localhost:6379/0"


def write_worker(folder: Path, name: str, url: str) -> None:
    """Write a worker of the guide, for the Redis of the test."""
    (snippet,) = (each for each in marked(GUIDE, "job") if each.reason == name)
    assert ADDRESS in snippet.code
    (folder / name).write_text(snippet.code.replace(ADDRESS, url))


def server_side(url: str) -> dict[str, Any]:
    """Return the names of the guide's server, for the Redis of the test."""
    names: dict[str, Any] = {}
    for snippet in marked(GUIDE, "redis"):
        assert ADDRESS in snippet.code
        snippet.run(names, replaced=(ADDRESS, url))
    sio: AsyncServer = names["sio"]

    @sio.event
    async def connect(sid: SocketID, session: Session) -> None:
        session["user"] = "ann"
        await sio.enter_room(sid, "user:ann")

    return names


@asynccontextmanager
async def worker(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker until it has ended by itself, or has been told to end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments, cwd=folder)
    try:
        yield process
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def progress(client: TestClient) -> list[int]:
    """Return how far a client is told that its report is."""
    return [(await client.receive("progress", timeout=WAIT_S)).data["percent"] for _ in range(3)]


async def test_a_job_of_arq_tells_its_user_how_far_it_is(tmp_path):
    """The events of the job reach the room of the user, in order, and its result is kept by arq."""
    with redis_server() as broker:
        write_worker(tmp_path, "worker.py", broker.url)
        names = server_side(broker.url)
        sio: AsyncServer = names["sio"]
        await names["connect_queue"]()
        queue = names["queue"]
        async with TestClient(ASGIApp(sio)) as ann:
            await ann.connect()
            job = Job(await ann.call("report", "May"), queue)
            async with worker(tmp_path, "arq", "worker.WorkerSettings", "--burst"):
                assert await progress(ann) == [0, 50, 100]
            assert await job.result(timeout=WAIT_S) == "report-May.pdf"
        await queue.aclose()
        await sio.shutdown()


async def test_a_task_of_celery_tells_its_user_how_far_it_is(tmp_path, monkeypatch):
    """Its worker forks, and the forked process emits through a connection of its own."""
    with redis_server() as broker:
        write_worker(tmp_path, "tasks.py", broker.url)
        # With the newest redis that arq allows, Celery has no queue on Redis: here it is in a folder.
        folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(tmp_path))
        tasks = (tmp_path / "tasks.py").read_text()
        assert "broker=REDIS)" in tasks
        queue = f'broker="filesystem://", config_source={{"broker_transport_options": {folders}}})'
        (tmp_path / "tasks.py").write_text(tasks.replace("broker=REDIS)", queue))
        monkeypatch.syspath_prepend(str(tmp_path))
        names = server_side(broker.url)
        names["make_report"] = importlib.import_module("tasks").make_report
        (handler,) = (each for each in snippets(GUIDE, "python") if "make_report.delay" in each.code)
        handler.run(names)
        sio: AsyncServer = names["sio"]

        async with TestClient(ASGIApp(sio)) as ann:
            await ann.connect()
            assert await ann.call("monthly_report", "May") is None
            command = ("celery", "--app", "tasks", "worker", "--concurrency", "1")
            async with worker(tmp_path, *command) as process:
                assert await progress(ann) == [0, 50, 100]
                process.terminate()
        await sio.shutdown()
