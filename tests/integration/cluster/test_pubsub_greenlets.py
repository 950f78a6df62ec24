"""Managers whose broker's client waits on Python's sockets, on servers that run in greenlets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.brokers import redis_server
from tests.support.waiting import PROGRAM_S

GREEN_PROGRAM = Path(__file__).parents[2] / "support" / "green_nodes.py"
#: A server in greenlets in a process where nothing is patched.
UNPATCHED = """
import sys, warnings
warnings.simplefilter("ignore")  # eventlet calls itself deprecated
import fastsio
mode, manager = sys.argv[1:]
try:
    fastsio.Server(async_mode=mode, client_manager=getattr(fastsio, manager)())
except fastsio.exceptions.SetupError as error:
    print(error)
"""


def run(*arguments):
    """Run a Python program, which must end well; return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], check=True, timeout=PROGRAM_S, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


@pytest.mark.parametrize("manager", ["RedisManager", "RedisStreamsManager", "KombuManager", "KafkaManager"])
@pytest.mark.parametrize(
    ("mode", "cure"),
    [
        ("gevent", "call gevent.monkey.patch_all() before anything else is imported"),
        ("eventlet", "call eventlet.monkey_patch() before anything else is imported"),
    ],
)
def test_sockets_that_would_block_all_greenlets_are_refused(mode, cure, manager):
    """C-84: when the server is made, not when it hangs; the error says what to do."""
    assert run("-c", UNPATCHED, mode, manager) == f"{manager} with async_mode={mode!r} needs patched sockets; {cure}\n"


@pytest.mark.parametrize("manager", ["RedisManager", "RedisStreamsManager"])
@pytest.mark.parametrize("mode", ["gevent", "eventlet"])
def test_greenlets_hear_each_other_over_redis(mode, manager):
    """Listening leaves the other greenlets running."""
    with redis_server() as broker:
        run(str(GREEN_PROGRAM), mode, "fastsio", manager, broker.url)
