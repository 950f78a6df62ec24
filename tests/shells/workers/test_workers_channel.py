"""The way of connections between workers: parcels of any size, workers that end, and what is left open."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fastsio.integrations.workers.channel import HEAD, Inbox, Outbox, ParcelsFull
from tests.integration.clients import eventually
from tests.support.waiting import WAIT_S

LIMIT = 1_000_000
#: More than the system keeps for a socket.
LARGE = 5_000_000


def count_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Line:
    """An outbox, the inbox at its other end, and what has arrived there."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.path = folder / "1.requests"
        self.outbox = Outbox(self.path, asyncio.get_running_loop(), limit)
        self.inbox: Inbox | None = None
        self.arrived: list[tuple[bytes, bytes, bytes]] = []
        self.losses = 0
        self.malformed: list[str] = []
        self.ends: list[bool] = []

    def listen(self) -> None:
        self.inbox = Inbox(self.path, asyncio.get_running_loop(), self._take, self._lose, self.malformed.append)

    def send(self, said: bytes, data: bytes, text: bytes = b"hello") -> None:
        """Send the end of a pair from which *text* can be read."""
        here, there = socket.socketpair()
        here.sendall(text)
        here.close()

        def end(is_sent: bool) -> None:
            self.ends.append(is_sent)
            there.close()

        try:
            self.outbox.send(there.fileno(), said, data, end)
        except (OSError, ParcelsFull):
            there.close()
            raise

    def flood(self) -> None:
        """Send until no more is taken."""
        while True:
            self.send(b"", b"x" * 9_000)

    def close(self) -> None:
        self.outbox.close()
        if self.inbox is not None:
            self.inbox.close()
            self.inbox = None

    def _take(self, descriptor: int, said: bytes, data: bytes) -> None:
        with socket.socket(fileno=descriptor) as connection:
            self.arrived.append((said, data, connection.recv(100)))

    def _lose(self) -> None:
        self.losses += 1


@pytest.fixture
def folder():
    """A folder whose path is short enough."""
    with tempfile.TemporaryDirectory(prefix="e") as path:
        yield Path(path)


@pytest.fixture
async def line(folder):
    """A line; what it has opened is closed in the end."""
    before = count_files()
    lines: list[Line] = []

    def make(**options: Any) -> Line:
        lines.append(Line(folder, **options))
        return lines[-1]

    yield make
    for one in lines:
        one.close()
    assert count_files() == before


async def test_parcels_arrive_in_order_with_their_connections(line):
    """Small, empty and large ones; the sender's descriptor may be closed as soon as it hears so."""
    way = line(limit=2 * LARGE)
    way.listen()
    sent = [(b"", b"GET /"), (b"said", b""), (b"", b"x" * LARGE), (b"[]", b"POST /")]

    for count, (said, data) in enumerate(sent):
        way.send(said, data, b"%d" % count)

    await eventually(lambda: len(way.arrived) == len(sent))
    assert way.arrived == [(said, data, b"%d" % count) for count, (said, data) in enumerate(sent)]
    assert way.ends == [True] * len(sent)


async def test_a_worker_that_is_not_there(line):
    """Before and after it has listened; nothing is kept."""
    way = line()
    with pytest.raises(FileNotFoundError):
        way.send(b"", b"GET /")
    way.listen()
    way.send(b"", b"GET /")
    await eventually(lambda: way.arrived)
    way.inbox.close()
    way.inbox = None

    await asyncio.sleep(0)
    with pytest.raises(OSError, match=r"Connection refused|No such file"):
        way.send(b"", b"GET /")

    assert way.ends == [True]


async def test_a_worker_that_listens_again(line):
    """The connection is made anew."""
    way = line()
    way.listen()
    way.send(b"", b"first")
    await eventually(lambda: way.arrived)
    way.inbox.close()
    way.listen()

    way.send(b"", b"second")

    await eventually(lambda: len(way.arrived) == 2)
    assert way.arrived[1][1] == b"second"


async def test_a_worker_that_reads_nothing(line):
    """Parcels wait up to the limit, and go on when it reads; those beyond are refused."""
    way = line(limit=100_000)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(way.path))
        listener.listen()
        with pytest.raises(ParcelsFull):
            way.flood()
        sent = len(way.ends)
        connection, _ = listener.accept()
        with connection:
            way.outbox.close()

        assert way.ends == [True] * sent + [False] * (len(way.ends) - sent)
        assert 0 < len(way.ends) - sent <= 100_000 // 9_000


async def test_what_waited_for_a_worker_that_ends_is_given_back(line):
    """Its socket breaks while parcels wait."""
    way = line()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(way.path))
        listener.listen()
        while way.ends.count(True) == len(way.ends) < 5_000 and not way.outbox._waiting:
            way.send(b"", b"x" * 9_000)
        way.send(b"", b"last")
        listener.accept()[0].close()

    await eventually(lambda: way.ends[-1] is False)
    assert way.ends.count(False) in {1, 2}


async def test_a_parcel_that_is_cut_off_leaves_no_connection_open(line):
    """The sender ends in the middle."""
    way = line()
    way.listen()
    with socket.socket(socket.AF_UNIX) as sender, socket.socket() as passed:
        sender.connect(str(way.path))
        socket.send_fds(sender, [HEAD.pack(0, 100) + b"half"], [passed.fileno()])
        await eventually(lambda: any(reader._descriptors for reader in way.inbox._readers))

    await eventually(lambda: not way.inbox._readers)

    assert way.arrived == []


@pytest.mark.parametrize(
    ("data", "descriptors", "why"),
    [
        (HEAD.pack(0, 4) + b"GET ", 0, "0 descriptors"),
        (HEAD.pack(0, 4) + b"GET ", 2, "1 descriptors beside 0 bytes"),
        (HEAD.pack(0, 100) + b"half", 3, "3 descriptors"),
        (HEAD.pack(0, 4) + b"GET " + HEAD.pack(0, 4), 1, "0 descriptors beside 8 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", 1, "a parcel of"),
        (HEAD.pack(2**32 - 1, 2**32 - 1), 1, "a parcel of"),
    ],
    ids=["no descriptor", "two", "three", "one for two parcels", "another protocol", "endless"],
)
async def test_malformed_parcels_end_their_connection(line, data, descriptors, why):
    """No descriptor stays open or goes to another parcel, no memory is held, and parcels of other connections arrive."""
    way = line()
    way.listen()
    here, there = socket.socketpair()
    with here, there, socket.socket(socket.AF_UNIX) as sender:
        here.sendall(b"hello")
        sender.connect(str(way.path))
        sender.setblocking(False)
        if descriptors:
            socket.send_fds(sender, [data], [there.fileno()] * descriptors)
        else:
            sender.send(data)

        await eventually(lambda: way.malformed)
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(sender, 1) == b""
    way.send(b"", b"fine")

    await eventually(lambda: (b"", b"fine", b"hello") in way.arrived)
    assert why in way.malformed[0]
    assert len(way.inbox._readers) == 1


async def test_a_connection_that_cannot_be_opened_is_lost_and_the_next_ones_are_not(line):
    """This process has as many files open as it may."""
    way = line()
    way.listen()
    way.send(b"", b"first")
    await eventually(lambda: way.arrived)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here, there = socket.socketpair()
    free = os.dup(0)
    os.close(free)
    with here, there:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            way.outbox.send(there.fileno(), b"", b"second", way.ends.append)
            await eventually(lambda: way.losses)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    way.send(b"", b"third")
    await eventually(lambda: len(way.arrived) == 2)
    assert way.arrived[1][1] == b"third"
