"""
The workers of one machine: each has a number, and finds the others in a directory that they share.

A worker locks its file ``<number>.lock``, and the system unlocks the file when the process ends, even if it is killed.
The Unix sockets of the workers are in the same directory. This module does not know what workers send each other.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import weakref
from pathlib import Path
from typing import Final

from fastsio.exceptions import SetupError

if sys.platform != "win32":
    import fcntl

#: The environment variable with the directory of the group; ``fastsio run --workers`` sets it for its workers.
WORKERS: Final = "FASTSIO_WORKERS"
#: The bytes of the longest path of a Unix socket that every system allows.
MAX_SOCKET_PATH: Final = 103
LOCK: Final = ".lock"


def check_is_own(directory: Path, *, may_be_sticky: bool = False) -> None:
    """
    Raise OSError if other users can put files into a directory, or another directory into its place.

    *may_be_sticky*: others may add files of their own, as in ``/tmp``, if they cannot replace other files.
    """
    found = directory.stat()
    is_writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (may_be_sticky and found.st_mode & stat.S_ISVTX)
    # The owner of a link may let it point elsewhere at any time.
    if is_writable or not {found.st_uid, directory.lstat().st_uid} <= {os.geteuid(), 0}:
        raise PermissionError(
            f"{directory} must belong to this user, and others must not be able to write it (mode 0700)"
        )


class WorkerGroup:
    """
    One process's place in the group of workers that share a directory.

    Args:
        number: The number of the process, from 1 on. No other gets the same number as long as the directory exists.
        lock: The descriptor of the process's locked file; ``leave()`` closes it.
        hold: The descriptor of the locked directory; ``leave()`` closes it. Programs that remove old temporary files
            spare a locked directory.
    """

    def __init__(self, directory: Path, number: int, lock: int, hold: int) -> None:
        self.directory = directory
        self.number = number
        self._lock: int | None = lock
        self._hold = hold
        self._pid = os.getpid()
        _members.add(self)

    @classmethod
    def join(cls, directory: str | os.PathLike[str]) -> WorkerGroup:
        """Claim the next number in a directory, and remove what dead workers left; raise SetupError if that fails."""
        path = Path(directory)
        if sys.platform == "win32":
            raise SetupError("Windows has no groups of workers, because its Unix sockets pass on no connections")
        if len(os.fsencode(path / f"{10**9}.requests")) > MAX_SOCKET_PATH:
            raise SetupError(f"the path {path} is too long for Unix sockets; choose a shorter one for {WORKERS}")
        try:
            check_is_own(path)
            with (path / "next").open("a+") as counter:
                # This lock is held until the block ends, so that no other worker sees the new file before it is locked.
                fcntl.flock(counter, fcntl.LOCK_EX)
                counter.seek(0)
                number = _next_number(counter.read(), path)
                counter.truncate(0)
                counter.write(str(number + 1))
                counter.flush()
                lock = os.open(path / f"{number}{LOCK}", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX)
                hold = os.open(path, os.O_RDONLY)
                fcntl.flock(hold, fcntl.LOCK_SH)
                group = cls(path, number, lock, hold)
                group._remove_dead()
        except OSError as error:
            raise SetupError(f"no worker can join the directory {path} that {WORKERS} names: {error}") from error
        return group

    @classmethod
    def of_environment(cls) -> WorkerGroup | None:
        """
        Return this process's place in the group whose directory the environment names; None without a directory.

        The first call joins the group. A process that was forked from a worker becomes a worker with its own number. A
        process that has left the group does not join it again.
        """
        directory = os.environ.get(WORKERS)
        if not directory:
            return None
        with _joining:
            if directory not in _joined:
                _joined[directory] = cls.join(directory)
            return _joined[directory]

    def path(self, number: int, purpose: str) -> Path:
        """Return the path for the Unix socket of a worker; *purpose* is one word. The socket may not exist."""
        return self.directory / f"{number}.{purpose}"

    def is_alive(self, number: int) -> bool:
        """Return whether the process with a number lives. The check takes a few microseconds; when in doubt, True."""
        if number == self.number:
            return self._lock is not None
        return _is_locked(self.directory / f"{number}{LOCK}")

    def watch(self, number: int) -> Watch:
        """Return what tells again and again whether the process with a number lives, for less than :meth:`is_alive`."""
        return Watch(self.directory / f"{number}{LOCK}")

    def leave(self) -> None:
        """Leave the group; no worker gets the number again. A second call does nothing."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        os.close(lock)
        os.close(self._hold)
        if self._pid == os.getpid():
            self._remove(self.number)

    def _remove_dead(self) -> None:
        for number in _claimed(self.directory):
            if not self.is_alive(number):
                self._remove(number)

    def _remove(self, number: int) -> None:
        for path in self.directory.glob(f"{number}.*"):
            path.unlink(missing_ok=True)


class Watch:
    """Tells whether a worker lives; its lock file stays open between the checks, so that a check is one system call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def is_alive(self) -> bool:
        """Return whether the worker lives; when in doubt, True."""
        if sys.platform == "win32":
            return False
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return False
            except OSError:  # this process has too many files open
                return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        self.close()
        return False

    def close(self) -> None:
        """Close the lock file; a further check opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


#: A forked process must not hold the locks of its parent.
_members: weakref.WeakSet[WorkerGroup] = weakref.WeakSet()
_joined: dict[str, WorkerGroup] = {}
_joining = threading.Lock()


def _claimed(directory: Path) -> list[int]:
    """Return the numbers of the lock files in a directory, those of dead workers too."""
    names = [path.name.removesuffix(LOCK) for path in directory.glob(f"*{LOCK}")]
    return [int(name) for name in names if name.isdecimal()]


def _next_number(counted: str, directory: Path) -> int:
    """Return a number that no worker has had, even if the file with the next number was emptied or removed."""
    return max([int(counted) if counted.isdecimal() else 1, *(number + 1 for number in _claimed(directory))])


def _is_locked(path: Path) -> bool:
    watch = Watch(path)
    try:
        return watch.is_alive()
    finally:
        watch.close()


def _after_fork() -> None:
    global _joining  # noqa: PLW0603 - another thread of the parent may have held it
    _joining = threading.Lock()
    _joined.clear()
    for member in list(_members):
        member.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
