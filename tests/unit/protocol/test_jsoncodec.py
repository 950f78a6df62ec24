from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from fastsio.protocol.jsoncodec import (
    DEFAULT_CODEC,
    AdaptedCodec,
    BinaryInPayload,
    JSONCodec,
    OrjsonCodec,
    StdlibCodec,
    adapt,
)

CODECS = [StdlibCodec(), OrjsonCodec(orjson), AdaptedCodec(json)]
STRICT_CODECS = CODECS[:2]
NAMES = ["stdlib", "orjson", "adapted"]
codecs = pytest.mark.parametrize("codec", CODECS, ids=NAMES)
strict_codecs = pytest.mark.parametrize("codec", STRICT_CODECS, ids=NAMES[:2])

NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


class _User(BaseModel):
    name: str
    born: dt.date


class _Upload(BaseModel):
    content: bytes


@dataclass
class _Pair:
    left: Any
    right: Any


class _Colour(Enum):
    RED = "red"


class _Nested(Enum):
    PAIR = (1, 2)


class _Raw(Enum):
    BYTES = b"raw"


class _Number(IntEnum):
    ONE = 1


class _Word(StrEnum):
    A = "a"


class _Celsius(float):
    pass


class _NoJSON:
    pass


@codecs
@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (["a", 1, True, None, 1.5], '["a",1,true,null,1.5]'),
        ({"a": {"b": []}}, '{"a":{"b":[]}}'),
        (("a", (1, 2)), '["a",[1,2]]'),
        (_User(name="Zoë", born=NOON.date()), '{"name":"Zoë","born":"2024-01-02"}'),
        ([_Pair(NOON, {1})], '[{"left":"2024-01-02T12:00:00Z","right":[1]}]'),
        ([uuid.UUID(int=5), NOON.time()], '["00000000-0000-0000-0000-000000000005","12:00:00"]'),
        ([_Colour.RED, _Nested.PAIR, _Number.ONE, _Word.A], '["red",[1,2],1,"a"]'),
        ({_Word.A: _Celsius(1.5)}, '{"a":1.5}'),
        ({1: "a", None: "b", 1.5: "c", False: "d"}, '{"1":"a","null":"b","1.5":"c","false":"d"}'),
        ({uuid.UUID(int=5): NOON}, '{"00000000-0000-0000-0000-000000000005":"2024-01-02T12:00:00Z"}'),
        ([2**64, -(2**70)], "[18446744073709551616,-1180591620717411303424]"),
    ],
)
def test_all_codecs_write_the_same(codec, payload, text):
    """Whichever codec is installed, the peer reads the same value."""
    assert json.loads(codec.dumps(payload)) == json.loads(text)


@strict_codecs
def test_text_is_compact_and_not_escaped(codec):
    """No byte is sent that is not needed."""
    assert codec.dumps(["é", {"a": "\u2028"}]) == '["é",{"a":"\u2028"}]'


@strict_codecs
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, _Celsius("nan")])
def test_what_json_has_no_number_for_becomes_null(codec, number):
    """As JSON.stringify has it; a peer would refuse NaN."""
    assert codec.dumps(["a", {"b": number}, _Pair(number, 1)]) == '["a",{"b":null},{"left":null,"right":1}]'


@strict_codecs
def test_a_lone_surrogate_is_written_escaped(codec):
    """It has no UTF-8 form, and must not break the connection it is sent on."""
    text = codec.dumps(["\ud800", {"\udc00é": NOON}])

    assert text.isascii()
    assert json.loads(text) == ["\ud800", {"\udc00é": "2024-01-02T12:00:00Z"}]


def test_a_lone_surrogate_that_a_module_of_the_application_writes_is_escaped():
    """As by the other codecs; text that has a UTF-8 form stays as the module wrote it."""
    module = SimpleNamespace(dumps=lambda obj, **options: json.dumps(obj, ensure_ascii=False, **options))

    assert AdaptedCodec(module).dumps(["é\ud800", {"\udc00\U0001f600": 1}]) == '["é\\ud800",{"\\udc00\U0001f600":1}]'
    assert AdaptedCodec(module).dumps(["é\U0001f600"]) == '["é\U0001f600"]'


@codecs
@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        ["a", bytearray()],
        {"a": [memoryview(b"x")]},
        [{b"x"}],
        _Upload(content=b"x"),
        _Pair(1, b"x"),
        _Raw.BYTES,
        {1: b"x"},
        [math.nan, b"x"],
    ],
)
def test_binary_is_signalled_by_every_codec(codec, payload):
    """Wherever it hides, also behind what the fast codec refuses."""
    with pytest.raises(BinaryInPayload):
        codec.dumps(payload)


@codecs
@pytest.mark.parametrize("payload", [_NoJSON(), [_NoJSON()], {"a": iter([])}, {b"key": 1}, {_NoJSON(): 1}])
def test_what_has_no_json_form_is_a_type_error(codec, payload):
    """As in the standard library."""
    with pytest.raises(TypeError):
        codec.dumps(payload)


@codecs
def test_a_payload_that_contains_itself_is_a_value_error(codec):
    """Not a RecursionError."""
    payload: list[Any] = ["a"]
    payload.append(payload)

    with pytest.raises(ValueError, match="nested too deeply"):
        codec.dumps(payload)


@strict_codecs
def test_nesting_that_only_the_slow_way_can_write_is_written(codec):
    """The fast codec stops at 254 levels."""
    payload: list[Any] = []
    for _ in range(300):
        payload = [payload]

    assert codec.dumps(payload) == "[" * 301 + "]" * 301


@codecs
@pytest.mark.parametrize(
    "text", ["[1,2.5,-0,1e5]", ' {"a":null} ', '"é"', '{"a":1,"a":2}', '"\\ud83d\\ude00"', '"\x7f"']
)
def test_all_codecs_read_the_same(codec, text):
    """Whichever codec is installed, the handler gets the same value."""
    assert codec.loads(text) == json.loads(text)


@strict_codecs
@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e400",
        "[-1e999]",
        "1" * 400,
        "1" * 5000,
        "[1,]",
        "[1] x",
        "01",
        "1.",
        "'a'",
        '"\x01"',
        '"\\x"',
        "\ufeff1",
        "\x0b1",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_what_is_not_json_is_a_value_error(codec, text):
    """JavaScript refuses it too; deep nesting is no RecursionError."""
    with pytest.raises(ValueError):  # noqa: PT011 - each codec words it as it likes
        codec.loads(text)


@strict_codecs
def test_a_lone_surrogate_is_read(codec):
    """JavaScript sends them, escaped."""
    assert codec.loads('["\\ud800"]') == ["\ud800"]


@strict_codecs
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -(2.0**63)),
    ],
)
def test_integers_beyond_64_bits_are_read_as_floats(codec, text, value):
    """As JavaScript has all its numbers; the codecs agree on it."""
    read = codec.loads(text)

    assert (read, type(read)) == (value, type(value))


class _Picky:
    """A JSON module of an application's own."""

    def dumps(self, obj: Any, separators: tuple[str, str]) -> str:
        return "!" + json.dumps(obj, separators=separators)

    def loads(self, text: str) -> Any:
        raise KeyError(text)


def test_an_applications_object_is_adapted():
    """Anything with dumps and loads will do."""
    codec = adapt(_Picky())

    assert codec.dumps({"a": 1}) == '!{"a":1}'


def test_an_applications_module_need_not_know_models():
    """They are made plain for it."""
    assert adapt(json).dumps([_User(name="x", born=NOON.date())]) == '[{"name":"x","born":"2024-01-02"}]'


def test_whatever_an_applications_module_raises_is_a_value_error():
    """The peer's text made it raise; it must not look like a bug of the server."""
    with pytest.raises(ValueError, match="could not be read"):
        adapt(_Picky()).loads("[]")


@pytest.mark.parametrize("codec", [*CODECS, DEFAULT_CODEC])
def test_a_codec_is_adapted_to_itself(codec):
    """Nothing is wrapped twice."""
    assert adapt(codec) is codec
    assert isinstance(codec, JSONCodec)


def test_no_module_means_the_default():
    """json=None is python-socketio's default."""
    assert adapt(None) is DEFAULT_CODEC


def test_the_default_is_the_fast_codec_when_it_is_installed():
    """It is in the extra 'fast', and in the test environment."""
    assert isinstance(DEFAULT_CODEC, OrjsonCodec)


class CountingOrjson:
    """orjson, which counts how often it is asked, and says what it wants to of a lone surrogate."""

    OPT_PASSTHROUGH_DATACLASS = OPT_PASSTHROUGH_DATETIME = 0
    dumps = staticmethod(json.dumps)

    def __init__(self, complaint: str) -> None:
        self.complaint = complaint
        self.asked = 0

    def loads(self, text: str) -> object:
        self.asked += 1
        if "\\ud800" in text:
            raise ValueError(self.complaint)
        return json.loads(text)


@pytest.mark.parametrize(
    ("complaint", "strict", "reads"),
    [("no low surrogate", True, 1), ("an odd escape", True, 2), ("no low surrogate", False, 2)],
)
def test_what_is_not_json_is_read_once_where_the_complaint_tells(monkeypatch, complaint, strict, reads):
    """By the standard library as well where orjson may have refused what others read; a lone surrogate always is."""
    orjson = CountingOrjson(complaint)
    codec = OrjsonCodec(orjson, strict=strict)
    orjson.asked, second = 0, []
    stdlib = codec._stdlib
    monkeypatch.setattr(codec, "_stdlib", SimpleNamespace(loads=lambda text: second.append(text) or stdlib.loads(text)))

    with pytest.raises(ValueError, match="Expecting"):
        codec.loads('["x",')
    assert orjson.asked + len(second) == reads
    assert codec.loads('["\\ud800"]') == ["\ud800"]


def test_an_orjson_that_reads_lone_surrogates_is_asked_and_no_other():
    """Should there be one some day."""

    class Lenient(CountingOrjson):
        def loads(self, text):
            return json.loads(text)

    assert OrjsonCodec(Lenient("")).loads('["\\ud800"]') == ["\ud800"]


@pytest.mark.parametrize("codec", [StdlibCodec(), OrjsonCodec(orjson)], ids=["stdlib", "orjson"])
def test_a_mistake_is_one_traceback(codec):
    """Not one for each way of writing that was tried."""
    with pytest.raises(TypeError) as caught:
        codec.dumps({"a": [object()]})

    assert caught.value.__context__ is caught.value.__cause__
    assert caught.value.__cause__.__context__ is None
