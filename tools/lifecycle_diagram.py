"""
Write docs/explanation/lifecycle.md from the tables in fastsio.protocol.lifecycle, so that the two cannot drift apart.

Run it after every change of the tables: ``python -m tools.lifecycle_diagram``. A unit test compares the file.
"""

from __future__ import annotations

from tools.state_page import PAGES, compose, diagram, table, write

from fastsio.protocol import lifecycle
from fastsio.protocol.lifecycle import ALWAYS_CONNECT_VERDICTS, TRANSITIONS, VERDICTS, NamespaceState, Verdict
from fastsio.protocol.packet_type import PacketType

#: Where the page is.
PAGE = PAGES / "lifecycle.md"

_TYPES = (PacketType.CONNECT, PacketType.EVENT, PacketType.ACK, PacketType.DISCONNECT, PacketType.CONNECT_ERROR)
_MEANINGS = {
    Verdict.CONNECT: "Begin a connection to the namespace.",
    Verdict.DISPATCH: "Call the event's handler.",
    Verdict.ACKNOWLEDGE: "Hand the payload to the callback or call that waits for this acknowledgement.",
    Verdict.LEAVE: "The client leaves the namespace.",
    Verdict.REJOIN: "The client leaves the namespace, then its connection joins the namespace again as a new client.",
    Verdict.HOLD: "Keep the packet until the connect handler has decided.",
    Verdict.IGNORE: "Do nothing; the packet crossed one of the server's on the way.",
    Verdict.CLOSE: "The client broke the protocol; its connection is closed.",
}


def _cell(state: NamespaceState, packet_type: PacketType) -> str:
    usual = VERDICTS[state, packet_type].value
    early = ALWAYS_CONNECT_VERDICTS.get((state, packet_type))
    return usual if early is None else f"{usual} ({early.value} under `always_connect`)"


def page() -> str:
    """Compose the whole page."""
    rows = [(state.name, [_cell(state, packet_type) for packet_type in _TYPES]) for state in NamespaceState]
    what_a_packet_means = "A packet with attachments means what the same packet means without.\n\n" + table(
        "state", [packet_type.name for packet_type in _TYPES], rows
    )
    sections = {"Steps": diagram(NamespaceState.NONE, TRANSITIONS), "What a packet means": what_a_packet_means}
    return compose("The life of a client in a namespace", "lifecycle_diagram", lifecycle, sections, _MEANINGS)


if __name__ == "__main__":
    write(PAGE, page())
