#!/usr/bin/env python
"""
Run connection state recovery under faults for minutes, and count what clients have lost or got twice.

    python benchmarks/soak_recovery.py kill --drops 1000
    python benchmarks/soak_recovery.py stay-away --drops 10000

``kill``: several servers share a Redis Stream. One after the other is killed with SIGKILL and started again, while
events are emitted without a pause. Each client comes back to another server, and must have had every number once, in
order.

``stay-away``: clients of one server, in memory, lose their connection and never come back, while events are emitted.
The server's memory is read after each tenth of them.

The exit status is 1 if a client that has come back has lost a number or got one twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

import fastsio
from harness.servers import HOST, allow_open_files, free_port, started

if TYPE_CHECKING:
    from collections.abc import Callable

APPS: Final = Path(__file__).resolve().parent / "apps"
#: Seconds between two deaths of a server; it has to be back before the next one.
PAUSE_S: Final = 1.0
#: Seconds that clients may take at the end until they have everything.
END_S: Final = 30.0
LOST: Final = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError)


def server_command(port: int) -> list[str]:
    """Return the command that serves the application on a port."""
    serve = ["-m", "uvicorn", "recovery_app:app", "--app-dir", str(APPS), "--host", HOST, "--port", str(port)]
    return [sys.executable, *serve, "--log-level", "error", "--ws", "websockets-sansio"]


async def open_client(port: int) -> Any:
    """Open a WebSocket, with the handshake of Engine.IO."""
    client = await connect(
        f"ws://{HOST}:{port}/socket.io/?EIO=4&transport=websocket",
        compression=None,
        max_size=None,
        ping_interval=None,
        proxy=None,
    )
    await client.recv()
    return client


@dataclass
class Counts:
    """What has happened to all clients."""

    drops: int = 0
    recovered: int = 0
    new: int = 0
    lost: int = 0
    doubled: int = 0
    events: int = 0


@dataclass
class Listener:
    """A client that comes back to any server whenever it loses its own, and checks the numbers that it gets."""

    ports: list[int]
    counts: Counts
    auth: dict[str, str] = field(default_factory=dict)
    #: The last number; None before the first one of a session.
    last: int | None = None
    is_in: bool = False

    async def listen(self) -> None:
        """Listen until the task is cancelled."""
        while True:
            port = random.choice(self.ports)  # noqa: S311 - a choice among servers
            with suppress(*LOST):
                async with AsyncExitStack() as stack:
                    client = await open_client(port)
                    stack.push_async_callback(client.close)
                    await client.send(f"40{json.dumps(self.auth)}")
                    await self.read(client)
            self.counts.drops += self.is_in
            self.is_in = False
            await asyncio.sleep(0.01)

    async def read(self, client: Any) -> None:
        """Read the frames of a connection until it ends."""
        while True:
            frame = await client.recv()
            if frame == "2":
                await client.send("3")
            elif frame.startswith("40"):
                self._join(json.loads(frame[2:])["pid"])
            elif frame.startswith("42"):
                _, number, self.auth["offset"] = json.loads(frame[2:])
                self._take(number)

    def _join(self, pid: str) -> None:
        known, self.is_in = self.auth.get("pid"), True
        if known == pid:
            self.counts.recovered += 1
        elif known is not None:
            self.counts.new += 1
        if known != pid:
            self.auth, self.last = {"pid": pid}, None

    def _take(self, number: int) -> None:
        self.counts.events += 1
        if self.last is not None:
            self.counts.lost += max(0, number - self.last - 1)
            self.counts.doubled += number <= self.last
        self.last = number


async def until(condition: Callable[[], bool], within_s: float = inf) -> None:
    """Wait until a condition holds, but no longer than some seconds."""
    end = time.monotonic() + within_s
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110 - it depends on many clients
        await asyncio.sleep(0.05)


async def emit_for_ever(manager: Any, numbers: list[int], pause_s: float) -> None:
    """Emit numbers, to all and to the room of all in turn; *numbers* has the last one that was accepted."""
    while True:
        number = numbers[0] + 1
        await manager.emit("number", number, room="all" if number % 2 else None)
        numbers[0] = number
        await asyncio.sleep(pause_s)


@dataclass
class Servers:
    """Servers on one Redis Stream, each of which can be killed and started again."""

    ports: list[int]
    environment: dict[str, str]
    stack: ExitStack
    processes: list[Any] = field(default_factory=list)
    deaths: int = 0

    def start(self, number: int) -> Any:
        """Start a server, and return its process."""
        port = self.ports[number]
        return self.stack.enter_context(started(server_command(port), "server", port, self.environment))

    def kill_next(self) -> None:
        """Kill the server whose turn it is, and start it again."""
        number = self.deaths % len(self.ports)
        self.deaths += 1
        self.processes[number].send_signal(signal.SIGKILL)
        self.processes[number].wait()
        self.processes[number] = self.start(number)


async def kill(options: argparse.Namespace) -> int:
    """Kill servers until there have been so many drops; return how many numbers were lost or doubled."""
    counts, numbers = Counts(), [0]
    with ExitStack() as stack:
        port = free_port()
        redis = ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        stack.enter_context(started(redis, "redis-server", port))
        url = f"redis://{HOST}:{port}/0"
        servers = Servers([free_port() for _ in range(options.servers)], {**os.environ, "REDIS_URL": url}, stack)
        servers.processes = [servers.start(number) for number in range(options.servers)]
        manager = fastsio.AsyncRedisStreamsManager(url, write_only=True, max_stream_length=100_000)
        listeners = [Listener(servers.ports, counts) for _ in range(options.clients)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listener.listen()) for listener in listeners]
            await until(lambda: all(listener.is_in for listener in listeners))
            await asyncio.sleep(0.5)  # sessions are stored a moment after
            emitting = group.create_task(emit_for_ever(manager, numbers, options.pause_s))
            while counts.drops < options.drops:
                await asyncio.to_thread(servers.kill_next)
                await until(lambda: all(listener.is_in for listener in listeners))
                await asyncio.sleep(PAUSE_S)
                print(f"{servers.deaths} deaths, {numbers[0]} numbers: {counts}", flush=True)
            emitting.cancel()
            await asyncio.wait([emitting])
            await until(lambda: all(listener.last == numbers[0] for listener in listeners), END_S)
            counts.lost += sum(numbers[0] - (listener.last or 0) for listener in listeners)
            for task in tasks:
                task.cancel()
        await manager.shutdown()
    print(f"{servers.deaths} deaths, {options.clients} clients, {numbers[0]} numbers: {counts}")
    return counts.lost + counts.doubled


def memory_kib(pid: int) -> int:
    """Return the memory of a process (PSS) in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss in smaps_rollup")


async def stay_away(options: argparse.Namespace) -> int:
    """Lose clients that never come back, and print the server's memory meanwhile."""
    with ExitStack() as stack:
        port = free_port()
        environment = {**os.environ, "KEPT_S": "5"}
        server = stack.enter_context(started(server_command(port), "server", port, environment))
        emitter = await open_client(port)
        await emitter.send("40")
        reading = asyncio.create_task(Listener([port], Counts()).read(emitter))
        gate = asyncio.Semaphore(32)

        async def lose() -> None:
            async with gate:
                client = await open_client(port)
                await client.send("40")
                await client.recv()
                client.transport.abort()

        print(f"at the start: {memory_kib(server.pid)} KiB", flush=True)
        for tenth in range(1, 11):
            for number in range(options.drops // 10 // 100):
                await asyncio.gather(*(lose() for _ in range(100)))
                await emitter.send(f'42["cast",{number}]')
            print(f"after {tenth * options.drops // 10} drops: {memory_kib(server.pid)} KiB", flush=True)
        await asyncio.sleep(6)
        print(f"when the last session has ended: {memory_kib(server.pid)} KiB")
        reading.cancel()
        await emitter.close()
    return 0


def main() -> int:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kill", "stay-away"])
    parser.add_argument("--drops", type=int, default=1000, help="how many connections are lost")
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--clients", type=int, default=60)
    parser.add_argument("--pause-s", type=float, default=0.005, help="seconds between two events")
    options = parser.parse_args()
    allow_open_files()
    return int(bool(asyncio.run((kill if options.what == "kill" else stay_away)(options))))


if __name__ == "__main__":
    sys.exit(main())
