"""``python -m fastsio`` is ``fastsio``."""

from __future__ import annotations

import sys

from fastsio.cli import main

if __name__ == "__main__":
    sys.exit(main())
