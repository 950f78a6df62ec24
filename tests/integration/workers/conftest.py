from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.workers.raw_http import Workers
from tests.support.worker_site import workers

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 3
#: Of the command, for each way of uvicorn to read requests.
KINDS = {"httptools": ["--loop", "uvloop"], "h11": ["--http", "h11", "--loop", "asyncio"]}


@pytest.fixture(scope="module", params=KINDS)
def site(request) -> Iterator[Workers]:
    """Several workers on one port."""
    with workers(COUNT, *KINDS[request.param]) as broker, Workers(broker.port, COUNT) as reached:
        yield reached
        assert "Traceback" not in broker.log
