# ruff: noqa: D103 - models and handlers here are examples
"""Reading functions."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from fastsio.injection.signature import (
    EMPTY,
    Colour,
    Parameter,
    Shape,
    UnresolvedError,
    colour_of,
    name_of,
    names_of_caller,
    positional_range,
    read_parameters,
)

if True:  # a name that exists in this module only
    Number = int


def sample(first, /, second: Number, *rest, third: "str | None" = None, **others):  # noqa: UP037 - text inside text is tested
    raise AssertionError


def test_parameters_are_read_with_their_shapes_and_resolved_annotations():
    """Positional-only and ordinary parameters are both passed by position."""
    assert read_parameters(sample) == (
        Parameter("first", Shape.POSITIONAL),
        Parameter("second", Shape.POSITIONAL, int),
        Parameter("rest", Shape.REST),
        Parameter("third", Shape.KEYWORD, str | None, None),
        Parameter("others", Shape.KEYWORD_REST),
    )


def test_bound_keywords_of_a_partial_are_left_out():
    """They are filled already."""
    names = [parameter.name for parameter in read_parameters(functools.partial(sample, 1, third="x"))]

    assert names == ["second", "rest", "others"]


def test_something_without_a_signature_has_no_parameters():
    """Some builtins do not tell."""
    assert read_parameters(dict.fromkeys.__self__) is None
    assert positional_range(dict) == (0, None)


def test_annotations_see_the_closure_of_the_function():
    """A class that the function also uses is found in its cells."""

    def make():
        class Local:
            pass

        def function(value: Local):
            return Local

        return function

    function = make()

    assert read_parameters(function)[0].annotation is function(None)


def test_a_cell_that_is_still_empty_is_no_name():
    """A function may be registered before what it uses exists."""

    def function(value: Later):
        return Later

    with pytest.raises(UnresolvedError) as unresolved:
        read_parameters(function)
    Later = str  # noqa: N806 - a class defined late

    assert unresolved.value.parameter == "value"
    assert read_parameters(function)[0].annotation is str
    assert function(None) is str


def test_annotations_see_the_names_of_the_enclosing_function():
    """A handler defined in a function may name a class that is defined there too."""

    class Local:
        pass

    def function(value: Local, other: Nowhere):  # noqa: F821 - not defined on purpose
        raise AssertionError

    del function.__annotations__["other"]

    assert read_parameters(function, names_of_caller(function))[0].annotation is Local
    assert names_of_caller(sample) == {}


def test_a_name_found_nowhere_is_reported_with_its_parameter():
    """Also after the enclosing function was searched."""

    def function(value: Nowhere):  # noqa: F821 - not defined on purpose
        raise AssertionError

    with pytest.raises(UnresolvedError) as unresolved:
        read_parameters(function, names_of_caller(function))

    assert unresolved.value.parameter == "value"
    assert "Nowhere" in unresolved.value.reason


def test_a_function_that_has_ended_gives_no_names():
    """Its frame is gone."""

    def make():
        def function():
            raise AssertionError

        return function

    assert names_of_caller(make()) == {}


def test_a_class_is_read_through_its_constructor():
    """Text in its annotations is resolved in the module of the class."""

    class Service:
        def __init__(self, size: Number) -> None:
            raise AssertionError

    assert read_parameters(Service) == (Parameter("size", Shape.POSITIONAL, int),)


def test_an_annotation_that_is_no_type_counts_as_none():
    """python-socketio handlers may carry notes."""

    def function(value: "what the user typed"):  # noqa: F722 - an annotation that is no type
        raise AssertionError

    assert read_parameters(function)[0].annotation is EMPTY


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (sample, (2, None)),
        (lambda a, b=1: None, (1, 2)),
        (lambda: None, (0, 0)),
        (functools.partial(max, 1), (0, None)),
    ],
)
def test_positional_range_counts_what_may_be_passed_by_position(function, expected):
    """None is any number."""
    assert positional_range(function) == expected


class CallableObject:
    async def __call__(self) -> Any:
        raise AssertionError

    async def method(self) -> Any:
        raise AssertionError


async def async_generator():
    yield


def generator():
    yield


@functools.wraps(generator)
def wrapper():
    raise AssertionError


@functools.wraps(wrapper)
async def awaiting():
    raise AssertionError


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (print, Colour.PLAIN),
        (CallableObject, Colour.PLAIN),
        (CallableObject(), Colour.COROUTINE),
        (CallableObject().method, Colour.COROUTINE),
        (functools.partial(CallableObject().method), Colour.COROUTINE),
        (generator, Colour.GENERATOR),
        (async_generator, Colour.ASYNC_GENERATOR),
        (wrapper, Colour.WRAPPER),
        (awaiting, Colour.COROUTINE),
    ],
)
def test_colour_tells_what_a_call_gives(function, expected):
    """Without calling it."""
    assert colour_of(function) is expected


def test_names_for_messages():
    """Functions, partials and objects all have one."""
    assert name_of(sample) == "sample"
    assert name_of(functools.partial(sample)) == "sample"
    assert name_of(CallableObject()) == "CallableObject"


def test_a_wrapper_that_names_parameters_is_called_by_its_own_signature():
    """Only a wrapper that passes on whatever it gets has the signature of what it wraps."""

    def inner() -> None:
        pass

    @functools.wraps(inner)
    def adapting(sid, *args):
        return inner()

    @functools.wraps(inner)
    def passing(*args, **kwargs):
        return inner(*args, **kwargs)

    assert positional_range(adapting) == (1, None)
    assert positional_range(passing) == (0, 0)
