"""The bus of Unix sockets itself: what others may do to it, and what it bounds."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fastsio.brokers import local, local_listening
from fastsio.brokers.local import LocalPlace, LocalPublisher, frame_head
from fastsio.brokers.local_listening import LocalListener
from fastsio.exceptions import SetupError
from tests.integration.clients import eventually
from tests.support.waiting import WAIT_S

MOST = 100_000
logger = logging.getLogger(__name__)


@pytest.fixture
def place():
    """A place for a bus; the paths of Unix sockets are short."""
    with TemporaryDirectory() as folder:
        yield LocalPlace(folder, "bus", MOST)


class Heard:
    """What a process hears, and how often it was told that it has missed something."""

    def __init__(self, place, name="a"):
        self.gaps = 0
        self.ends = []
        self.listener = LocalListener(place, name, self.note_gap, lambda: logger, self.ends.append)
        self.messages = self.listener.read()

    def note_gap(self):
        """Count."""
        self.gaps += 1

    async def next(self):
        """Return the next message."""
        async with asyncio.timeout(WAIT_S):
            return await anext(self.messages)


@asynccontextmanager
async def listening(place, name="a"):
    """Listen for the length of a block."""
    heard = Heard(place, name)
    await heard.listener.open()
    try:
        yield heard
    finally:
        await heard.messages.aclose()
        await heard.listener.close()


@asynccontextmanager
async def publishing(place, own="", on_end=lambda _name: None):
    """Publish for the length of a block."""
    publisher = LocalPublisher(place, lambda: own, lambda: logger, on_end)
    try:
        yield publisher
    finally:
        await publisher.close()


async def test_only_this_users_processes_can_speak(place):
    """Directory and sockets have no rights for others."""
    async with listening(place):
        assert place.directory.stat().st_mode & 0o777 == 0o700
        assert place.socket_of("a").stat().st_mode & 0o777 == 0o600


async def test_a_directory_that_others_may_use_is_refused(place):
    """By those who listen and by those who publish."""
    place.directory.mkdir(mode=0o700)
    place.directory.chmod(0o755)

    with pytest.raises(PermissionError, match="0700"):
        await Heard(place).listener.open()
    async with publishing(place) as publisher:
        with pytest.raises(PermissionError, match="0700"):
            await publisher.publish(b"x")


@pytest.mark.parametrize(("mode", "is_refused"), [(0o777, True), (0o770, True), (0o1777, False), (0o755, False)])
async def test_the_shared_directory_itself_is_closed_to_others(place, mode, is_refused):
    """Others could put another directory into the place of the bus; where each may only replace his own files, they cannot."""
    place.make()
    place.path.chmod(mode)

    async with publishing(place) as publisher:
        with (
            pytest.raises(PermissionError, match="others must not be able to write it") if is_refused else nullcontext()
        ):
            await publisher.publish(b"x")


# In CI, which runs as root, it is never skipped: without the right to give files away it fails there.
@pytest.mark.skipif(os.geteuid() != 0 and "CI" not in os.environ, reason="only root gives files away")
async def test_a_shared_directory_or_link_of_another_user_is_refused():
    """Its owner may replace what is in it, and let a link point elsewhere."""
    with TemporaryDirectory() as folder:
        foreign, link, own = Path(folder) / "foreign", Path(folder) / "link", Path(folder) / "own"
        foreign.mkdir(mode=0o755)
        own.mkdir(mode=0o700)
        link.symlink_to(own)
        os.chown(foreign, 12345, -1)
        os.chown(link, 12345, -1, follow_symlinks=False)
        for path in (foreign, link):
            with pytest.raises(PermissionError, match="must belong to this user"):
                LocalPlace(path, "bus", MOST).make()
        os.chown(link, 0, -1, follow_symlinks=False)
        LocalPlace(link, "bus", MOST).make()


async def test_a_process_that_cannot_be_connected_to_is_not_forgotten(place, monkeypatch, caplog):
    """This process has as many files open as it may: the others get the message at once, and that one the next ones."""
    monkeypatch.setattr(local, "RETRY_S", 0.0)
    monkeypatch.setattr(local, "RACY_NS", 0)
    async with listening(place, "a") as a, publishing(place) as publisher:
        await publisher.publish(b"first")
        assert await a.next() == b"first"
        async with listening(place, "b") as b:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            # To read a directory takes a file, too.
            names = [*place.names()]
            monkeypatch.setattr(LocalPlace, "names", lambda _place: iter(names))
            free = os.dup(0)
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                await publisher.publish(b"second")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert await a.next() == b"second"

            await publisher.publish(b"third")

            assert [await a.next(), await b.next()] == [b"third", b"third"]
            assert "a process is left out" in caplog.text
            assert "Too many open files" in caplog.text


async def test_a_directory_that_cannot_be_read_is_read_again(place, monkeypatch):
    """A failed look does not count: no process is left out for good."""
    monkeypatch.setattr(local, "RACY_NS", 0)
    async with listening(place) as heard, publishing(place) as publisher:
        with monkeypatch.context() as patch:
            patch.setattr(LocalPlace, "check", raise_error)
            with pytest.raises(OSError, match="for a moment"):
                await publisher.publish(b"x")

        await publisher.publish(b"y")

        assert await heard.next() == b"y"


def raise_error(_place):
    """Fail as the system may."""
    raise OSError("not readable for a moment")


async def test_the_end_of_a_process_comes_after_its_last_message(place):
    """A process that answers and is killed has answered."""
    async with listening(place, "a") as heard, publishing(place, own="b0") as publisher:
        for text in (b"1", b"2"):
            await publisher.publish(text)
        assert await heard.next() == b"1"
        assert heard.listener.hears_process("b0")
        await publisher.close()
        assert await heard.next() == b"2"
        assert heard.ends == []

        reading = asyncio.create_task(heard.next())
        await eventually(lambda: heard.ends == ["b0"])
        assert not heard.listener.hears_process("b0")
        reading.cancel()
        await eventually(reading.done)


async def test_publishers_that_have_ended_are_forgotten(place, monkeypatch):
    """A program may make one for every message."""
    monkeypatch.setattr(local_listening, "KNOWN_S", 0.0)
    async with listening(place) as heard:
        before = {name: len(value) for name, value in vars(heard.listener).items() if isinstance(value, dict)}
        for number in range(20):
            async with publishing(place) as publisher:
                await publisher.publish(b"%d" % number)
            assert await heard.next() == b"%d" % number
        after = {name: len(value) for name, value in vars(heard.listener).items() if isinstance(value, dict)}

    assert max(after[name] - before[name] for name in before) < 3


async def test_a_publisher_is_told_of_the_end_of_a_process(place):
    """At once, whether it publishes or not."""
    ends = []
    async with publishing(place, on_end=ends.append) as publisher:
        async with listening(place, "a") as heard:
            assert await publisher.publish(b"1") == ["a"]
            assert await heard.next() == b"1"
            assert ends == []

        await eventually(lambda: ends == ["a"])
        assert await publisher.publish(b"2") == []


async def test_a_path_that_is_not_there_is_a_mistake(place):
    """A process that only publishes does not make it; a bus where nobody listens yet is none."""
    async with publishing(place) as publisher:
        await publisher.publish(b"nobody")
    async with publishing(LocalPlace("/no/such/path", "bus", MOST)) as publisher:
        with pytest.raises(FileNotFoundError):
            await publisher.publish(b"x")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x02\x01x",
        b"\x00\x00\x00\x00",
        frame_head(0, b"fastsio 2 0123456789abcdef 0") + b"fastsio 2 0123456789abcdef 0",
        frame_head(0, b"fastsio 1 0123456789abcdef 0") + b"fastsio 1 0123456789abcdef 0" + b"\x00\x00\x00\x02\x09x",
        frame_head(0, b"fastsio 1 0123456789abcdef 0") + b"fastsio 1 0123456789abcdef 0" + b"\x00\xff\xff\xff\x01",
    ],
)
async def test_malformed_bytes_end_their_connection(place, caplog, raw):
    """With a line in the log; the others are heard."""
    async with listening(place) as heard, publishing(place) as publisher:
        reader, writer = await asyncio.open_unix_connection(place.socket_of("a"))
        writer.write(raw)
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
        await publisher.publish(b"fine")

        assert await heard.next() == b"fine"
        assert "makes no sense" in caplog.text


async def test_a_frame_that_comes_byte_by_byte_is_read(place):
    """A message begins and ends anywhere."""
    async with listening(place) as heard:
        _, writer = await asyncio.open_unix_connection(place.socket_of("a"))
        greeting = b"fastsio 1 0123456789abcdef 7"
        for byte in (
            frame_head(0, greeting) + greeting + frame_head(1, b"one") + b"one" + frame_head(2, b"two") + b"two"
        ):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

        assert [await heard.next(), await heard.next()] == [b"one", b"two"]
        assert heard.listener.handled() == {"0123456789abcdef": 8}
        writer.close()


async def test_publishing_much_at_once_waits_for_processes_that_read(place, caplog):
    """Nothing is lost though the publisher has more to say at once than may wait for a process, from the first message on."""
    texts = [str(number).encode() * 5_000 for number in range(10, 60)]
    async with listening(place) as heard, publishing(place) as publisher:

        async def publish():
            for text in texts:
                await publisher.publish(text)

        publishes = asyncio.create_task(publish())
        assert [await heard.next() for _ in texts] == texts
        await publishes

    assert not caplog.messages
    assert not heard.gaps


async def test_a_process_that_does_not_read_is_left_out_and_comes_back(place, monkeypatch, caplog):
    """It misses what is sent meanwhile, and learns of it; the other misses nothing."""
    monkeypatch.setattr(local, "RETRY_S", 0.0)
    async with listening(place, "a") as slow, listening(place, "b") as fast, publishing(place) as publisher:
        await publisher.publish(b"first")
        assert await slow.next() == await fast.next() == b"first"
        (sender,) = slow.listener.senders
        sender.transport.pause_reading()

        count = 0
        while "left out" not in caplog.text:
            await publisher.publish(bytes(30_000))
            assert len(await fast.next()) == 30_000
            count += 1
        sender.transport.resume_reading()
        await publisher.publish(b"last")

        heard = 0
        while await slow.next() != b"last":
            heard += 1
        assert heard < count
        assert slow.gaps == 1
        assert await fast.next() == b"last"
        assert fast.gaps == 0


@pytest.mark.parametrize("reads", [True, False])
async def test_the_end_waits_for_processes_that_read(place, monkeypatch, caplog, reads):
    """What was published before the end arrives, however long that takes; a process that does not read is not waited for."""
    monkeypatch.setattr(local, "LINGER_S", WAIT_S if reads else 0.05)
    wide = LocalPlace(place.path, "bus", 50 * MOST)
    async with listening(wide) as heard, publishing(wide) as publisher:
        await publisher.publish(b"first")
        assert await heard.next() == b"first"
        (sender,) = heard.listener.senders
        sender.transport.pause_reading()
        for _ in range(20):
            await publisher.publish(bytes(MOST // 2))
        if reads:
            asyncio.get_running_loop().call_later(0.02, sender.transport.resume_reading)

        await publisher.close()

        assert ("does not read" in caplog.text) is not reads
        assert not reads or [len(await heard.next()) for _ in range(20)] == [MOST // 2] * 20


async def test_a_message_for_one_is_for_no_other(place):
    """By the name of the process; one that is gone gets none."""
    async with listening(place, "a") as a, listening(place, "b") as b, publishing(place) as publisher:
        await publisher.publish(b"for a", "a")
        await publisher.publish(b"for c", "c")
        await publisher.publish(b"for all")

        assert [await a.next(), await a.next()] == [b"for a", b"for all"]
        assert await b.next() == b"for all"


async def test_sockets_of_dead_processes_are_removed(place):
    """A process that was killed leaves its socket behind; whoever publishes next removes it."""
    place.make()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(os.fspath(place.socket_of("dead")))
    dead.close()
    async with listening(place) as heard, publishing(place) as publisher:
        await publisher.publish(b"x")

        assert await heard.next() == b"x"
        assert [*place.names()] == ["a"]


async def test_the_position_of_others_can_be_waited_for(place):
    """Those that have gone are not waited for."""
    async with listening(place) as heard, publishing(place) as publisher:
        await publisher.publish(b"1")
        assert await heard.next() == b"1"
        reading = asyncio.create_task(heard.next())
        waiting = asyncio.create_task(heard.listener.until_handled({publisher.name: 2}))
        await publisher.publish(b"2")
        assert await reading == b"2"
        reading = asyncio.create_task(heard.next())
        async with asyncio.timeout(WAIT_S):
            await waiting
        waiting = asyncio.create_task(heard.listener.until_handled({publisher.name: 9}))
        await publisher.close()
        async with asyncio.timeout(WAIT_S):
            await waiting
        reading.cancel()
        await eventually(reading.done)


@pytest.mark.parametrize("most", [0, -1, 1.5, True, "1"])
def test_the_bound_is_a_positive_number(most):
    """Of bytes."""
    with pytest.raises(SetupError, match="max_pending_bytes"):
        LocalPlace("/run/app", "bus", most)
