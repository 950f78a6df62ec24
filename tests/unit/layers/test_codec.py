from __future__ import annotations

import json
import pickle

import pytest

from fastsio.exceptions import PayloadError, SetupError
from fastsio.layers.codec import Codec

FORMATS = pytest.mark.parametrize("form", ["json", "msgpack"])
MESSAGES = [
    {"type": "chat.message", "text": "💬 hi", "n": 1, "f": 1.5, "no": None, "yes": True, "deep": [{"a": [1]}]},
    {"type": "b", "data": b"\x00\xff", "nested": [{"x": b""}]},
    {"__bytes__": "not bytes"},
    {"__pairs__": [["a", 1]], "b": b"x"},
    {"text": '"__bytes__"', "inner": {"__bytes__": {"__bytes__": b"1"}}},
    {},
]


@FORMATS
@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("keys", [None, ["secret"]])
def test_messages_survive(form, message, keys):
    """Whatever a message may hold comes back, bytes and look-alikes of our own marks included."""
    codec = Codec(form, keys)

    assert codec.decode_message(codec.encode(message)) == message


def test_either_form_is_read_whichever_is_written():
    """A fleet can go from one to the other."""
    for message in MESSAGES:
        assert Codec("json").decode(Codec("msgpack").encode(message)) == message
        assert Codec("msgpack").decode(Codec("json").encode(message)) == message


@FORMATS
def test_keys_can_be_changed_while_messages_are_on_their_way(form):
    """The first key encrypts, any decrypts."""
    old, both, new = Codec(form, ["old"]), Codec(form, ["new", "old"]), Codec(form, [b"new"])

    assert both.decode(old.encode({"a": 1})) == {"a": 1}
    assert new.decode(both.encode({"a": 1})) == {"a": 1}
    with pytest.raises(PayloadError):
        new.decode(old.encode({"a": 1}))


def test_what_is_encrypted_is_not_legible():
    """Not even a part of it."""
    assert b"password" not in Codec("json", ["key"]).encode({"password": "password"})


@pytest.mark.parametrize("keys", [None, ["key"]])
@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b"[1]", b"5", pickle.dumps({"type": "x"}), json.dumps({"a": 1}).encode()[:-1]]
)
def test_what_is_no_message_is_refused(data, keys):
    """Bytes that others wrote raise one error, and nothing is ever unpickled."""
    with pytest.raises(PayloadError):
        Codec("json", keys).decode_message(data)


def test_a_layer_with_keys_reads_nothing_that_is_not_encrypted():
    """An attacker at the broker cannot leave the encryption out."""
    with pytest.raises(PayloadError):
        Codec("json", ["key"]).decode(Codec("json").encode({"type": "x"}))


@FORMATS
def test_what_the_format_does_not_have_is_named(form):
    """The sender is told what a message may hold."""
    with pytest.raises(TypeError, match="a message holds None, bool, int"):
        Codec(form).encode({"thing": object()})


@pytest.mark.parametrize("keys", ["key", b"key", [], [""], [5]])
def test_keys_are_a_list_of_secrets(keys):
    """A single string would be read as many keys of one character."""
    with pytest.raises(SetupError, match="is a list of secrets"):
        Codec("json", keys)


def test_pickle_is_no_format():
    """There are two."""
    with pytest.raises(SetupError, match="'json' or 'msgpack', not 'pickle'"):
        Codec("pickle")
