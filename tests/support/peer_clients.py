"""For tests that run the clients of python-socketio."""

from __future__ import annotations

from typing import Final

import pytest

#: How a client of python-socketio leaves: whether its DISCONNECT is written before its transport closes depends on the
#: transport and on the Python that it runs on.
LEAVES: Final = ("client disconnect", "transport close")

#: The marks of a module whose clients are python-socketio's: they do not read the answers to their POSTs, and leave the
#: connections, and those of an upgrade, to the garbage collector. That is theirs, and no later test need hear of it.
LEAVE_CONNECTIONS: Final = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]
