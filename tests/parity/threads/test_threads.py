"""The sync server does what python-socketio's does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.packages import OURS, THEIRS
from tests.parity.threads.lab import Lab, labs
from tests.parity.threads.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def make_lab() -> Iterator[Callable[[str], Lab]]:
    """Serve for all scenarios."""
    with labs() as make:
        yield make


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_both_packages_do_the_same(scenario: Callable[[Lab], None], make_lab: Callable[[str], Lab]) -> None:
    """The wire, what the application saw, and what was raised are the same."""
    transcripts = []
    for package in (THEIRS, OURS):
        lab = make_lab(package)
        try:
            scenario(lab)
        finally:
            lab.close()
        transcripts.append(lab.transcript())
    assert transcripts[1] == transcripts[0]
    assert transcripts[0] != []
