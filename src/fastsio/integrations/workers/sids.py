"""
The worker that an engine sid names: the sid ends with a dot and the worker's number.

Where machines forward requests to each other, a dot and the name of the machine stand before these. This module reads
the first line of a request and nothing else. It does not know whether the worker or the session exists.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

#: A longer first line is not parsed. uvicorn refuses it.
MAX_LINE_BYTES: Final = 65_536
SID: Final = re.compile(rb"[?&]sid=([^&# ]*+)")
#: The most digits of a worker's number.
MAX_DIGITS: Final = 9
#: The name of a machine.
MACHINE: Final = re.compile(rb"[0-9a-z]{1,32}")


def suffix_of(number: int, machine: str = "") -> str:
    """Return the end of the sids of a worker's sessions; *machine* is empty where requests are not forwarded."""
    return f".{machine}.{number}" if machine else f".{number}"


def worker_of_request(request: bytes, machine: str = "") -> int | None:
    """
    Return the number of the worker that has the session of a request, of which *request* are the first bytes.

    It is None when the first line is not complete, or names no worker of this machine.
    """
    end = request.find(b"\n", 0, MAX_LINE_BYTES)
    return None if end < 0 or request.find(b"sid=", 0, end) < 0 else _worker(request[:end].rstrip(b"\r"), machine)


def worker_of_query(query: bytes, machine: str = "") -> int | None:
    """Return the number of the worker that a query, without its question mark, names in ``sid``; otherwise None."""
    return _worker(b"?" + query, machine) if b"sid=" in query else None


def foreign_process(query: bytes, machine: str) -> str | None:
    """
    Return the name of the process of another machine that has the session of a request with this query.

    It is None when the sid names no process, or one of this machine.
    """
    named, number = _read(b"?" + query)
    if number is None or not MACHINE.fullmatch(named) or named == machine.encode():
        return None
    return f"{named.decode()}.{number}"


def _worker(text: bytes, machine: str) -> int | None:
    named, number = _read(text)
    return number if not machine or named == machine.encode() else None


def _read(text: bytes) -> tuple[bytes, int | None]:
    # If a parameter is repeated, its last value counts.
    sids = SID.findall(text)
    if not sids:
        return b"", None
    head, dot, digits = unquote_to_bytes(sids[-1]).rpartition(b".")
    if not dot or not digits.isdigit() or len(digits) > MAX_DIGITS:
        return b"", None
    _, before, machine = head.rpartition(b".")
    return machine if before else b"", int(digits)
