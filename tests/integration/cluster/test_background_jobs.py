"""The guide on background jobs: its server queues a job, its worker of arq does it, and a client reads what that emits."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from arq.jobs import Job

from fastsio import ASGIApp, AsyncServer, Session, SocketID
from fastsio.testing import TestClient
from tests.docs.snippets import marked
from tests.docs.test_snippets import ROOT
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = ROOT / "docs" / "howto" / "background-jobs.md"


ADDRESS = "redis://localhost:6379/0"


def write_worker(folder: Path, url: str) -> None:
    """Write the worker of the guide, for the Redis of the test."""
    (snippet,) = marked(GUIDE, "job")
    assert ADDRESS in snippet.code
    (folder / "worker.py").write_text(snippet.code.replace(ADDRESS, url))


def server_side(url: str) -> dict[str, Any]:
    """Return the names of the guide's server, for the Redis of the test."""
    names: dict[str, Any] = {}
    for snippet in marked(GUIDE, "redis"):
        assert ADDRESS in snippet.code
        snippet.run(names, replaced=(ADDRESS, url))
    return names


async def test_a_job_of_arq_tells_its_user_how_far_it_is(tmp_path):
    """The events of the job reach the room of the user, in order, and its result is kept by arq."""
    with redis_server() as broker:
        write_worker(tmp_path, broker.url)
        names = server_side(broker.url)
        sio: AsyncServer = names["sio"]

        @sio.event
        async def connect(sid: SocketID, session: Session) -> None:
            session["user"] = "ann"
            await sio.enter_room(sid, "user:ann")

        await names["connect_queue"]()
        queue = names["queue"]
        async with TestClient(ASGIApp(sio)) as ann:
            await ann.connect()
            job = Job(await ann.call("report", "May"), queue)
            command = [sys.executable, "-m", "arq", "worker.WorkerSettings", "--burst"]
            worker = await asyncio.create_subprocess_exec(*command, cwd=tmp_path)
            try:
                progress = [(await ann.receive("progress", timeout=WAIT_S)).data["percent"] for _ in range(3)]
                assert await asyncio.wait_for(worker.wait(), WAIT_S) == 0
            finally:
                if worker.returncode is None:
                    worker.kill()
                    await worker.wait()
            assert (progress, await job.result(timeout=WAIT_S)) == ([0, 50, 100], "report-May.pdf")
        await queue.aclose()
        await sio.shutdown()
