"""A dict that reports its changes: ``handlers`` and ``namespace_handlers``, into which applications may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Key = TypeVar("Key")
Value = TypeVar("Value")


class WatchedDict(dict[Key, Value], Generic[Key, Value]):
    """A dict that calls *changed* after every change; *nested* watches the dicts that are its values too."""

    def __init__(self, changed: Callable[[], None], *, nested: bool = False) -> None:
        super().__init__()
        self._changed = changed
        self._nested = nested

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, self._watch(value) if self._nested else value)
        self._changed()

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self._changed()

    def setdefault(self, key: Key, default: Any = None) -> Any:
        """Set a missing key."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys."""
        items: dict[Any, Any] = dict(*args, **kwargs)
        for key, value in items.items():
            self[key] = value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc] # dict's own is overloaded
        self.update(other)
        return self

    def pop(self, *args: Any) -> Any:
        """Remove a key and return its value."""
        value = super().pop(*args)
        self._changed()
        return value

    def popitem(self) -> tuple[Key, Value]:
        """Remove the last key and return it with its value."""
        item = super().popitem()
        self._changed()
        return item

    def clear(self) -> None:
        """Remove everything."""
        super().clear()
        self._changed()

    def _watch(self, value: Any) -> Any:
        if isinstance(value, WatchedDict):
            return value
        watched: WatchedDict[Any, Any] = WatchedDict(self._changed)
        dict.update(watched, value)
        return watched
