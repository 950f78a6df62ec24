"""What the process that starts workers does when they end."""

from __future__ import annotations

import logging
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.cli.supervisor import CALM_S, FIRST_DELAY_S, MAX_DELAY_S, supervised, supervisor_class


class Standard:
    """uvicorn's supervisor, as far as it is used: a worker is an object with the exit status of its process."""

    def __init__(self, count: int = 2) -> None:
        self.processes = [worker() for _ in range(count)]
        self.looks = 0

    def run(self) -> None:
        """Return, as after a signal."""

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have ended."""
        self.looks += 1
        self.processes = [each if each.process.exitcode is None else worker() for each in self.processes]


def worker(status: int | None = None) -> Any:
    """Return a worker that lives, or has ended."""
    return SimpleNamespace(process=SimpleNamespace(exitcode=status))


class Clock:
    """A clock that is set."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def supervisor(clock) -> Any:
    """A supervisor of two workers."""
    return supervisor_class(Standard, clock)()


def end_one(supervisor: Any) -> Any:
    """Let a worker end, and return it."""
    supervisor.processes[0].process.exitcode = -9
    return supervisor.processes[0]


def test_a_worker_that_ends_is_replaced_at_once(supervisor, clock):
    """Also the next one, if the last has ended long ago."""
    for _ in range(5):
        ended = end_one(supervisor)
        supervisor.keep_subprocess_alive()
        assert ended not in supervisor.processes
        clock.now_s += CALM_S + 1


def test_workers_that_end_again_and_again_are_replaced_less_and_less_often(supervisor, clock, caplog, monkeypatch):
    """The time doubles up to a limit; meanwhile no worker is looked at."""
    # A test that configures uvicorn's logging keeps its records from the other loggers.
    monkeypatch.setattr("fastsio.cli.supervisor.logger", logging.getLogger("supervisor"))
    delays = []
    for _ in range(8):
        ended = end_one(supervisor)
        begin_s = clock.now_s
        while ended in supervisor.processes:
            supervisor.keep_subprocess_alive()
            clock.now_s += 0.25
        delays.append(clock.now_s - 0.25 - begin_s)

    assert delays[0] == 0
    assert delays[1] <= FIRST_DELAY_S
    assert delays == sorted(delays)
    assert MAX_DELAY_S - 0.5 <= delays[-1] <= MAX_DELAY_S
    assert "Workers end again and again" in caplog.text


def test_workers_that_live_are_looked_at_each_time(supervisor):
    """A worker that hangs is noticed as before."""
    for _ in range(3):
        supervisor.keep_subprocess_alive()

    assert supervisor.looks == 3


@pytest.mark.parametrize("status", [None, 0, -15, 1])
def test_the_command_succeeds_unless_the_application_cannot_start(supervisor, status):
    """However the workers have ended after a signal."""
    supervisor.processes = [worker(status), worker(0)]

    supervisor.run()


def test_the_command_fails_if_the_application_cannot_start(supervisor):
    """With the status of the worker."""
    supervisor.processes = [worker(0), worker(3)]

    with pytest.raises(SystemExit) as ended:
        supervisor.run()

    assert ended.value.code == 3


def test_uvicorn_has_its_own_supervisor_afterwards():
    """Whatever happens meanwhile."""
    main = SimpleNamespace(Multiprocess=Standard)

    with supervised(main):
        assert issubclass(main.Multiprocess, Standard)
        assert main.Multiprocess is not Standard
    assert main.Multiprocess is Standard

    with suppress(KeyError), supervised(main):
        raise KeyError
    assert main.Multiprocess is Standard
