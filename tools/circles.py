#!/usr/bin/env python
"""
List the circles of imports among the modules of fastsio, those for type checking included.

A circle is a set of modules each of which imports, directly or through others, every other one of the set. An import
of a name from a package counts as one of the module that defines the name there, and an import within a function
counts as any other.

``tools/circles.py`` prints them, the largest first.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

ROOT: Final = Path(__file__).resolve().parent.parent / "src" / "fastsio"


def modules_of(root: Path) -> dict[str, Path]:
    """Return the files of a package by the dotted names of their modules."""
    names = {path: path.relative_to(root.parent).with_suffix("").parts for path in root.rglob("*.py")}
    return {".".join(part for part in parts if part != "__init__"): path for path, parts in names.items()}


def imports_of(root: Path) -> dict[str, set[str]]:
    """Return for each module of a package the modules of the same package that it imports."""
    modules = modules_of(root)
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    exported = {
        name: dict(_names_imported(tree) if modules[name].name == "__init__.py" else ()) for name, tree in trees.items()
    }
    return {
        name: {target for source, names in _imports(tree) for target in _targets(source, names, exported)} - {name}
        for name, tree in trees.items()
    }


def circles(imports: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """Return the sets of two or more modules that all reach each other, the largest first, each in order of names."""
    reached = {name: _reached_from(name, imports) for name in imports}
    found = {frozenset(other for other in reached[name] if name in reached[other]) for name in imports}
    return sorted((sorted(circle) for circle in found if len(circle) > 1), key=lambda circle: (-len(circle), circle))


def _reached_from(start: str, imports: Mapping[str, AbstractSet[str]]) -> set[str]:
    reached: set[str] = set()
    left = [start]
    while left:
        new = imports[left.pop()] - reached
        reached |= new
        left += new
    return reached


def _imports(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Yield each import as the module it names and the names it takes from there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


def _names_imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for source, names in _imports(tree):
        for name in names:
            yield name, source


def _targets(source: str, names: list[str], exported: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield the modules that define what an import takes, found through the packages that pass it on."""
    if source not in exported:
        return
    if not names:
        yield source
    for name in names:
        if f"{source}.{name}" in exported:
            yield f"{source}.{name}"
        elif exported[source].get(name) in exported:
            yield from _targets(exported[source][name], [name], exported)
        else:
            yield source


def main() -> int:
    """Print the circles."""
    found = circles(imports_of(ROOT))
    for circle in found:
        print(f"{len(circle)}: {', '.join(circle)}")
    print(f"{len(found)} circles, {sum(map(len, found))} modules in them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
