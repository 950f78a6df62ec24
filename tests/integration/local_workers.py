"""Workers of one machine without a broker, each a process with a port of its own, and clients of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from websockets.asyncio.client import connect

from tests.integration.clients import WebSocketClient, eventually, open_websocket
from tests.support.servers import Address
from tests.support.waiting import START_S, WAIT_S

ROOT = Path(__file__).parents[2]


@dataclass
class Person:
    """A raw client that keeps what it needs to come back, as the JavaScript client does."""

    client: WebSocketClient
    sid: str
    pid: str
    offset: str | None = None
    missed: list[list[Any]] = field(default_factory=list)

    async def event(self) -> list[Any]:
        """Return the next event, without its offset; a client of the Admin UI is told none."""
        frame = await self.client.receive()
        assert isinstance(frame, str), frame
        event: list[Any] = json.loads(frame[2:])
        self.offset = event.pop()
        return event

    async def emit(self, *event: Any) -> None:
        """Send an event."""
        await self.client.send(f"42{json.dumps(event)}")


class Worker:
    """
    A process.

    Args:
        program: It.
        stack: What is closed in the end.
    """

    def __init__(self, program: asyncio.subprocess.Process, port: int, stack: AsyncExitStack) -> None:
        self.program = program
        self.address = Address("127.0.0.1", port)
        self._stack = stack
        self.log = ""

    async def person(self, old: Person | None = None) -> Person:
        """Connect a client, or let one come back."""
        client = await self._stack.enter_async_context(open_websocket(self.address))
        auth = "" if old is None else json.dumps({"pid": old.pid, "offset": old.offset})
        await client.send(f"40{auth}")
        missed = []
        while (frame := await client.receive())[:2] == "42":
            missed.append(json.loads(frame[2:]))
        assert isinstance(frame, str), frame
        answer = json.loads(frame[2:])
        offset = missed[-1][-1] if missed else None if old is None else old.offset
        return Person(client, answer["sid"], answer["pid"], offset, [event[:-1] for event in missed])

    async def socket(self) -> Any:
        """Connect a client of the consumer."""
        return await self._stack.enter_async_context(connect(f"ws://127.0.0.1:{self.address.port}/chat", proxy=None))

    async def kill(self) -> None:
        """End it as the system does when there is no memory left."""
        self.program.kill()
        await self.program.wait()

    async def hang(self) -> None:
        """Stop it; it has stopped when this returns."""
        self.program.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{self.program.pid}/stat")
        await eventually(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")

    async def go_on(self) -> None:
        """Let one that stalls go on."""
        assert self.program.stdin is not None
        self.program.stdin.write(b"\n")
        await self.program.stdin.drain()

    async def logged(self, text: str) -> None:
        """Wait until it has logged something."""
        assert self.program.stderr is not None
        async with asyncio.timeout(WAIT_S):
            while text not in self.log:
                line = await self.program.stderr.readline()
                assert line, self.log
                self.log += line.decode()


class Workers:
    """Starts workers that share a directory."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self.path = Path()

    async def __aenter__(self) -> Self:
        # The paths of Unix sockets are short.
        self.path = Path(self._stack.enter_context(TemporaryDirectory()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self, count: int, **environment: str) -> list[Worker]:
        """Start several at once."""
        return await asyncio.gather(*(self._start(environment) for _ in range(count)))

    async def _start(self, environment: dict[str, str]) -> Worker:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.local_program"),
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "FASTSIO_WORKERS": str(self.path), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._stack.push_async_callback(_end, program)
        assert program.stdout is not None
        async with asyncio.timeout(START_S):
            line = await program.stdout.readline()
        assert line.startswith(b"port "), (await program.communicate())[1].decode()
        return Worker(program, int(line.split()[1]), self._stack)


async def _end(program: asyncio.subprocess.Process) -> None:
    if program.returncode is None:
        program.kill()
    await program.communicate()
