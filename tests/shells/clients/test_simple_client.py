"""How long the client without handlers waits."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio.aio import concurrency, simple_client
from fastsio.exceptions import TimeoutError as ReceiveTimeoutError
from fastsio.sync import simple_client as for_threads


@pytest.mark.parametrize("module", [simple_client, for_threads])
async def test_the_timeout_of_receive_is_that_of_all_its_waits(module, monkeypatch):
    """The client reconnects within 3 of 5 seconds, and something arrives that another task takes: 1 second is left."""
    now, waited, passing = 100.0, [], [3.0, 1.0]

    def wait(_event: Any, timeout_s: float | None = None) -> bool:
        nonlocal now
        waited.append(timeout_s)
        if not passing:
            return len(waited) == 3
        now += passing.pop(0)
        return True

    async def wait_in_task(event: Any, timeout_s: float | None = None) -> bool:
        return wait(event, timeout_s)

    is_async = module is simple_client
    monkeypatch.setattr(module, "monotonic", lambda: now)
    monkeypatch.setattr(module.concurrency, "wait_event", wait_in_task if is_async else wait)
    client = (simple_client.AsyncSimpleClient if is_async else for_threads.SimpleClient)()
    client.connected = True

    with pytest.raises(ReceiveTimeoutError):
        await concurrency.resolved(client.receive(timeout=5))

    assert waited == [5.0, 2.0, 1.0, 1.0]
