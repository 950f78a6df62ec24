from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def collected() -> Iterator[None]:
    """Collect what a module leaves behind before its end, while its own filters of warnings apply."""
    yield
    gc.collect()
