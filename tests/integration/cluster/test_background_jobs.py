"""The guide on background jobs: its worker of arq runs, and clients of a server read what it emits."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from arq import create_pool
from arq.connections import RedisSettings

from fastsio import ASGIApp, AsyncRedisManager, AsyncServer
from fastsio.testing import TestClient
from tests.docs.snippets import snippets
from tests.docs.test_snippets import ROOT
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = ROOT / "docs" / "howto" / "background-jobs.md"


def write_worker(folder: Path, url: str) -> None:
    """Write the worker of the guide, for the Redis of the test."""
    (code,) = (each.code for each in snippets(GUIDE, "python") if each.mark == "job")
    assert "redis://localhost:6379/0" in code
    (folder / "worker.py").write_text(code.replace("redis://localhost:6379/0", url))


async def test_a_job_of_arq_tells_its_user_how_far_it_is(tmp_path):
    """The events of the job reach the room of the user, in order, and its result is kept by arq."""
    with redis_server() as broker:
        write_worker(tmp_path, broker.url)
        sio = AsyncServer(async_mode="asgi", client_manager=AsyncRedisManager(broker.url))
        sio.on("connect", lambda sid, environ: sio.enter_room(sid, "user:ann"))
        queue = await create_pool(RedisSettings.from_dsn(broker.url))
        async with TestClient(ASGIApp(sio)) as ann:
            await ann.connect()
            job = await queue.enqueue_job("make_report", "ann", "May")
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
