"""
Start a real Redis Cluster of three masters for tests.

::

    with redis_cluster() as cluster:
        manager = AsyncRedisManager(cluster.url, sharded=True)
        cluster.move_slot(866)  # to the next master
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from tests.support.brokers import POLL_S, Broker, folder, program, running
from tests.support.ports import HOST, reserved_port
from tests.support.waiting import START_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOTS = 16384
MASTERS = 3


@dataclass
class RedisCluster:
    """
    Three masters with a third of the slots each.

    Args:
        masters: The servers.
        bus_ports: Where they talk to each other.
    """

    masters: list[Broker]
    bus_ports: list[int]

    @contextmanager
    def replica(self, number: int) -> Iterator[Broker]:
        """Run a replica of a master, which takes its place when :meth:`take_over` says so."""
        # It waits for its turn: an election may fail on a busy machine, and the next one is seconds away.
        waits = ("--cluster-replica-no-failover", "yes")
        with _server(*waits) as (replica, bus_port), redis.Redis(HOST, replica.port) as client:
            self.command(0, "CLUSTER", "MEET", HOST, replica.port, bus_port)
            name = self.command(number, "CLUSTER", "MYID")
            _wait(lambda: name in str(client.execute_command("CLUSTER", "NODES")))
            client.execute_command("CLUSTER", "REPLICATE", name)
            _wait(lambda: client.info("replication").get("master_link_status") == "up")
            _wait(lambda: all(self._is_known(replica, asked) for asked in range(MASTERS)))
            # One that does not know the other masters yet would wait for them for ever, once its own is gone.
            _wait(lambda: _connected_masters(client) == MASTERS)
            yield replica

    def take_over(self, replica: Broker) -> None:
        """Have a replica take the place of its master, which is gone, and wait until the others know it."""
        with redis.Redis(HOST, replica.port) as client:
            client.execute_command("CLUSTER FAILOVER", "TAKEOVER")
            _wait(lambda: _is_well(client))
        others = [number for number, master in enumerate(self.masters) if master.process is not None]
        _wait(lambda: all(self._is_known(replica, asked, "master") and self._is_well(asked) for asked in others))

    def _is_known(self, server: Broker, asked: int, role: str = "slave") -> bool:
        """Whether a master counts a server among those of a role."""
        lines = self.command(asked, "CLUSTER", "NODES").splitlines()
        return any(f":{server.port}@" in line and role in line for line in lines)

    @property
    def url(self) -> str:
        """What clients connect to: the first master."""
        return self.masters[0].url

    def kill(self) -> None:
        """End all masters at once."""
        for master in self.masters:
            master.kill()

    def start(self) -> None:
        """Start masters that were killed, and wait until they serve all slots."""
        for master in self.masters:
            if master.process is None:
                master.start()
        _wait(lambda: all(map(self._is_well, range(MASTERS))))

    def assign(self) -> None:
        """Make one cluster of three servers, and wait until they serve all slots."""
        for number, master in enumerate(self.masters):
            first, after = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS
            self.command(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self.command(number, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            self.command(0, "CLUSTER", "MEET", HOST, master.port, self.bus_ports[number])
        _wait(lambda: all(map(self._is_well, range(MASTERS))))

    def command(self, number: int, *words: Any) -> Any:
        """Say something to one of the masters."""
        with redis.Redis(HOST, self.masters[number].port, decode_responses=True) as client:
            return client.execute_command(*words)

    def master_of(self, slot: int, asked: int = 0) -> int:
        """Return the number of the master that has a slot, as one of them sees it."""
        ranges = self.command(asked, "CLUSTER", "SLOTS")
        port = next(int(master[1]) for first, last, master, *_ in ranges if first <= slot <= last)
        return [master.port for master in self.masters].index(port)

    def move_slot(self, slot: int) -> int:
        """Give a slot without keys to the next master, wait until all know it, and return that master's number."""
        source = self.master_of(slot)
        target = (source + 1) % MASTERS
        to_whom, from_whom = (self.command(number, "CLUSTER", "MYID") for number in (target, source))
        # In this order, else the masters may take the slot back from each other.
        self.command(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", from_whom)
        self.command(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", to_whom)
        for number in (target, source):
            self.command(number, "CLUSTER", "SETSLOT", slot, "NODE", to_whom)
        _wait(lambda: all(self.master_of(slot, asked=number) == target for number in range(MASTERS)))
        return target

    def _is_well(self, number: int) -> bool:
        with redis.Redis(HOST, self.masters[number].port) as client:
            return _is_well(client)


def _is_well(client: Any) -> bool:
    """Whether a server serves all slots, as far as it knows."""
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) >= MASTERS


def _connected_masters(client: Any) -> int:
    """How many masters a server is connected to."""
    nodes = client.execute_command("CLUSTER NODES").values()
    return sum("master" in node["flags"].split(",") and node["connected"] for node in nodes)


def _wait(is_met: Callable[[], bool]) -> None:
    """Wait until a condition is met."""
    until = time.monotonic() + START_S
    while not is_met():
        if time.monotonic() > until:
            raise RuntimeError("the servers of the cluster do not agree")
        time.sleep(POLL_S)


@contextmanager
def _server(*options: str) -> Iterator[tuple[Broker, int]]:
    """Run a server that may join a cluster, and tell where it talks to others of it."""
    redis_server = program("redis-server", "apt-get install redis-server")
    with folder() as path, reserved_port() as port, reserved_port() as bus_port:
        command = [redis_server, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        command += ["--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--cluster-node-timeout", "1000"]
        command += ["--repl-diskless-sync-delay", "0", *options]
        with running(Broker(command, port, f"redis://{HOST}:{port}/0", path)) as broker:
            yield broker, bus_port


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Run a cluster that keeps nothing but who has which slot."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_server()) for _ in range(MASTERS)]
        cluster = RedisCluster([broker for broker, _ in servers], [bus_port for _, bus_port in servers])
        cluster.assign()
        yield cluster
