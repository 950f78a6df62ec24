"""Long-polling in threads: how many packets a POST brings, and how many a poll gets."""

from __future__ import annotations

import pytest

from tests.shells.sync_engine.wire import PollingClient
from tests.support.waiting import WAIT_S


def test_a_post_may_carry_as_many_packets_as_its_size_allows(app):
    """A browser that was offline posts all it has kept at once; other greenlets have a turn now and then."""
    turns = []
    app.engine.sleep = turns.append
    client = PollingClient(app)

    response = client.send("\x1e".join(f"4{number}" for number in range(1000)))

    assert response.status == 200
    assert [app.message() for _ in range(1000)] == [str(number) for number in range(1000)]
    assert turns == [0] * (1000 // 16)


@pytest.mark.parametrize("is_polled", [True, False])
@pytest.mark.parametrize(
    ("user_agent", "most"), [("Mozilla/5.0 (X11; Linux x86_64)", 41), ("python-requests/2.31.0", 16), ("", 16)]
)
def test_a_burst_is_polled_in_payloads_that_the_client_reads(app, user_agent, most, is_polled):
    """python-engineio's clients lose what holds more than 16 packets; nothing is lost, also when the session ends."""
    client = PollingClient(app)
    poll = client.start_poll() if is_polled else None

    app.post(client.sid, *[str(number) for number in range(40)])
    app.engine.disconnect(client.sid)

    polled = [] if poll is None else [poll.result(WAIT_S).packets]
    while not polled or polled[-1][-1] not in ("1", "6"):
        polled.append(app.request(client.query, HTTP_USER_AGENT=user_agent).packets)
    assert all(len(packets) <= most for packets in polled)
    assert [packet for packets in polled for packet in packets] == [*[f"4{number}" for number in range(40)], "1"]
