"""Workers that end, hang and are started again, and clients that mean no good."""

from __future__ import annotations

import json
import os
import resource
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.workers.raw_http import PATH, Wire, Workers, call, join, open_session, request, tell
from tests.integration.workers.test_workers_requests import UNKNOWN
from tests.support.waiting import START_S, WAIT_S
from tests.support.worker_site import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.brokers import Broker

COUNT = 2
FLOOD = 5_000
BATCH = 100


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A group of workers, for all tests."""
    with workers(COUNT, "--max-passing", "40000", "--timeout-worker-healthcheck", "60") as broker:
        yield broker
        assert "Traceback" not in broker.log


@pytest.fixture
def site(broker) -> Iterator[Workers]:
    """Those that are there; each has had a connection from each other."""
    with Workers(broker.port, COUNT) as reached:
        sessions = [open_session(wire) for wire in reached.wires.values()]
        for wire in reached.wires.values():
            assert [wire.ask(each.target, method="POST", body=b"6").status for each in sessions] == [200] * COUNT
        for session in sessions:
            assert reached.connect().ask(session.target, method="POST", body=b"1").status == 200
        reached.wires = {number: reached.at(number) for number in reached.wires}
        yield reached


def until(is_so: Callable[[], bool]) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end


def files(site: Workers) -> dict[int, int]:
    """Return how many files each worker has open."""
    return {number: tell(wire)["files"] for number, wire in site.wires.items()}


def count_sessions(site: Workers) -> list[int]:
    """Return how many sessions each worker has."""
    return [tell(wire)["sessions"] for wire in site.wires.values()]


def test_a_worker_that_was_killed(broker, site):
    """Its sessions are unknown at once, the others' go on, and the next worker has a new number."""
    lost, kept = (open_session(wire) for wire in site.wires.values())
    join(site.connect(), kept)
    survivor = site.wires[kept.worker]

    os.kill(site.told[lost.worker]["pid"], signal.SIGKILL)
    until_gone([site.told[lost.worker]["pid"]])
    answer = survivor.ask(lost.target, method="POST", body=b"6")

    assert (answer.status, json.loads(answer.body)) == (400, UNKNOWN)
    assert call(survivor, kept, "where")[0] == site.told[kept.worker]["pid"]
    with Workers(site.port, COUNT) as renewed:
        number = max(site.wires) + 1
        assert set(renewed.wires) == {kept.worker, number}
        fresh = open_session(renewed.wires[number])
        join(renewed.wires[kept.worker], fresh)
        assert call(renewed.wires[kept.worker], fresh, "where")[0] == renewed.told[number]["pid"]


def test_nothing_stays_open_for_workers_that_have_ended(broker, site):
    """Also if no request names them again."""
    kept = min(site.wires)
    before = files(site)[kept]

    for _ in range(3):
        with Workers(site.port, COUNT) as now:
            other = max(now.wires)
            session = open_session(now.wires[other])
            assert now.at(kept).ask(session.target, method="POST", body=b"6").status == 200
        os.kill(now.told[other]["pid"], signal.SIGKILL)
        until_gone([now.told[other]["pid"]])

    with Workers(site.port, COUNT) as now:
        session = open_session(now.wires[max(now.wires)])
        assert now.at(kept).ask(session.target, method="POST", body=b"6").status == 200
    until(lambda: tell(site.wires[kept])["files"] <= before)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended and its parent knows; a zombie may have threads that hold its files."""
    return not Path(f"/proc/{pid}").exists()


def test_all_workers_are_replaced(broker, site):
    """SIGHUP starts new ones before the old ones end; sessions of old ones are unknown."""
    sessions = [open_session(wire) for wire in site.wires.values()]

    os.kill(broker.process.pid, signal.SIGHUP)
    pids = [told["pid"] for told in site.told.values()]
    until_gone(pids)

    with Workers(site.port, COUNT) as renewed:
        assert min(renewed.wires) > max(site.wires)
        for session in sessions:
            answer = renewed.connect().ask(session.target)
            assert (answer.status, json.loads(answer.body)) == (400, UNKNOWN)


def until_gone(pids: list[int]) -> None:
    """Wait for the end of processes; one that was killed may have been asked just before whether it is alive."""
    end = time.monotonic() + START_S
    while not all(map(is_gone, pids)):
        assert time.monotonic() < end


def test_the_end_waits_for_nothing_and_leaves_nothing():
    """Clients wait for events at their worker, over connections that were passed on; the directory is removed."""
    with (
        tempfile.TemporaryDirectory(prefix="e") as folder,
        workers(COUNT, TMPDIR=folder) as broker,
        Workers(broker.port, COUNT) as site,
    ):
        for number in site.wires:
            session = open_session(site.wires[number])
            wire = site.at(next(other for other in site.wires if other != number))
            join(wire, session)
            wire.send(request(session.target))
        begin = time.monotonic()
        assert list(Path(folder).glob("fastsio-*/*.requests"))

        broker.stop()

        assert time.monotonic() - begin < 20  # a poll may wait for 25 seconds
        assert "Traceback" not in broker.log
        assert not list(Path(folder).glob("fastsio-*"))


def test_a_worker_that_hangs(broker, site):
    """Requests for its sessions wait; those that are too many get 503, which is logged once."""
    with ExitStack() as stack:
        session = open_session(site.connect())
        join(site.connect(), session)
        number = next(number for number in site.wires if number != session.worker)
        wires = [site.at(number) for _ in range(200)]
        os.kill(site.told[session.worker]["pid"], signal.SIGSTOP)
        stack.callback(os.kill, site.told[session.worker]["pid"], signal.SIGCONT)

        # As large as what is read at once.
        body = b"6" * 60_000
        posts = request(session.target, method="POST", body=body)
        for wire in wires:
            wire.send(posts)
        assert tell(site.wires[number])["number"] == number
        refused = [wire for wire in wires if is_refused(wire)]
        os.kill(site.told[session.worker]["pid"], signal.SIGCONT)
        served = [wire for wire in wires if wire not in refused]

        assert refused
        assert served
        assert {wire.response().status for wire in served} <= {200, 400}
        assert broker.log.count("answered with 503") == 1


def is_refused(wire: Wire) -> bool:
    """Tell whether a response is there, which must be 503."""
    wire.connection.setblocking(False)
    try:
        wire.put_back(wire.read())
    except BlockingIOError:
        return False
    finally:
        wire.connection.settimeout(WAIT_S)
    answer = wire.response()
    assert (answer.status, answer.headers["retry-after"], wire.read()) == (503, "1", b"")
    return True


def test_a_worker_with_too_many_files_open():
    """Sessions of others are not unknown to it: requests for them get 503, or go where a connection is open already."""
    with workers(COUNT) as broker, Workers(broker.port, COUNT) as site:
        session = open_session(site.connect())
        number = next(number for number in site.wires if number != session.worker)
        pid, wire, others = site.told[number]["pid"], site.wires[number], [site.at(number) for _ in range(2)]
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)

        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        refused = wire.ask(session.target, method="POST", body=b"6")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert others[0].ask(session.target, method="POST", body=b"6").body == b"ok"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        passed = others[1].ask(session.target, method="POST", body=b"6")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)

        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert passed.body == b"ok"
        assert broker.log.count("answered with 503: [Errno 24]") == 1


@pytest.mark.parametrize("is_waiting", [True, False], ids=["one by one", "without waiting"])
def test_ten_thousand_invented_sids(broker, site, is_waiting):
    """Of workers that are not there, and of those that are: nothing is kept of them."""
    numbers = [*site.wires, 0, 999, 123_456]
    lines = broker.log.count("\n")
    before, sessions = files(site), count_sessions(site)
    wire = site.connect()

    for begin in range(0, FLOOD, BATCH):
        sids = [f"invented{count}.{numbers[count % len(numbers)]}" for count in range(begin, begin + BATCH)]
        requests = [request(f"{PATH}&sid={sid}") for sid in sids]
        if is_waiting:
            answers = [wire.ask_raw(each) for each in requests]
        else:
            wire.send(*requests)
            answers = [wire.response() for _ in requests]
        assert {answer.status for answer in answers} == {400}

    wire.close()
    until(lambda: files(site) == before)
    # Those of earlier tests may have ended meanwhile.
    assert all(now <= was for now, was in zip(count_sessions(site), sessions, strict=True))
    assert broker.log.count("\n") - lines <= COUNT


def test_half_requests_then_silence(site):
    """A connection waits with what it has sent, wherever it is, and is forgotten when the client gives up."""
    sessions = [open_session(wire) for wire in site.wires.values()]
    site.wires = {number: site.at(number) for number in site.wires}
    before = files(site)
    whole = [request(each.target, method="POST", body=b"6" * 200, headers="x: y\r\n") for each in sessions]
    with Workers(site.port, COUNT) as silent:
        for length in range(1, len(whole[0]), 7):
            for each in whole:
                silent.connect().send(each[:length])
        for number, wire in site.wires.items():
            assert tell(wire)["number"] == number

    until(lambda: files(site) == before)


def test_connections_that_are_passed_on_are_not_kept_open(site):
    """Hundreds of connections go to and fro, some end in the middle; then as many files are open as before."""
    sessions = [open_session(wire) for wire in site.wires.values()]
    site.wires = {number: site.at(number) for number in site.wires}
    before = files(site)

    for _ in range(150):
        wire = site.connect()
        for session in sessions:
            assert wire.ask(session.target, method="POST", body=b"6").body == b"ok"
        wire.send(request(sessions[0].target, method="POST", body=b"6"))
        wire.close()

    until(lambda: files(site) == before)
