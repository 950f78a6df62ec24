"""Channel layers between real processes."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pytest

from tests.integration.layer_lab import BROKERS, laboratory, receive, soon, until
from tests.support.brokers import nats_server, redis_server
from tests.support.waiting import START_S

ROOT = Path(__file__).parents[3]
#: Python takes its time to import a package while other tests run.


@asynccontextmanager
async def process(lab, *arguments):
    """Run the program for the length of a block."""
    command = [
        sys.executable,
        "-m",
        "tests.integration.layer_program",
        lab.kind,
        lab.place,
        lab.prefix,
        *arguments,
    ]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def line(running):
    """Return the next line a process writes."""
    return (await asyncio.wait_for(running.stdout.readline(), START_S)).decode().strip()


BROKER_OF = {"nats": nats_server, "local": nullcontext}


@pytest.mark.parametrize("kind", [*BROKERS, "local"])
async def test_processes_and_a_worker_share_groups_and_channels(kind):
    """A group spans processes; a worker without a loop tells one client, and all."""
    with BROKER_OF.get(kind, redis_server)() as broker:
        async with laboratory(kind, broker) as lab, process(lab, "member") as one, process(lab, "member") as two:
            first, second = [(await line(each)).removeprefix("channel ") for each in (one, two)]
            layer = lab.layer()
            mine = await layer.new_channel()
            await layer.group_add("room", mine)

            async with process(lab, "worker", first) as worker:
                _, errors = await asyncio.wait_for(worker.communicate(), START_S)
                assert (worker.returncode, errors.decode()) == (0, "")

            assert [await line(one), await line(one)] == ["💬 direct", "💬 all"]
            assert await line(two) == "💬 all"
            assert (await receive(layer, mine))[0]["text"] == "💬 all"
            await layer.send(second, {"text": "to one"})
            assert await line(two) == "to one"


async def is_empty(layer, group):
    """Tell whether a group has no members."""
    return not await layer.group_channels(group)


async def test_a_process_that_is_killed_leaves_its_groups():
    """Its membership lapses with its lease."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab, process(lab, "member") as doomed:
            channel = (await line(doomed)).removeprefix("channel ")
            layer = lab.layer()
            assert await layer.group_channels("room") == [channel]

            doomed.kill()
            await soon(doomed.wait())
            await until(lambda: is_empty(layer, "room"))
            await layer.group_send("room", {"text": "anybody"})

            assert not await layer._queues.run("x", "KEYS", "*routes*")
