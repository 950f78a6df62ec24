"""
The page's types, made from `models.py`.

``cd examples && python -m board.make_types`` writes them into `src/models.ts`, after each change of the models; a test
says so if it was forgotten.
"""

from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from . import models

FROM_PAGE = (models.SignIn, models.WhichBoard, models.AddCard, models.MoveCard, models.RenameCard, models.RemoveCard)
FROM_SERVER = (models.SignedIn, models.ListedBoard, models.Column, models.Card, models.OpenBoard, models.SeenDrag)
FILE = Path(__file__).parent / "src" / "models.ts"
HEAD = "// Made from models.py by make_types.py: change the models, and run it.\n"


def make_types() -> str:
    """Return TypeScript for the models. What has a default may be left out by the page; the server sends it."""
    sent = [(model, "serialization") for model in FROM_SERVER]
    _, schema = models_json_schema([*[(model, "validation") for model in FROM_PAGE], *sent])
    return HEAD + "".join(_declare(name, each) for name, each in schema["$defs"].items())


def _declare(name: str, schema: dict[str, Any]) -> str:
    required = schema["required"]
    fields = [
        f"  {field}{'' if field in required else '?'}: {_type_of(each)};\n"
        for field, each in schema["properties"].items()
    ]
    return f"\nexport type {name} = {{\n{''.join(fields)}}};\n"


def _type_of(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            return reference.rpartition("/")[2]
        case {"anyOf": kinds}:
            return " | ".join(map(_type_of, kinds))
        case {"type": "array", "items": items}:
            return f"{_type_of(items)}[]"
        case {"type": "integer"}:
            return "number"
        case {"type": "string" | "number" | "boolean" | "null" as name}:
            return name
    raise ValueError(f"no type of TypeScript is known for {schema}")


if __name__ == "__main__":
    FILE.write_text(make_types(), encoding="utf-8")
