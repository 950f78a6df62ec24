"""How fast a client receives: ``apps/flood.py`` sends as fast as it is read, ``apps/receiver.py`` counts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from harness.generator import BenchmarkError
from harness.servers import APPS, free_port, pinned, started

if TYPE_CHECKING:
    from harness.contenders import Contender

TIMEOUT_S = 120


def receive(contender: Contender, *, events: int, core: int, load_core: int) -> dict[str, Any]:
    """
    Let one client receive events.

    Args:
        contender: Its ``app`` is the package the client is from.
        events: How many.
        core: Core of the client.
        load_core: Core of the flood.

    Returns:
        ``{"rate": events a second}``.

    Raises:
        BenchmarkError: An event was lost or wrong.
    """
    port = free_port()
    flood = [*pinned(load_core), sys.executable, str(APPS / "flood.py"), str(port)]
    with started(flood, "flood.py", port):
        client = [*pinned(core), sys.executable, str(APPS / "receiver.py"), contender.app, str(port), str(events)]
        done = subprocess.run(client, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise BenchmarkError(done.stderr.strip().splitlines()[-1] if done.stderr else "the client failed")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
