"""The tests of the transport, its limits and its mounting once more, on the fast transport."""

from __future__ import annotations

from tests.integration.fast import fast
from tests.integration.frameworks.test_asgi_cors import *  # noqa: F403 - every test of that module
from tests.integration.frameworks.test_asgi_mounting import *  # noqa: F403 - as above
from tests.integration.limits.test_packet_limits import *  # noqa: F403 - as above
from tests.integration.protocol.test_received_packets import *  # noqa: F403 - as above
from tests.integration.transport.test_transport_promises import *  # noqa: F403 - as above

__all__ = ["fast"]
