from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from fastsio.exceptions import PacketError
from fastsio.protocol.plain import contains_binary, deconstruct, reconstruct


def _hole(number):
    return {"_placeholder": True, "num": number}


class _Upload(BaseModel):
    name: str
    content: bytes


@dataclass
class _Chunk:
    content: bytes


def test_bytes_are_taken_out_depth_first():
    """In the order of lists and of keys, as the JavaScript parser does."""
    data = ["upload", {"b": [b"1", {"c": b"2"}], "a": b"3"}, b"4"]

    tree, attachments = deconstruct(data)

    assert tree == ["upload", {"b": [_hole(0), {"c": _hole(1)}], "a": _hole(2)}, _hole(3)]
    assert attachments == [b"1", b"2", b"3", b"4"]


def test_all_bytes_like_values_and_containers_count():
    """All of them become bytes; tuples, sets, models and dataclasses are looked into."""
    data = (bytearray(b"1"), memoryview(b"2"), {b"3"}, _Upload(name="x", content=b"4"), _Chunk(b"5"), b"")

    tree, attachments = deconstruct(data)

    assert tree == [_hole(0), _hole(1), [_hole(2)], {"name": "x", "content": _hole(3)}, {"content": _hole(4)}, _hole(5)]
    assert attachments == [b"1", b"2", b"3", b"4", b"5", b""]
    assert all(type(attachment) is bytes for attachment in attachments)


def test_what_has_no_binary_is_left_to_the_codec():
    """Values that are no containers stay as they are."""
    value = object()

    assert deconstruct(["a", 1, None, value]) == (["a", 1, None, value], [])


def test_the_payload_is_not_changed():
    """Emitting the same payload twice sends it twice."""
    data = ["a", {"b": b"1"}]

    deconstruct(data)

    assert data == ["a", {"b": b"1"}]


def test_a_payload_that_contains_itself_is_refused():
    """As ValueError, not as RecursionError."""
    data: list[object] = []
    data.append(data)

    with pytest.raises(ValueError, match="nested too deeply"):
        deconstruct(data)


@pytest.mark.parametrize(
    "data",
    [b"", bytearray(), memoryview(b""), [b""], {"a": (1, b"")}, {b"x"}, _Upload(name="", content=b""), _Chunk(b"")],
)
def test_binary_is_found_wherever_it_is(data):
    """Also empty, and inside models."""
    assert contains_binary(data)


@pytest.mark.parametrize("data", [None, 1, "a", ["a", {"b": (1, {2})}], object(), {b"key": 1}, _Chunk])
def test_what_is_not_binary_is_not_found(data):
    """A key is no attachment, and a class is no instance."""
    assert not contains_binary(data)


def test_attachments_return_to_their_places():
    """A placeholder may be anywhere, also twice."""
    tree = ["a", _hole(1), {"b": [_hole(0), _hole(1)]}]

    assert reconstruct(tree, [b"0", b"1"]) == ["a", b"1", {"b": [b"0", b"1"]}]


def test_a_dict_that_only_looks_like_a_placeholder_passes_through():
    """_placeholder must be true, as in JavaScript."""
    tree = ["a", _hole(0), {"_placeholder": "Type here", "num": 0}, {"_placeholder": 1, "num": 9}]

    assert reconstruct(tree, [b"0"]) == ["a", b"0", *tree[2:]]


@pytest.mark.parametrize("number", [-1, 1, True, False, 0.0, "0", None, [0], 2**70])
def test_a_placeholder_that_names_no_attachment_is_refused(number):
    """Source: CVE-2022-2421."""
    with pytest.raises(PacketError, match="names no attachment"):
        reconstruct(["a", {"_placeholder": True, "num": number}], [b"0"])


def test_a_placeholder_without_a_number_is_refused():
    """Nothing is assumed."""
    with pytest.raises(PacketError, match="names no attachment"):
        reconstruct(["a", {"_placeholder": True}], [b"0"])


@pytest.mark.parametrize("tree", [["a"], ["a", _hole(1)], ["a", {"_placeholder": 1, "num": 0}]])
def test_an_attachment_without_a_placeholder_is_refused(tree):
    """A correct peer sends none."""
    with pytest.raises(PacketError, match="attachment 0 has no placeholder"):
        reconstruct(tree, [b"0", b"1"])
