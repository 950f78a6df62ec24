"""The logger of consumers."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("fastsio.consumers")
