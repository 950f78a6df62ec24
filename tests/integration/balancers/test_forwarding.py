"""Machines behind a balancer that is not sticky: requests for each other's sessions are forwarded over Redis or NATS."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
import redis.asyncio
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import fastsio
from fastsio.cluster.forwarding import ForwardedRequest, decode
from fastsio.integrations.workers.forwarding import SILENT_S
from tests.integration.balancers.conftest import at_once, meet, several, where
from tests.support.balanced_site import node
from tests.support.balancers import balancer
from tests.support.brokers import nats_server, redis_server
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.brokers import Broker

pytestmark = LEAVE_CONNECTIONS
QUERY = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module")
def nats() -> Iterator[Broker]:
    """A NATS server for the forwarded requests."""
    with nats_server() as broker:
        yield broker


@pytest.fixture(scope="module", params=["redis", "nats"])
def machines(request, redis) -> Iterator[list[Broker]]:
    """Two machines of two workers each."""
    url = redis.url if request.param == "redis" else request.getfixturevalue("nats").url
    with at_once(*[node(name, redis.url, "--workers", "2", "--forward", url) for name in ("a", "b")]) as both:
        yield both


async def test_polling_clients_stay_connected_although_each_request_goes_to_another_machine(machines):
    """A hundred of a hundred, beside clients with WebSockets."""
    with balancer("nginx-plain.conf", [each.port for each in machines]) as proxy:
        places, transports = await meet(
            proxy.url, {"transports": ["polling"], "count": 100}, {"transports": ["websocket"], "count": 10}
        )

    assert {where for where, _ in places} == {"a", "b"}
    assert transports == ["polling"] * 100 + ["websocket"] * 10


class Pair(NamedTuple):
    """Two machines, and the Redis over which they forward."""

    a: Broker
    b: Broker
    bus: Broker


async def test_clients_with_default_transports_stay_connected_whether_they_upgrade_or_not(machines):
    """Upgrades that reach the wrong machine fail, and those that reach the right one succeed, under way as at rest."""
    with balancer("nginx-plain.conf", [each.port for each in machines]) as proxy:
        _, transports = await meet(proxy.url, {"transports": None, "count": 40, "mayStay": True})

    assert set(transports) == {"polling", "websocket"}


@pytest.mark.parametrize("kind", [fastsio.AsyncClient, socketio.AsyncClient], ids=["fastsio", "python-socketio"])
async def test_python_clients_stay_connected_too(machines, kind):
    """Those that may upgrade, too."""
    with balancer("nginx-plain.conf", [each.port for each in machines]) as proxy:
        async with several(proxy.url, kind, (["polling"], None)) as group:
            for _ in range(5):
                answers = await asyncio.gather(*[where(client) for client in group])
                assert set(answers) == {"a", "b"}


@pytest.fixture(scope="module")
def pair(redis) -> Iterator[Pair]:
    """Two machines of one process each, with a Redis of their own for what is forwarded."""
    with redis_server() as bus, at_once(*[node(name, redis.url, "--forward", bus.url) for name in ("a", "b")]) as both:
        yield Pair(*both, bus)


@asynccontextmanager
async def session(at: Broker) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """Begin a session by polling; give the client and its path."""
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        opened = (await client.get(at.url + QUERY)).text
        sid = opened.partition('"sid":"')[2].partition('"')[0]
        yield client, f"{QUERY}&sid={sid}"


async def test_requests_of_one_session_may_go_anywhere(pair):
    """A poll waits at one machine for what is posted at the other; large bodies too; CORS is as at the right machine."""
    a, b, _ = pair
    async with session(a) as (client, path):
        origin = {"Origin": b.url}
        joined = await client.post(b.url + path, content="40", headers=origin)
        assert (joined.status_code, joined.text) == (200, "ok")
        assert joined.headers["access-control-allow-origin"] == b.url
        assert (await client.get(b.url + path)).text.startswith('40{"sid":')
        poll = asyncio.create_task(client.get(b.url + path))
        text = "x" * 900_000
        assert (await client.post(b.url + path, content=f'421["where","{text}"]')).text == "ok"
        answer = (await poll).text
        assert answer.startswith('431[{"node":"a"')
        assert text in answer
        assert (await client.post(b.url + path, content="x" * 1_000_001)).status_code == 413


async def test_an_upgrade_at_the_wrong_machine_is_refused_and_the_session_goes_on(pair):
    """Its client stays on polling."""
    a, b, _ = pair
    async with session(a) as (client, path):
        with pytest.raises(InvalidStatus, match="400"):
            await connect(f"ws://127.0.0.1:{b.port}{path.replace('polling', 'websocket')}")

        assert (await client.post(b.url + path, content="40")).text == "ok"
        assert (await client.get(a.url + path)).text.startswith('40{"sid":')


async def test_a_client_that_breaks_off_its_poll_ends_its_session(pair):
    """As at the right machine: the other one is told."""
    a, b, _ = pair
    async with session(a) as (client, path):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(b.url + path, timeout=httpx.Timeout(WAIT_S, read=2))

        async with asyncio.timeout(WAIT_S):
            while (await client.post(a.url + path, content="3")).status_code != 400:
                pass


async def test_invented_sids_reach_no_other_machine(pair):
    """Those that name no process cost no message."""
    a, b, bus = pair
    async with session(a) as (client, path), redis.asyncio.from_url(bus.url) as ears, ears.pubsub() as listening:
        assert (await client.post(b.url + path, content="40")).text == "ok"  # both are connected to the Redis
        await listening.psubscribe("*")
        await listening.get_message(timeout=WAIT_S)
        began = time.monotonic()
        invented = [f"{b.url}{QUERY}&sid=AAAAAAAAAAAAAAAAAAAA.{number:010x}.1" for number in range(200)]
        answers = await asyncio.gather(*[client.get(url) for url in invented])
        assert {answer.status_code for answer in answers} == {400}
        assert time.monotonic() - began < WAIT_S  # an answer is waited for longer
        heard = []
        while (message := await listening.get_message(ignore_subscribe_messages=True, timeout=0.1)) is not None:
            heard.append(decode(message["data"]))

    assert not any(isinstance(message, ForwardedRequest) for message in heard)


async def test_sessions_of_a_machine_that_was_killed_are_unknown_at_once(redis, pair):
    """Redis tells that nobody listens."""
    a, _, bus = pair
    with node("c", redis.url, "--forward", bus.url) as c:
        async with session(c) as (client, path):
            assert (await client.post(a.url + path, content="40")).text == "ok"
            c.kill()
            began = time.monotonic()

            assert (await client.post(a.url + path, content="3")).status_code == 400
            assert (await client.get(a.url + path)).status_code == 400
            assert time.monotonic() - began < SILENT_S


async def test_a_machine_that_stops_answers_first_and_is_known_to_be_gone(redis, pair):
    """A poll that was forwarded is answered as one at the right machine, and the process ends in time."""
    a, _, bus = pair
    with node("c", redis.url, "--forward", bus.url) as c:
        async with session(c) as (client, path):
            assert (await client.post(a.url + path, content="40")).text == "ok"
            assert (await client.get(a.url + path)).text.startswith('40{"sid":')
            poll = asyncio.create_task(client.get(a.url + path))
            assert (await client.post(a.url + path, content="3")).text == "ok"  # the poll is before it in the channel
            began = time.monotonic()

            await asyncio.to_thread(c.stop)

            assert time.monotonic() - began < 20  # a poll may wait for 25 seconds
            answer = await poll
            assert (answer.status_code, answer.text) in {(200, "1"), (200, "6"), (503, "")}
            assert (await client.post(a.url + path, content="3")).status_code == 400


async def test_what_is_forwarded_fails_while_the_broker_is_away_and_works_again_later(pair):
    """Requests at the right machine need no broker."""
    a, b, bus = pair
    async with session(a) as (client, path):
        assert (await client.post(b.url + path, content="40")).text == "ok"
        bus.kill()
        refused = await client.post(b.url + path, content="3")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.get(a.url + path)).text.startswith('40{"sid":')

        bus.start()

        async with asyncio.timeout(WAIT_S):
            while (await client.post(b.url + path, content='42["x"]')).status_code != 200:
                pass
