"""Channels as an AsyncAPI document."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, Field, create_model

from fastsio.asyncapi import Channel, Direction, Message, Operation, render
from fastsio.exceptions import SetupError


class Author(BaseModel):
    """Nested."""

    full_name: str
    mail: str = Field(alias="e_mail")


class Posted(BaseModel):
    """A message."""

    written_by: Author
    co_authors: list[Author | None] = []


class How(Enum):
    VERY_WELL = "very_well"


class Mood(BaseModel):
    in_general: How | None = None


def rendered(*operations: Operation, address: str | None = "/room/{name}/{page:int}") -> dict[str, Any]:
    """Return the document of one channel."""
    channel = Channel("chat", address, operations, "Talk", ("a", "b"))
    return render([channel], title="An application", version="1.2")


def resolve(document: dict[str, Any], reference: str) -> Any:
    """Return what a reference refers to."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def references(value: Any) -> list[str]:
    """Return every reference in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [each for part in value.values() for each in references(part)]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def test_a_channel_has_its_address_parameters_and_words() -> None:
    """Converters of the route are not the client's affair."""
    document = rendered()

    assert document == {
        "asyncapi": "3.0.0",
        "info": {"title": "An application", "version": "1.2"},
        "channels": {
            "chat": {
                "address": "/room/{name}/{page}",
                "description": "Talk",
                "tags": [{"name": "a"}, {"name": "b"}],
                "parameters": {"name": {}, "page": {}},
            }
        },
        "components": {"messages": {}, "schemas": {}},
    }


def test_an_operation_refers_to_its_messages_and_replies() -> None:
    """Every reference leads somewhere, whatever the messages are called, and the document is JSON."""
    post = Operation(
        "post", Direction.RECEIVE, (Message("a/b~c", Posted),), (Message("ok"),), "Post", "At length", ("t",)
    )

    document = rendered(post)

    operation = document["operations"]["chat.post"]
    assert (operation["action"], operation["summary"], operation["description"]) == ("receive", "Post", "At length")
    assert operation["tags"] == [{"name": "t"}]
    message = resolve(document, resolve(document, operation["messages"][0]["$ref"])["$ref"])
    assert message == {"name": "a/b~c", "payload": {"$ref": "#/components/schemas/Posted"}}
    assert resolve(document, resolve(document, operation["reply"]["messages"][0]["$ref"])["$ref"])["payload"] == {}
    assert json.loads(json.dumps(document)) == document
    for reference in references(document):
        resolve(document, reference)


def test_fields_are_named_as_on_the_wire() -> None:
    """camelCase where the channel has it, but for names that the application has given itself."""
    document = rendered(
        Operation("post", Direction.RECEIVE, (Message("posted", Posted, camelize=True),)),
        Operation("repost", Direction.RECEIVE, (Message("reposted", Posted),)),
    )

    schemas = document["components"]["schemas"]
    assert set(schemas["PostedCamel"]["properties"]) == {"writtenBy", "coAuthors"}
    assert schemas["AuthorCamel"]["required"] == ["fullName", "e_mail"]
    assert set(schemas["Posted"]["properties"]) == {"written_by", "co_authors"}
    for reference in references(document):
        resolve(document, reference)


def test_only_objects_have_names_on_the_wire() -> None:
    """Values of an enumeration stay as they are; an object may have no field that is required."""
    document = rendered(Operation("tell", Direction.RECEIVE, (Message("told", Mood, camelize=True),)))

    schemas = document["components"]["schemas"]
    assert schemas["HowCamel"] == {"title": "How", "type": "string", "enum": ["very_well"]}
    assert set(schemas["MoodCamel"]["properties"]) == {"inGeneral"}
    assert "required" not in schemas["MoodCamel"]


def test_what_is_no_object_has_its_schema_in_place() -> None:
    """Anything pydantic knows may be a message."""
    document = rendered(Operation("count", Direction.SEND, (Message("counted", list[int]),)), address=None)

    assert "address" not in document["channels"]["chat"]
    payload = document["components"]["messages"]["chat.counted"]["payload"]
    assert payload == {"type": "array", "items": {"type": "integer"}}


def test_servers_and_a_description_are_passed_on() -> None:
    """As AsyncAPI has them."""
    servers = {"production": {"host": "chat.example", "protocol": "wss"}}

    document = render([], title="t", version="1", description="d", servers=servers)

    assert document["servers"] == servers
    assert document["info"]["description"] == "d"


def test_two_classes_of_one_name_have_a_schema_each() -> None:
    """Also if only a class inside them differs; messages of one class share its schema."""

    def posted(kind: type) -> type[BaseModel]:
        inner = create_model("Inner", text=(kind, ...))
        return create_model("Posted", inner=(inner, ...))

    first, second = posted(str), posted(int)
    messages = [Message("a", first), Message("b", second), Message("c", first), Message("d", second)]
    document = rendered(Operation("post", Direction.RECEIVE, tuple(messages)))

    payloads = [document["components"]["messages"][f"chat.{name}"]["payload"] for name in "abcd"]
    inner = [resolve(document, payload["$ref"])["properties"]["inner"]["$ref"] for payload in payloads]
    kinds = [resolve(document, reference)["properties"]["text"]["type"] for reference in inner]
    assert kinds == ["string", "integer", "string", "integer"]
    assert payloads[:2] == payloads[2:]
    assert len(document["components"]["schemas"]) == 4


def test_an_action_may_have_a_class_in_each_direction() -> None:
    """What a client sends and what it gets are two messages of one name."""
    received, sent = Message("post", Author), Message("post", Mood)
    document = rendered(
        Operation("in", Direction.RECEIVE, (received,), (sent,)), Operation("out", Direction.SEND, (sent,))
    )

    asked, told = document["operations"]["chat.in"], document["operations"]["chat.out"]
    messages = [asked["messages"][0], asked["reply"]["messages"][0], told["messages"][0]]
    content = [resolve(document, resolve(document, each["$ref"])["$ref"]) for each in messages]
    assert [each["name"] for each in content] == ["post"] * 3
    assert [each["payload"]["$ref"].rpartition("/")[2] for each in content] == ["Author", "Mood", "Mood"]


def test_names_are_taken_once() -> None:
    """Two channels, or two operations of one, of the same name are a mistake."""
    channel = Channel("chat", None, ())
    twice = Operation("post", Direction.RECEIVE, ())

    with pytest.raises(SetupError, match="two channels are called 'chat'"):
        render([channel, channel], title="t", version="1")
    with pytest.raises(SetupError, match="two operations of 'chat' are called 'post'"):
        rendered(twice, twice)
