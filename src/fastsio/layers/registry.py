"""The channel layers of an application, by alias."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from fastsio.brokers.worker_group import WORKERS
from fastsio.exceptions import SetupError
from fastsio.layers.base import BaseChannelLayer
from fastsio.layers.local import InMemoryChannelLayer
from fastsio.layers.machine import LocalChannelLayer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType


class LayerNotFoundError(SetupError, LookupError):
    """
    No channel layer is registered under the alias.

    Args:
        alias: The alias.
        registered: The aliases that exist.
    """

    def __init__(self, alias: object, registered: Iterable[str]) -> None:
        self.alias = alias
        self.registered = sorted(registered)
        known = ", ".join(repr(name) for name in self.registered) or "none"
        super().__init__(
            f"no channel layer is registered as {alias!r} (registered: {known}); call "
            f"register_channel_layer({alias!r}, ...) in this process first, in a worker or a script as in the server"
        )


class ChannelLayerRegistry:
    """Layers by alias."""

    def __init__(self) -> None:
        self._layers: dict[str, BaseChannelLayer] = {}

    def __contains__(self, alias: object) -> bool:
        return alias in self._layers

    def __iter__(self) -> Iterator[str]:
        """Iterate over the aliases."""
        return iter(list(self._layers))

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, alias: str) -> BaseChannelLayer:
        return self.get(alias)

    def register(self, alias: str, layer: BaseChannelLayer) -> None:
        """
        Register a layer under an alias, in place of the layer that had it.

        In the workers of ``fastsio run --workers`` an :class:`InMemoryChannelLayer` is replaced by a
        :class:`LocalChannelLayer` with the alias as its prefix, which all workers share.

        Raises:
            TypeError: The alias is not a string, or the layer is not a channel layer.
        """
        if not isinstance(alias, str) or not alias:
            raise TypeError(f"the alias of a channel layer is a str like 'chat', not {alias!r}")
        if not isinstance(layer, BaseChannelLayer):
            raise TypeError(
                f"channel layer {alias!r} is an object like InMemoryChannelLayer(), not {type(layer).__name__}"
                + (" (the class itself; call it)" if isinstance(layer, type) else "")
            )
        self._layers[alias] = _for_workers(alias, layer)

    def unregister(self, alias: str) -> None:
        """Remove an alias; one that is not registered is ignored."""
        self._layers.pop(alias, None)

    def get(self, alias: str) -> BaseChannelLayer:
        """
        Return a layer.

        Raises:
            LayerNotFoundError: No layer has the alias.
        """
        try:
            return self._layers[alias]
        except KeyError:
            raise LayerNotFoundError(alias, self._layers) from None


def _for_workers(alias: str, layer: BaseChannelLayer) -> BaseChannelLayer:
    """Return the layer, or one that the workers share in its place, if it reaches only one of several workers."""
    if type(layer) is not InMemoryChannelLayer or not os.environ.get(WORKERS):
        return layer
    logging.getLogger("fastsio.layers").info("channel layer %r: the workers share a LocalChannelLayer", alias)
    return LocalChannelLayer(
        prefix=alias,
        expiry=layer.expiry,
        capacity=layer.capacity,
        channel_capacity=layer.channel_capacity,
        overflow=layer.overflow,
    )


#: The layers of this process.
channel_layers: Final = ChannelLayerRegistry()


def register_channel_layer(alias: str, layer: BaseChannelLayer) -> None:
    """
    Register a layer; one that has the alias already is replaced.

    Args:
        alias: The name by which consumers find it.
        layer: The layer.
    """
    channel_layers.register(alias, layer)


def unregister_channel_layer(alias: str) -> None:
    """Remove the layer with an alias; it is not closed."""
    channel_layers.unregister(alias)


def get_channel_layer(alias: str) -> BaseChannelLayer:
    """
    Return the layer with an alias.

    Raises:
        LayerNotFoundError: No layer has that alias; the error names the aliases that exist.
    """
    return channel_layers.get(alias)


def has_layers() -> bool:
    """Tell whether any layer is registered."""
    return len(channel_layers) > 0


class override:  # noqa: N801 - used like a function
    """
    Register another layer under an alias for the length of a ``with`` block, for tests.

    ::

        with layers.override("chat", InMemoryChannelLayer()) as layer: ...

    Args:
        alias: The alias; it need not be registered.
        layer: The layer; it is not closed at the end.
    """

    def __init__(self, alias: str, layer: BaseChannelLayer) -> None:
        self._alias = alias
        self._layer = layer
        self._before: list[BaseChannelLayer | None] = []

    def __enter__(self) -> BaseChannelLayer:
        alias = self._alias
        before = channel_layers.get(alias) if alias in channel_layers else None
        channel_layers.register(alias, self._layer)
        self._before.append(before)
        return self._layer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        before = self._before.pop()
        if before is None:
            channel_layers.unregister(self._alias)
        else:
            channel_layers.register(self._alias, before)

    async def __aenter__(self) -> BaseChannelLayer:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
