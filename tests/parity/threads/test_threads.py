"""The sync server does what python-socketio's does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parity.packages import OURS, THEIRS
from tests.parity.threads.lab import Lab, labs
from tests.parity.threads.scenario import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def make_lab() -> Iterator[Callable[[str], Lab]]:
    """Serve for all scenarios."""
    with labs() as make:
        yield make


def by_actor(transcript: list[str]) -> dict[str, list[str]]:
    """
    Part what each client, and the application, saw, in the order in which they saw it.

    Who of two threads is first to note the same thing is nobody's promise.
    """
    seen: dict[str, list[str]] = {}
    for line in transcript:
        seen.setdefault(line.partition(":")[0], []).append(line)
    return seen


@pytest.mark.parametrize("scenario", load(), ids=lambda scenario: scenario.__name__)
def test_both_packages_do_the_same(scenario: Callable[[Lab], None], make_lab: Callable[[str], Lab]) -> None:
    """The wire, what the application saw, and what was raised are the same."""
    transcripts = []
    for package in (THEIRS, OURS):
        lab = make_lab(package)
        try:
            scenario(lab)
        finally:
            lab.close()
        transcripts.append(by_actor(lab.transcript()))
    assert transcripts[1] == transcripts[0]
    assert transcripts[0] != {}
