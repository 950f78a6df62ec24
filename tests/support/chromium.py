"""Find the browser for tests that look at a page; a missing one fails the test with one sentence."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

#: No window, no sandbox (containers forbid it), and nothing that would talk to other hosts.
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def require_chromium() -> str:
    """Return the path of Chromium, or of what the environment variable CHROMIUM names."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        path = shutil.which(name)
        if path is not None:
            return path
    return pytest.fail("The program 'chromium' is missing: run 'tools/setup_chromium.sh' as root.", pytrace=False)
