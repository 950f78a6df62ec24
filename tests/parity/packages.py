"""The names of the two packages that are compared."""

from __future__ import annotations

import os

THEIRS = "socketio"
# PARITY_OURS=socketio compares python-socketio with itself: any difference then is a defect of the harness.
OURS = os.environ.get("PARITY_OURS", "fastsio")
