"""What a test client says and hears."""

from __future__ import annotations

from fastsio.protocol import Packet
from fastsio.testing.base import Conversation, Received


def test_half_a_packet_is_forgotten_with_its_connection() -> None:
    """Attachments that did not arrive are not waited for on the next connection."""
    conversation = Conversation(Packet)
    assert conversation.hear('451-["news",{"_placeholder":true,"num":0}]') is None

    conversation.restart()

    assert conversation.hear('42["news",1]') == Received("news", (1,))
