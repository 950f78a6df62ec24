"""
Ids of sessions: secrets that nobody can guess, in the alphabet of URLs.

Source: Engine.IO protocol v4, "Handshake"; python-engineio's have as many characters.
"""

from __future__ import annotations

from binascii import b2a_base64
from os import urandom
from typing import Final

#: 120 bits, which base64 writes without padding in 20 characters.
RANDOM_BYTES: Final = 15
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def new_id() -> str:
    """Return a fresh id of 20 characters."""
    return b2a_base64(urandom(RANDOM_BYTES), newline=False).translate(_URL_SAFE).decode("ascii")
