"""The real clients reach two nodes through nginx, HAProxy, Traefik and Caddy, with the configurations of the guides."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.typing import Origin

import fastsio
from tests.integration.balancers.conftest import at_once, meet, several, where
from tests.support.balanced_site import node
from tests.support.balancers import DEPLOY, LISTENING, balancer, kind_of
from tests.support.brokers import make_certificates
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.ports import HOST
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.brokers import Broker

pytestmark = LEAVE_CONNECTIONS
COUNT = 8
POLLING = {"transports": ["polling"], "count": COUNT}
DEFAULT = {"transports": None, "count": COUNT}
WEBSOCKET = {"transports": ["websocket"], "count": COUNT}
TRANSPORTS = ["polling"] * COUNT + ["websocket"] * 2 * COUNT

#: The files for all transports, and what a client must do for each: keep cookies, or have an address of its own.
STICKY = {
    "nginx-sticky.conf": {"cookies": True},
    "nginx-address.conf": {"addresses": True},
    "haproxy-cookie.cfg": {"cookies": True},
    "haproxy-sid.cfg": {},
    "traefik.yaml": {"cookies": True},
    "container/Caddyfile": {"cookies": True},
}
PLAIN = ["nginx-plain.conf", "haproxy-plain.cfg"]


def ports(nodes: list[Broker]) -> list[int]:
    """Return where nodes listen."""
    return [each.port for each in nodes]


@pytest.mark.parametrize("name", STICKY)
async def test_clients_of_all_transports_reach_both_nodes_and_each_other(nodes, name):
    """Polling only, the default way, and WebSocket only; each stays with its node."""
    groups = [{**group, **STICKY[name]} for group in (POLLING, DEFAULT, WEBSOCKET)]

    with balancer(name, ports(nodes)) as proxy:
        places, transports = await meet(proxy.url, *groups)

    assert {where for where, _ in places} == {"a", "b"}
    assert transports == TRANSPORTS


@pytest.mark.parametrize("name", PLAIN)
async def test_clients_that_use_websockets_only_need_no_stickiness(nodes, name):
    """A WebSocket is one request."""
    with balancer(name, ports(nodes)) as proxy:
        places, transports = await meet(proxy.url, {**WEBSOCKET, "count": 3 * COUNT})

    assert {where for where, _ in places} == {"a", "b"}
    assert transports == ["websocket"] * 3 * COUNT


@pytest.fixture(scope="module")
def workers(redis: Broker) -> Iterator[Broker]:
    """Three workers of one machine."""
    with node("workers", redis.url, "--workers", "3") as process:
        yield process


@pytest.mark.parametrize("name", PLAIN)
async def test_workers_of_one_machine_need_no_stickiness(workers, name):
    """Although nginx puts the requests of all clients on connections that it keeps, a single one where that is enough."""
    changes = {"keepalive 16;": "keepalive 1;"} if name.startswith("nginx") else {}
    with balancer(name, [workers.port], changes) as proxy:
        _, transports = await meet(proxy.url, POLLING, DEFAULT, WEBSOCKET)

    assert transports == TRANSPORTS


@pytest.mark.parametrize("name", ["nginx-address.conf", "haproxy-sid.cfg", "traefik.yaml", "container/Caddyfile"])
async def test_handlers_see_the_address_of_the_client(nodes, name):
    """The nodes believe the header of a proxy on their own machine."""
    with balancer(name, ports(nodes)) as proxy:
        each = {**STICKY[name], "addresses": True}
        places, _ = await meet(proxy.url, {**POLLING, **each}, {**WEBSOCKET, **each})

    assert sorted(address for _, address in places) == sorted(f"127.0.1.{number + 1}" for number in range(2 * COUNT))


@pytest.mark.parametrize("name", [*STICKY, *PLAIN])
async def test_a_page_from_the_balancer_is_of_the_same_origin(nodes, name):
    """Its host, with the port, is the one that the node sees; a page from elsewhere is refused."""
    query = "/socket.io/?EIO=4&transport=polling"
    with balancer(name, ports(nodes)) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url) as client:
            own = await client.get(query, headers={"Origin": proxy.url})
            foreign = await client.get(query, headers={"Origin": "http://elsewhere.example"})

    assert (own.status_code, own.headers["access-control-allow-origin"]) == (200, proxy.url)
    assert foreign.status_code == 400


def lines_for_tls(name: str, folder: Path) -> dict[str, str]:
    """Return what the guide replaces in a file, with the certificates of a folder."""
    kind = kind_of(name)
    rows = (DEPLOY.parent / "howto" / "containers.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"(?mi)^\| {kind} \| `{LISTENING[kind]}` \| (.+) \|$", rows)
    row = row.replace("/etc/ssl/chat.", f"{folder}/server.").replace("/etc/ssl", str(folder))
    first, *others = re.findall(r"`([^`]+)`", row)
    if kind != "traefik":
        assert not others
        return {LISTENING[kind]: first}
    below, certificates, _ = others
    return {LISTENING[kind]: f"{first}\n    {below}", "http:\n": f"{certificates}\nhttp:\n"}


@pytest.mark.parametrize("name", [*PLAIN, "traefik.yaml"])
async def test_the_line_of_the_guide_adds_tls(nodes, name, tmp_path):
    """With certificates of the test, over polling and WebSocket; the page's origin is the proxy's, with https."""
    make_certificates(tmp_path)
    both = "".join((tmp_path / file).read_text(encoding="utf-8") for file in ("server.pem", "server.key"))
    (tmp_path / "chat-with-key.pem").write_text(both, encoding="utf-8")
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    with balancer(name, ports(nodes), lines_for_tls(name, tmp_path)) as proxy:
        address = f"{HOST}:{proxy.port}/socket.io/?EIO=4&transport="
        origin = f"https://{HOST}:{proxy.port}"
        async with httpx.AsyncClient(verify=trust) as client:
            opened = await client.get(f"https://{address}polling", headers={"Origin": origin})
        async with connect(f"wss://{address}websocket", ssl=trust, origin=Origin(origin)) as websocket:
            handshake = await websocket.recv()

    assert (opened.status_code, opened.headers["access-control-allow-origin"]) == (200, origin)
    assert str(handshake).startswith('0{"sid"')


@pytest.mark.parametrize("name", [*PLAIN, "nginx-sticky.conf", "haproxy-sid.cfg", "traefik.yaml"])
async def test_the_line_of_the_guide_passes_the_whole_site_on(nodes, name):
    """A route of the application is reached, and clients are served as before."""
    text = (DEPLOY.parent / "howto" / "balancers.md").read_text(encoding="utf-8")
    ((before, after),) = re.findall(rf"(?mi)^\| {kind_of(name)} \| `+([^|]+?)`+ \| `+([^|]+?)`+ \|$", text)

    with balancer(name, ports(nodes), {before: after}) as proxy:
        async with httpx.AsyncClient(base_url=proxy.url) as client:
            assert (await client.get("/ready")).status_code == 200
        _, transports = await meet(proxy.url, WEBSOCKET)

    assert transports == ["websocket"] * COUNT


#: The times of the files, a hundredth as long as there.
SHORT = {
    "nginx-sticky.conf": {"60s;": "3s;"},
    "haproxy-cookie.cfg": {
        "timeout server 60s": "timeout server 3s",
        "timeout tunnel 60s": "timeout tunnel 3s",
    },
}


@pytest.mark.parametrize("name", SHORT)
async def test_pings_keep_idle_connections_through_the_balancer(redis, name):
    """With times in the proportion of the guide: ping_interval and ping_timeout together are less than the balancer's."""
    idle = {"count": 3, "cookies": True, "pings": 7}
    with (
        node("a", redis.url, ping_interval=0.5, ping_timeout=2) as only,
        balancer(name, [only.port], SHORT[name]) as proxy,
    ):
        await meet(proxy.url, {"transports": ["polling"], **idle}, {"transports": ["websocket"], **idle})


@pytest.mark.parametrize("name", ["nginx-sticky.conf", "haproxy-cookie.cfg", "traefik.yaml", "container/Caddyfile"])
async def test_clients_of_a_node_that_has_ended_go_to_the_other_one(redis, name):
    """They come back by themselves, over any transport."""
    with at_once(node("a", redis.url), node("b", redis.url)) as (a, b), balancer(name, ports([a, b])) as proxy:
        async with several(proxy.url, fastsio.AsyncClient) as group:
            first = [await where(client) for client in group]
            assert set(first) == {"a", "b"}
            gone, stays = (a, b) if first[0] == "a" else (b, a)
            left = asyncio.Event()
            group[0].on("disconnect", lambda _reason: left.set())
            back = asyncio.Event()
            group[0].on("connect", back.set)

            await asyncio.to_thread(gone.stop)

            # Traefik and Caddy notice it after some seconds.
            async with asyncio.timeout(3 * WAIT_S):
                await left.wait()
                await back.wait()
            assert await where(group[0]) == ("a" if stays is a else "b")


@pytest.mark.parametrize("kind", [fastsio.AsyncClient, socketio.AsyncClient], ids=["fastsio", "python-socketio"])
@pytest.mark.parametrize("name", [name for name in STICKY if "addresses" not in STICKY[name]])
async def test_python_clients_reach_both_nodes(nodes, name, kind):
    """Their HTTP libraries keep cookies."""
    with balancer(name, ports(nodes)) as proxy:
        async with several(proxy.url, kind) as group:
            assert {await where(client) for client in group} == {"a", "b"}


async def test_a_message_of_the_largest_size_passes(nodes):
    """The limit of the guide's configuration is the server's."""
    with balancer("nginx-sticky.conf", ports(nodes)) as proxy:
        client = fastsio.AsyncClient()
        await client.connect(proxy.url, transports=["polling"])
        text = "x" * 900_000
        assert (await client.call("where", text, timeout=WAIT_S))["data"] == text
        await client.disconnect()
