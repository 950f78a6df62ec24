"""
What only a server's handlers can be given, what only a client's, and what no consumer's.

Says why not and what to write instead; raising the error is the part of :mod:`graph`.
"""

from __future__ import annotations

from typing import Final

from fastsio.injection import needs
from fastsio.injection.kinds import CLIENT_KINDS, HandlerKind
from fastsio.types import Source

_NO_HANDSHAKE: Final = "is read from the handshake of a server's client; a handler of a client has none"

_NOT_ON_CLIENTS: Final = {
    Source.ENVIRON: "is annotated Environ, which only a server's handlers have; a client made the handshake itself",
    Source.AUTH: "is annotated Auth, which only a server's handlers have; a client gives it to connect()",
    Source.SESSION: "is annotated Session, which only a server keeps; keep what you need on an object of your own",
    Source.SERVER: "is annotated with a server's class; in a handler of a client annotate it with the client's class",
}
_NOT_ON_SERVERS: Final = {
    Source.CLIENT: "is annotated with a client's class; in a handler of a server annotate it with the server's class",
}
_NOT_ON_CONSUMERS: Final = {
    **_NOT_ON_SERVERS,
    Source.SERVER: "is annotated with a server's class, and a consumer has none; what the server has is in 'self'",
}


def why_not(need: needs.Need, kind: HandlerKind) -> str | None:
    """Say why a handler of *kind* cannot be given what a parameter asks for; None if it can."""
    if isinstance(need, (needs.FromHandshake, needs.FromConnection)):
        return no_handshake(kind)
    if not isinstance(need, needs.FromSource):
        return None
    if kind is HandlerKind.CONSUMER:
        return _NOT_ON_CONSUMERS.get(need.source)
    return (_NOT_ON_CLIENTS if kind in CLIENT_KINDS else _NOT_ON_SERVERS).get(need.source)


def no_handshake(kind: HandlerKind) -> str | None:
    """Say why a handler of *kind* cannot read the handshake; None if it can."""
    return _NO_HANDSHAKE if kind in CLIENT_KINDS else None
