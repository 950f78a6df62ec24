from __future__ import annotations

import subprocess
import sys

import pytest

from fastsio._extras import optional, require
from fastsio.exceptions import MissingExtraError
from tests.support.waiting import PROGRAM_S


def test_an_installed_module_is_imported():
    """By its dotted name."""
    assert require("json.decoder", "all").JSONDecoder
    assert optional("json.decoder").JSONDecoder


def test_a_missing_module_names_the_extra_that_installs_it():
    """The error is an ImportError, as for any other module."""
    with pytest.raises(
        ImportError, match=r"no_such_module is not installed; run: pip install 'fastsio\[fast\]'"
    ) as caught:
        require("no_such_module", "fast")

    assert isinstance(caught.value, MissingExtraError)


def test_a_missing_module_that_is_only_faster_is_none():
    """The caller has a way without it."""
    assert optional("no_such_module") is None


def test_a_module_that_misses_an_extra_itself_says_which(monkeypatch):
    """Its own error is not covered by another."""
    monkeypatch.setitem(sys.modules, "msgpack", None)
    monkeypatch.delitem(sys.modules, "fastsio.protocol.msgpack", raising=False)

    with pytest.raises(MissingExtraError) as caught:
        require("fastsio.protocol.msgpack", "other")

    assert (caught.value.module, caught.value.extra) == ("msgpack", "msgpack")


def test_without_orjson_the_standard_library_writes_json():
    """The package works without any extra."""
    program = (
        "import sys; sys.modules['orjson'] = None; sys.modules['msgpack'] = None\n"
        "from fastsio.protocol import DEFAULT_CODEC, Packet\n"
        "print(type(DEFAULT_CODEC).__name__, Packet(2, ['a']).encode())\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PROGRAM_S
    )

    assert result.stdout.strip() == 'StdlibCodec 2["a"]'
