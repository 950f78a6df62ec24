"""camelCase on the wire: what is renamed, and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field
from pydantic.alias_generators import to_camel

from fastsio.consumers.camel import from_wire, keys_of, to_wire


class Leaf(BaseModel):
    leaf_name: str = ""


class Tree(BaseModel):
    tree_name: str = ""
    first_child: Tree | None = None
    all_children: list[Tree] = []
    by_name: dict[str, Leaf] = {}
    free_form: dict[str, Any] = {}


class Typed(TypedDict):
    some_key: int


@dataclass
class Data:
    some_field: Leaf


@pytest.mark.parametrize(
    ("annotation", "wire", "python"),
    [
        (Leaf, {"leafName": "x"}, {"leaf_name": "x"}),
        (Leaf, {"leaf_name": "x"}, {"leaf_name": "x"}),
        (Leaf, {"other_key": 1}, {"other_key": 1}),
        (list[Leaf], [{"leafName": "x"}, 7], [{"leaf_name": "x"}, 7]),
        (tuple[Leaf, int], [{"leafName": "x"}, 7], [{"leaf_name": "x"}, 7]),
        (dict[str, Leaf], {"keyName": {"leafName": "x"}}, {"keyName": {"leaf_name": "x"}}),
        (Optional[Leaf], {"leafName": "x"}, {"leaf_name": "x"}),  # noqa: UP045 - the old form
        (Union[int, Leaf, Data], {"leafName": "x"}, {"leaf_name": "x"}),  # noqa: UP007 - as above
        (Leaf | list[Leaf], [{"leafName": "x"}], [{"leaf_name": "x"}]),
        (Annotated[Leaf, "note"], {"leafName": "x"}, {"leaf_name": "x"}),
        (Data, {"someField": {"leafName": "x"}}, {"some_field": {"leaf_name": "x"}}),
        (Typed, {"someKey": 1}, {"some_key": 1}),
        (
            Tree,
            {"firstChild": {"allChildren": [{"treeName": "x"}]}, "freeForm": {"firstChild": 1}},
            {"first_child": {"all_children": [{"tree_name": "x"}]}, "free_form": {"firstChild": 1}},
        ),
        (Leaf, "text", "text"),
        (int, {"leafName": "x"}, {"leafName": "x"}),
        (Literal["a"], "a", "a"),
    ],
)
def test_names_on_the_wire_become_names_of_fields(annotation, wire, python):
    """At any depth, in either form, and nothing else."""
    assert from_wire(wire, keys_of(annotation)) == python


@pytest.mark.parametrize("annotation", [int, dict[str, Any], Any, Literal["a"], list[int], type[Leaf]])
def test_what_has_no_fields_costs_nothing(annotation):
    """There is nothing to look for in it."""
    assert keys_of(annotation) is None


def test_aliases_are_left_alone():
    """A field with an alias is called so on the wire, in both directions."""

    class Aliased(BaseModel):
        both_ways: int = Field(alias="BOTH")
        in_only: int = Field(default=0, validation_alias="IN")
        out_only: int = Field(default=0, serialization_alias="OUT")
        choices: int = Field(default=0, validation_alias=AliasChoices("one", "two"))

    keys = keys_of(Aliased)
    value = Aliased.model_validate(from_wire({"BOTH": 1, "IN": 2, "outOnly": 3, "two": 4}, keys))

    assert value == Aliased.model_construct(both_ways=1, in_only=2, out_only=3, choices=4)
    assert to_wire(value.model_dump(by_alias=True), keys) == {"BOTH": 1, "inOnly": 2, "OUT": 3, "choices": 4}


TREES = st.recursive(
    st.builds(Tree, tree_name=st.text(max_size=5)),
    lambda children: st.builds(
        Tree,
        first_child=st.none() | children,
        all_children=st.lists(children, max_size=2),
        by_name=st.dictionaries(st.text(max_size=5), st.builds(Leaf, leaf_name=st.text(max_size=5)), max_size=2),
        free_form=st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    ),
    max_leaves=5,
)


@given(TREES)
def test_what_goes_out_comes_back(tree):
    """The wire form of any model validates to the model, and all names of fields in it are camelCase."""
    keys = keys_of(Tree)

    wire = to_wire(tree.model_dump(mode="json"), keys)

    assert set(wire) == {to_camel(name) for name in Tree.model_fields}
    assert Tree.model_validate(from_wire(wire, keys)) == tree
