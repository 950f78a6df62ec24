"""What a test says when a program it needs is not there."""

from __future__ import annotations

import pytest

from tests.support.chromium import require_chromium
from tests.support.node import require_node


@pytest.fixture
def _nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)


@pytest.mark.usefixtures("_nothing_installed")
@pytest.mark.parametrize(("require", "program"), [(require_node, "node"), (require_chromium, "chromium")])
def test_a_missing_program_fails_the_test(require, program):
    """One sentence names the program; the test is not skipped."""
    with pytest.raises(pytest.fail.Exception, match=f"^The program '{program}' is missing: "):
        require()


def test_a_missing_npm_package_fails_the_test():
    """One sentence names the package and the command that brings it."""
    with pytest.raises(pytest.fail.Exception, match=r"^The npm package 'no-such-package' is missing: run '.+'\.$"):
        require_node("no-such-package")
