"""Servers that Kafka connects."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fastsio
from fastsio.exceptions import SetupError
from tests.support.brokers import kafka_server
from tests.support.cluster_nodes import acquainted, administer, cluster, exchange, survive
from tests.support.ports import HOST, reserved_port
from tests.support.waiting import PROGRAM_S, WAIT_S

GREEN_PROGRAM = Path(__file__).parents[2] / "support" / "green_nodes.py"

MANAGERS = {"asyncio": fastsio.AsyncKafkaManager, "threads": fastsio.KafkaManager}

#: kafka-python leaves sockets to the garbage collector when a broker refuses connections.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

THEIR_LISTENER = """
import sys, socketio
for message in socketio.KafkaManager(sys.argv[1], sys.argv[2])._listen():
    print(message.decode() if isinstance(message, bytes) else message, flush=True)
"""


@pytest.fixture(scope="module")
def broker():
    """A broker with Kafka's protocol; no listener outlives it."""
    others = set(threading.enumerate())
    with kafka_server() as running:
        yield running
        for thread in set(threading.enumerate()) - others:
            thread.join(WAIT_S)
    gc.collect()


@pytest.fixture
def manager(broker, request):
    """Make managers on a topic of the test's own."""
    topic = "".join(character if character.isalnum() else "-" for character in request.node.name)

    def make(kind, **options):
        return MANAGERS[kind](broker.url, topic, **options)

    return make


@pytest.mark.parametrize(("here", "there"), [("asyncio", "threads"), ("threads", "asyncio")])
async def test_an_administrator_is_told_of_clients_of_another_server(manager, here, there):
    """Also of one that was connected before the administrator."""
    async with cluster(manager(here), manager(there)) as (a, b):
        await acquainted(a, b)

        await administer(a, b)


@pytest.mark.parametrize(("here", "there"), [("asyncio", "asyncio"), ("threads", "threads"), ("asyncio", "threads")])
async def test_servers_exchange_everything(manager, here, there):
    """Rooms, binary payloads, callbacks and calls, both ways, whatever the servers run on."""
    async with cluster(manager(here), manager(there)) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


async def test_other_programs_emit(manager):
    """Managers that only write reach the clients of all servers."""
    async with cluster(manager("asyncio"), manager("threads")) as (a, b):
        await acquainted(a, b)
        first, second = manager("asyncio", write_only=True), manager("threads", write_only=True)

        await first.emit("news", 1)
        second.emit("news", 2)
        await first.shutdown()
        second.shutdown()

        for node in (a, b):
            assert sorted([await node.receive(), await node.receive()]) == [["news", 1], ["news", 2]]


async def test_python_socketio_reads_messages(broker, manager):
    """C-42: its own attempts to emit fail, for it hands text to kafka-python, which takes bytes."""
    emitter = manager("threads", write_only=True)
    command = [sys.executable, "-c", THEIR_LISTENER, broker.url, emitter.channel]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    reading = asyncio.create_task(process.stdout.readline())
    while not reading.done():
        await asyncio.to_thread(emitter.emit, "news", ({"id": 1}, b"\x00"), room="r")
        await asyncio.wait([reading], timeout=0.2)
    process.kill()
    await process.communicate()
    emitter.shutdown()

    assert json.loads(reading.result()) == {
        "method": "emit",
        "event": "news",
        "data": [[{"id": 1}, {"_placeholder": True, "num": 0}], "AA=="],
        "binary": True,
        "namespace": "/",
        "room": "r",
        "skip_sid": None,
        "callback": None,
        "host_id": emitter.host_id,
    }


async def test_an_outage_is_the_emitters_alone(broker, manager, quick_retries):
    """Local clients are served, the emitter learns that others are not, and everything comes back by itself."""
    options = {"publish_timeout": 1.0}
    async with cluster(manager("asyncio", **options), manager("threads", **options)) as nodes:
        await acquainted(*nodes)

        await survive(broker, manager("asyncio", **options), *nodes)


@pytest.mark.parametrize("mode", ["gevent", "eventlet"])
def test_greenlets_hear_each_other(broker, mode):
    """Listening leaves the other greenlets running."""
    command = [sys.executable, str(GREEN_PROGRAM), mode, "fastsio", "KafkaManager", broker.url]
    subprocess.run(command, check=True, timeout=PROGRAM_S)


@pytest.mark.parametrize("manager_class", MANAGERS.values())
def test_making_a_manager_connects_to_nothing(manager_class):
    """C-90: a server may start before its broker."""
    with reserved_port() as port:
        manager = manager_class(f"kafka://{HOST}:{port}", write_only=True)

    assert manager.listening is False


@pytest.mark.parametrize("manager_class", MANAGERS.values())
@pytest.mark.parametrize("url", ["http://localhost:9092", "localhost:9092", [], ["kafka://a", "b"], "kafka://a:b"])
def test_other_urls_are_refused(manager_class, url):
    """C-88: the error says how to write it."""
    with pytest.raises(SetupError, match="kafka://localhost:9092"):
        manager_class(url)
