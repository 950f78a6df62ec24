"""
The floor of the fast transport: the workload's wire traffic on picows alone, as ``bare_asgi_app`` is it under ASGI.

No packet is parsed beyond its event name, no event loop's turn is shared, nothing is checked, nobody is pinged.
"""

from __future__ import annotations

import sys
from itertools import count

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

OPEN = b'0{"sid":"%d","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
CAST = b'42["cast",'

numbers = count(1)
clients: dict[int, WSTransport] = {}


class Client(WSListener):
    """One connection."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self.number = next(numbers)
        transport.send(WSMsgType.TEXT, OPEN % self.number)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows's signature
        """Forget."""
        clients.pop(self.number, None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer one packet."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        packet = frame.get_payload_as_bytes()
        if packet == b"40":
            clients[self.number] = transport
            transport.send(WSMsgType.TEXT, b'40{"sid":"%d"}' % self.number)
        elif packet.startswith(CAST):
            news = b'42["news",' + packet[len(CAST) :]
            for client in list(clients.values()):
                client.send(WSMsgType.TEXT, news)
        elif packet.endswith(b'["count"]'):
            transport.send(WSMsgType.TEXT, b"43%s[%d]" % (packet[2:-9], len(clients)))
        else:
            ack_id, _, event = packet[2:].partition(b"[")
            transport.send(WSMsgType.TEXT, b"43%s[%s" % (ack_id, event.partition(b",")[2]))


def listener(_request: WSUpgradeRequest) -> WSListener:
    """Accept anybody."""
    return Client()


async def main(port: int) -> None:
    """Serve for ever."""
    server = await ws_create_server(listener, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
