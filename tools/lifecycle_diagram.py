"""
Write docs/explanation/lifecycle.md from the tables in fastsio.protocol.lifecycle, so that the two cannot drift apart.

Run it after every change of the tables: ``python tools/lifecycle_diagram.py``. A unit test compares the file.
"""

from __future__ import annotations

from pathlib import Path

from fastsio.protocol import lifecycle
from fastsio.protocol.lifecycle import ALWAYS_CONNECT_VERDICTS, TRANSITIONS, VERDICTS, NamespaceState, Verdict
from fastsio.protocol.packet_type import PacketType

#: Where the page is.
PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "lifecycle.md"

_TYPES = (PacketType.CONNECT, PacketType.EVENT, PacketType.ACK, PacketType.DISCONNECT, PacketType.CONNECT_ERROR)
_MEANINGS = {
    Verdict.CONNECT: "Begin a connection to the namespace.",
    Verdict.DISPATCH: "Call the event's handler.",
    Verdict.ACKNOWLEDGE: "Hand the payload to the callback or call that waits for this acknowledgement.",
    Verdict.LEAVE: "The client leaves the namespace.",
    Verdict.HOLD: "Keep the packet until the connect handler has decided.",
    Verdict.IGNORE: "Do nothing; the packet crossed one of the server's on the way.",
    Verdict.CLOSE: "The client broke the protocol; its connection is closed.",
}


def diagram() -> str:
    """Draw the transitions as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {NamespaceState.NONE.name}"]
    lines += [
        f"    {state.name} --> {following.name}: {happening.value}"
        for (state, happening), following in TRANSITIONS.items()
    ]
    return "\n".join(lines)


def verdict_table() -> str:
    """Set out what each packet means in each state, as a Markdown table."""
    lines = [
        "| state | " + " | ".join(packet_type.name for packet_type in _TYPES) + " |",
        "|---|" + "---|" * len(_TYPES),
    ]
    for state in NamespaceState:
        cells = [_cell(state, packet_type) for packet_type in _TYPES]
        lines.append(f"| {state.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(state: NamespaceState, packet_type: PacketType) -> str:
    usual = VERDICTS[state, packet_type].value
    early = ALWAYS_CONNECT_VERDICTS.get((state, packet_type))
    return usual if early is None else f"{usual} ({early.value} under `always_connect`)"


def page() -> str:
    """Compose the whole page."""
    title, essay = (lifecycle.__doc__ or "").strip().split("\n\n", 1)
    explanation = essay.split("\n\nThe diagram in", 1)[0].replace("``", "`")
    meanings = "\n".join(f"- **{verdict.value}**: {meaning}" for verdict, meaning in _MEANINGS.items())
    return f"""\
# The life of a client in a namespace

<!-- Written by tools/lifecycle_diagram.py from src/fastsio/protocol/lifecycle.py; edit that. -->

{title}

{explanation}

## Steps

```mermaid
{diagram()}
```

## What a packet means

A packet with attachments means what the same packet means without.

{verdict_table()}

{meanings}
"""


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
