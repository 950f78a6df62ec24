"""The load generator: compiles ``load.c`` and runs it on its own core. It knows nothing of workloads."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S = 900


class BenchmarkError(Exception):
    """Something that had to work for a measurement did not."""


def require(program: str) -> str:
    """Return the path of a program the benchmarks cannot do without."""
    path = shutil.which(program)
    if path is None:
        raise BenchmarkError(f"{program} is needed and is not installed")
    return path


def compile_generator(source: Path, build: Path) -> Path:
    """Compile a generator into *build*, unless that was done since *source* and what it includes last changed."""
    binary = build / source.stem
    changed = max(each.stat().st_mtime for each in [source, *source.parent.glob("*.h")])
    if not binary.exists() or binary.stat().st_mtime < changed:
        build.mkdir(parents=True, exist_ok=True)
        subprocess.run([require("gcc"), "-O2", "-o", binary, source], check=True)
    return binary


@dataclass(frozen=True, slots=True)
class Generator:
    """A compiled generator and the core it runs on."""

    binary: Path
    core: int

    def run(self, mode: str, *, port: int, pid: int, options: Mapping[str, float | str]) -> dict[str, Any]:
        """
        Run one measurement.

        Args:
            mode: Mode of the generator.
            port: Where the server listens on the loopback address.
            pid: Process of the server, for its memory and CPU time.
            options: Further options, without the leading dashes.

        Returns:
            What the generator printed.

        Raises:
            BenchmarkError: A reply was wrong or missing, or a connection was lost.
        """
        command = [require("taskset"), "-c", str(self.core), str(self.binary), mode, "--port", str(port)]
        command += ["--pid", str(pid)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise BenchmarkError(done.stderr.strip() or f"the generator exited with {done.returncode}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
