"""Samples the stacks of a running Python process with py-spy."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.generator import BenchmarkError
from harness.servers import pinned

if TYPE_CHECKING:
    from types import TracebackType

RATE_HZ = 400
LONGEST_S = 600
STOP_TIMEOUT_S = 60


class Sampler:
    """
    Samples for the length of a ``with`` block.

    Args:
        pid: Process to look at.
        path: File that is written when the block ends: see :func:`read_stacks`.
        core: Core the sampler runs on.
        native: Whether C functions are named as well.

    Raises:
        BenchmarkError: py-spy is not installed, or may not look at the process.
    """

    def __init__(self, pid: int, path: Path, *, core: int, native: bool) -> None:
        self.path = path
        options = ["--pid", str(pid), "--rate", str(RATE_HZ), "--duration", str(LONGEST_S), "--format", "raw"]
        options += ["--output", str(path), "--nonblocking", *(["--native"] if native else [])]
        self._command = [*pinned(core), str(Path(sys.executable).with_name("py-spy")), "record", *options]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=STOP_TIMEOUT_S)
        if error is None and not self.path.exists():
            raise BenchmarkError(f"py-spy: {said.strip()}")


def read_stacks(path: Path) -> Counter[tuple[str, ...]]:
    """Read what py-spy wrote in its raw format: a line a stack, ``outermost;...;innermost samples``."""
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, samples = line.rpartition(" ")
        # Without line numbers, for a function is one row.
        stacks[tuple(frame.rpartition(":")[0] + ")" if ":" in frame else frame for frame in stack.split(";"))] += int(
            samples
        )
    return stacks
