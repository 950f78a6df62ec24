"""The server processes of one machine that share a directory."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fastsio.brokers.worker_group import WORKERS, WorkerGroup
from fastsio.exceptions import SetupError
from tests.support.waiting import WAIT_S

#: Joins, forks, and ends when the child has joined too; says its number, the child's number and id. The child stays.
PARENT = """
import os
from fastsio.brokers.worker_group import WorkerGroup
first = WorkerGroup.of_environment()
reading, writing = os.pipe()
child = os.fork()
if not child:
    os.write(writing, b"%d" % WorkerGroup.of_environment().number)
    os.read(0, 1)
    os._exit(0)
print(f"{first.number} {os.read(reading, 9).decode()} {child}", flush=True)
os._exit(0)
"""
#: Joins, says its number, and stays until its input ends.
MEMBER = """
import sys
from fastsio.brokers.worker_group import WorkerGroup
print(WorkerGroup.join(sys.argv[1]).number, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory():
    """A directory whose path is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="fastsio-") as path:
        yield Path(path)


def start_member(directory):
    """Start a process that joins; return it and its number."""
    process = subprocess.Popen(
        [sys.executable, "-c", MEMBER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, int(process.stdout.readline())


def living(group: WorkerGroup) -> list[int]:
    """Return the numbers of the workers that live."""
    return [number for number in range(1, 50) if group.is_alive(number)]


def count_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_members_get_numbers_of_their_own_and_see_each_other(directory):
    """Numbers count from 1."""
    first, second = WorkerGroup.join(directory), WorkerGroup.join(directory)

    assert (first.number, second.number) == (1, 2)
    assert living(first) == living(second) == [1, 2]
    assert first.is_alive(2)
    assert not first.is_alive(3)
    assert first.path(2, "requests") == directory / "2.requests"
    first.leave()
    second.leave()


def test_a_number_is_never_used_again(directory):
    """Also after its process has left."""
    first = WorkerGroup.join(directory)
    first.path(1, "bus").touch()
    first.leave()
    first.leave()

    second = WorkerGroup.join(directory)

    assert second.number == 2
    assert living(second) == [2]
    assert not first.is_alive(1)
    assert not list(directory.glob("1.*"))
    second.leave()


def test_processes_that_join_at_the_same_time_get_different_numbers(directory):
    """The file of the next number is locked meanwhile."""
    with ThreadPoolExecutor(8) as pool:
        groups = list(pool.map(lambda _: WorkerGroup.join(directory), range(40)))

    assert sorted(group.number for group in groups) == list(range(1, 41))
    assert living(groups[0]) == list(range(1, 41))
    for group in groups:
        group.leave()


def test_a_process_that_was_killed_is_dead_at_once_and_what_it_left_is_removed(directory):
    """The system unlocks its file; the next that joins removes it."""
    process, number = start_member(directory)
    group = WorkerGroup.join(directory)
    group.path(number, "requests").touch()
    assert group.is_alive(number)

    process.kill()
    process.communicate()

    assert not group.is_alive(number)
    assert living(group) == [group.number]
    other = WorkerGroup.join(directory)
    assert not list(directory.glob(f"{number}.*"))
    group.leave()
    other.leave()


def test_the_environment_names_the_group(directory, monkeypatch):
    """One place for each process."""
    monkeypatch.delenv(WORKERS, raising=False)
    assert WorkerGroup.of_environment() is None

    monkeypatch.setenv(WORKERS, str(directory))
    group = WorkerGroup.of_environment()

    assert group is not None
    assert WorkerGroup.of_environment() is group
    group.leave()


def test_a_forked_process_is_a_member_of_its_own_and_does_not_keep_its_parent_alive(directory, monkeypatch):
    """The lock of the parent is not the child's."""
    monkeypatch.setenv(WORKERS, str(directory))
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first, second, child = map(int, process.stdout.readline().split())
    process.wait(WAIT_S)
    group = WorkerGroup.join(directory)

    assert (first, second) == (1, 2)
    assert living(group) == [2, 3]
    os.kill(child, signal.SIGKILL)
    process.communicate()
    group.leave()


@pytest.mark.parametrize("name", ["missing", "x" * 120])
def test_a_directory_that_cannot_be_used_is_an_error_that_names_it(directory, name):
    """Missing, or too long for the path of a Unix socket."""
    with pytest.raises(SetupError, match=name):
        WorkerGroup.join(directory / name)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_directory_that_others_may_write_is_refused(directory, mode):
    """They could put a socket into the place of a worker's, and get its connections."""
    directory.chmod(mode)

    with pytest.raises(SetupError, match="others must not be able to write it"):
        WorkerGroup.join(directory)

    directory.chmod(0o755)
    WorkerGroup.join(directory).leave()


def test_the_directory_is_locked_against_programs_that_remove_old_files(directory):
    """As systemd-tmpfiles, which spares what is locked; until the last member has left."""

    def is_locked() -> bool:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    members = [WorkerGroup.join(directory) for _ in range(2)]
    for member in members:
        assert is_locked()
        member.leave()

    assert not is_locked()


@pytest.mark.parametrize("left", ["", "nonsense", None], ids=["empty", "nonsense", "removed"])
def test_numbers_go_on_without_the_file_that_counts_them(directory, left):
    """After those of the workers that are there; a full disk or a program may have emptied or removed it."""
    members = [WorkerGroup.join(directory) for _ in range(3)]
    if left is None:
        (directory / "next").unlink()
    else:
        (directory / "next").write_text(left)

    members.append(WorkerGroup.join(directory))

    assert members[-1].number == 4
    for member in members:
        member.leave()


def test_a_worker_counts_as_there_if_that_cannot_be_found_out(directory):
    """Because this process has too many files open: then a session of another worker is not said to be unknown."""
    member = WorkerGroup.join(directory)
    process, number = start_member(directory)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        is_alive = member.is_alive(number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert is_alive
    process.communicate("")
    assert not member.is_alive(number)
    member.leave()


def test_a_watch_tells_again_and_again_whether_a_worker_lives(directory):
    """It opens the worker's lock file once, and closes it when the worker is dead."""
    member = WorkerGroup.join(directory)
    process, number = start_member(directory)
    watch = member.watch(number)
    files = count_files()

    assert [watch.is_alive() for _ in range(3)] == [True] * 3
    assert count_files() == files + 1

    process.kill()
    process.communicate()
    files = count_files()
    assert [watch.is_alive() for _ in range(3)] == [False] * 3
    assert count_files() == files - 1
    member.leave()


def test_a_watch_notices_a_death_after_the_lock_file_was_removed(directory):
    """Another worker that joins removes what the dead have left."""
    member = WorkerGroup.join(directory)
    process, number = start_member(directory)
    watch = member.watch(number)
    assert watch.is_alive()
    process.kill()
    process.communicate()
    other = WorkerGroup.join(directory)

    assert not watch.is_alive()
    assert not member.watch(number).is_alive()
    other.leave()
    member.leave()


def test_a_watch_that_is_closed_opens_the_file_again(directory):
    """A second call of close() does nothing."""
    member = WorkerGroup.join(directory)
    process, number = start_member(directory)
    watch = member.watch(number)
    assert watch.is_alive()

    watch.close()
    watch.close()

    assert watch.is_alive()
    watch.close()
    process.communicate("")
    assert not watch.is_alive()
    member.leave()
