from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Take back what a command leaves in the environment for the processes that it starts."""
    with patch.dict(os.environ):
        yield
