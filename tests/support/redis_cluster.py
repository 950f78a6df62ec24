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

from tests.support.brokers import HOST, POLL_S, START_TIMEOUT_S, Broker, folder, free_port, program, running

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
        self._wait(self._is_well)

    def assign(self) -> None:
        """Make one cluster of three servers, and wait until they serve all slots."""
        for number, master in enumerate(self.masters):
            first, after = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS
            self.command(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self.command(number, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            self.command(0, "CLUSTER", "MEET", HOST, master.port, self.bus_ports[number])
        self._wait(self._is_well)

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
        self._wait(lambda number: self.master_of(slot, asked=number) == target)
        return target

    @staticmethod
    def _wait(is_met: Callable[[int], bool]) -> None:
        """Wait until a condition is met by all masters."""
        until = time.monotonic() + START_TIMEOUT_S
        while not all(map(is_met, range(MASTERS))):
            if time.monotonic() > until:
                raise RuntimeError("the masters do not agree")
            time.sleep(POLL_S)

    def _is_well(self, number: int) -> bool:
        with redis.Redis(HOST, self.masters[number].port) as client:
            info = client.execute_command("CLUSTER INFO")
        return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(MASTERS)


@contextmanager
def redis_cluster() -> Iterator[RedisCluster]:
    """Run a cluster that keeps nothing but who has which slot."""
    redis_server = program("redis-server", "apt-get install redis-server")
    with ExitStack() as stack:
        masters, bus_ports = [], []
        for _ in range(MASTERS):
            path, port, bus_port = stack.enter_context(folder()), free_port(), free_port()
            command = [redis_server, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
            command += ["--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--cluster-node-timeout", "1000"]
            masters.append(stack.enter_context(running(Broker(command, port, f"redis://{HOST}:{port}/0", path))))
            bus_ports.append(bus_port)
        cluster = RedisCluster(masters, bus_ports)
        cluster.assign()
        yield cluster
