"""How an application wants its AsyncAPI document; settings only, nothing is served from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastsio.exceptions import SetupError


@dataclass(slots=True)
class AsyncAPIConfig:
    """
    Settings of the AsyncAPI document of a server.

    Servers take them since programs for fastsio 0.3.6 give them; the document itself is not served yet.

    Args:
        enabled: Whether there is a document.
        url: The path of the document as JSON.
        expose_yaml: Whether it is served as YAML too.
        title: The name of the application.
        version: The version of the application.
        description: A paragraph about the application.
        servers: The servers of the document, by name.
        channel_prefix: What the names of channels begin with.
        ui_url: The path of a page that shows the document; None serves no page.
    """

    enabled: bool = True
    url: str = "/asyncapi.json"
    expose_yaml: bool = True
    title: str = "Socket.IO API"
    version: str = "1.0.0"
    description: str | None = None
    servers: dict[str, Any] = field(default_factory=dict)
    channel_prefix: str = ""
    ui_url: str | None = "/asyncapi"


def asyncapi_config(given: AsyncAPIConfig | dict[str, Any] | None) -> AsyncAPIConfig:
    """
    Return the settings that a server was given.

    Raises:
        SetupError: A dict has a setting that there is not, or they are something else.
    """
    if given is None:
        return AsyncAPIConfig(enabled=False)
    if isinstance(given, AsyncAPIConfig):
        return given
    try:
        return AsyncAPIConfig(**given)
    except TypeError as error:
        raise SetupError(f"asyncapi is {given!r}; give an AsyncAPIConfig, or a dict of its fields") from error
