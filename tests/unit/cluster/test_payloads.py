"""What an emit or an answer carries over the bus."""

from __future__ import annotations

import json
from datetime import date
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from fastsio.cluster.payloads import pack, pack_event, unpack, unpack_event


class Order(BaseModel):
    number: int = Field(alias="no")


class Upload(BaseModel):
    name: str
    content: bytes


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        ([], []),
        ([None], [None]),
        ([Order(no=1), date(2024, 5, 6)], [{"no": 1}, "2024-05-06"]),
        ([UUID(int=1), {2: {"y"}}, (1, 2)], ["00000000-0000-0000-0000-000000000001", {2: ["y"]}, [1, 2]]),
        ([float("nan"), float("inf")], [None, None]),
    ],
)
def test_arguments_become_plain_json(arguments, data):
    """So that every JSON module can write them, whichever a broker's manager uses."""
    assert pack(arguments) == (data, False)
    json.dumps(data)


@pytest.mark.parametrize(
    ("arguments", "arrived"),
    [
        ([b"\x00\x01"], (b"\x00\x01",)),
        ([1, {"a": [memoryview(b"m")]}, b""], (1, {"a": [b"m"]}, b"")),
        ([Upload(name="n", content=b"c")], ({"name": "n", "content": b"c"},)),
        ([date(2024, 5, 6), b"x"], ("2024-05-06", b"x")),
        (["only text"], ("only text",)),
    ],
)
def test_bytes_travel(arguments, arrived):
    """Whatever holds them, next to what has no bytes."""
    data, binary = pack(arguments)

    assert unpack(json.loads(json.dumps(data)), binary=binary) == arrived


def test_what_has_no_json_form_is_the_callers_mistake():
    """The same errors as for local clients."""
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(TypeError):
        pack([object()])
    with pytest.raises(ValueError, match="nested"):
        pack(endless)


@pytest.mark.parametrize("arguments", [(), (None,), (None, None), (1, None), ([None],), ([],), (b"\x01", None)])
def test_events_arrive_with_the_arguments_they_were_emitted_with(arguments):
    """A None that was given is told from nothing, which python-socketio writes as a null."""
    packed, binary = pack_event(arguments)

    assert unpack_event(json.loads(json.dumps(packed)), binary=binary) == arguments


@pytest.mark.parametrize("data", [[None], [], None])
def test_an_event_of_python_socketio_without_data_has_none(data):
    """Its own servers leave the null out."""
    assert unpack_event(data, binary=False) == ()


@pytest.mark.parametrize("payload", [{"a": [1, "x", None, True, 2**70, 0.5]}, [], {}, [{"b": {}}]])
def test_what_is_plain_already_is_handed_on(payload):
    """Without being copied, whatever is in it."""
    packed, _ = pack([payload])

    assert packed[0] is payload


@pytest.mark.parametrize(
    ("payload", "plain"),
    [({"a": [float("nan")]}, {"a": [None]}), ({"a": (1,)}, {"a": [1]}), ({date(2024, 5, 6): 1}, {"2024-05-06": 1})],
)
def test_what_is_not_plain_deep_inside_is_converted(payload, plain):
    """Values and keys."""
    assert pack([payload]) == ([plain], False)
