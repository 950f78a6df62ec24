"""What each ``async_mode`` of a sync server runs functions in."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading

import pytest

from fastsio.exceptions import SetupError
from fastsio.sync.engine.server import EngineServer
from fastsio.sync.engine.thread_modes import is_installed
from tests.support.waiting import PROGRAM_S, WAIT_S

PROGRAM = """
from fastsio.sync.engine.server import EngineServer
engine = EngineServer(async_mode={mode!r})
done, numbers = engine.create_event(), engine.create_queue(5)
def work(number, *, more):
    engine.sleep(0)
    numbers.put(number + more)
    done.set()
task = engine.start_background_task(work, 1, more=2)
assert done.wait(60)
task.join()
print(type(task).__module__, numbers.get(timeout=60))
try:
    numbers.get(block=False)
except engine.get_queue_empty_exception():
    print("empty")
"""


@pytest.mark.parametrize("mode", ["threading", "gevent", "eventlet"])
def test_functions_run_in_the_threads_of_the_mode(mode):
    """With events, queues and pauses of the same kind."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.format(mode=mode)],
        capture_output=True, text=True, timeout=PROGRAM_S, check=False,
    )  # fmt: skip

    assert result.stdout.split()[1:] == ["3", "empty"], result.stderr


def test_threads_do_not_keep_the_process_alive():
    """They are daemons."""
    engine = EngineServer(async_mode="threading")
    release = engine.create_event()
    thread = engine.start_background_task(release.wait, 5)

    assert isinstance(thread, threading.Thread)
    assert thread.daemon
    release.set()
    thread.join(WAIT_S)
    assert engine.get_queue_empty_exception() is queue.Empty


def test_a_mode_that_lacks_its_package_is_refused(monkeypatch):
    """uWSGI's module exists under uWSGI only."""
    monkeypatch.setitem(sys.modules, "uwsgi", None)

    assert not is_installed("gevent_uwsgi")
    with pytest.raises(SetupError, match="uWSGI to run it"):
        EngineServer(async_mode="gevent_uwsgi")
