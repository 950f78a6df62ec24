"""How long a program takes that does nothing but import."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from harness.generator import BenchmarkError
from harness.servers import pinned

if TYPE_CHECKING:
    from harness.contenders import Contender

#: The shortest of some counts: what else the machine does can only make one longer.
TRIES = 7


def import_time(contender: Contender, *, core: int) -> dict[str, float]:
    """
    Time the imports of a contender, without the time of an empty program.

    Args:
        contender: Its ``app`` is what stands behind ``import``.
        core: Core it runs on.

    Returns:
        ``{"ms": milliseconds}``.

    Raises:
        BenchmarkError: The import fails.
    """
    return {"ms": (_shortest(f"import {contender.app}", core) - _shortest("pass", core)) * 1e3}


def _shortest(program: str, core: int) -> float:
    return min(_run(program, core) for _ in range(TRIES))


def _run(program: str, core: int) -> float:
    start = time.perf_counter()
    done = subprocess.run([*pinned(core), sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{program}: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - start
